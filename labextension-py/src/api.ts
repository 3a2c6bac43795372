/** The relay's REST calls, through the Jupyter server that this page came from: no token is known here. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { EnrolmentLine, JobEvent, JobView, LogPage, Problem, RelayPlace, WorkerView } from './wire';

const API = 'cumulus/api/v1';

/** What the relay, or the server before it, answered instead of doing what it was asked. */
export class RelayError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem
  ) {
    super(problem.message);
  }

  /** What to do about it; may be empty. */
  get next(): string {
    return this.problem.next;
  }
}

export class RelayApi {
  constructor(readonly settings = ServerConnection.makeSettings()) {}

  place(signal?: AbortSignal): Promise<RelayPlace> {
    return this.json('GET', 'relay', { signal });
  }

  async jobs(limit = 100): Promise<JobView[]> {
    return (await this.json<{ jobs: JobView[] }>('GET', `jobs?limit=${limit}`)).jobs;
  }

  job(id: string): Promise<JobView> {
    return this.json('GET', `jobs/${encodeURIComponent(id)}`);
  }

  cancel(id: string): Promise<JobView> {
    return this.json('DELETE', `jobs/${encodeURIComponent(id)}`);
  }

  async workers(): Promise<WorkerView[]> {
    return (await this.json<{ workers: WorkerView[] }>('GET', 'workers')).workers;
  }

  newWorkerLine(): Promise<EnrolmentLine> {
    return this.json('POST', 'workers/tokens');
  }

  /** What a job left, as it was written: numbers are not read yet. */
  async result(id: string): Promise<string> {
    return (await this.request('GET', `jobs/${encodeURIComponent(id)}/result`)).text();
  }

  /** A page of a job's events behind `after`. */
  async events(id: string, after: number, limit = 500): Promise<JobEvent[]> {
    const path = `jobs/${encodeURIComponent(id)}/events?after=${after}&limit=${limit}`;
    return (await this.json<{ events: JobEvent[] }>('GET', path)).events;
  }

  /** The newest part of a job's log: behind event `after`, or before event `before`. */
  log(id: string, range: { after?: number; before?: number } = {}): Promise<LogPage> {
    const query = Object.entries(range).map(([name, value]) => `${name}=${value}`);
    return this.json('GET', `jobs/${encodeURIComponent(id)}/log?${query.join('&')}`);
  }

  /** The stream of all that changes; the caller reads its body, and aborts it by `signal`. */
  watch(signal: AbortSignal): Promise<Response> {
    return this.request('GET', 'watch', { headers: { Accept: 'text/event-stream' }, signal });
  }

  /** The whole log as plain text. */
  async wholeLog(id: string): Promise<string> {
    return (await this.request('GET', `jobs/${encodeURIComponent(id)}/logs`)).text();
  }

  private async json<T>(method: string, path: string, init: RequestInit = {}): Promise<T> {
    // Where a stream could be had too, one page of it is wanted.
    const asked = { ...init, headers: { Accept: 'application/json' } };
    return (await this.request(method, path, asked)).json() as Promise<T>;
  }

  private async request(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const url = URLExt.join(this.settings.baseUrl, API) + '/' + path;
    const answer = await ServerConnection.makeRequest(url, { ...init, method }, this.settings);
    if (!answer.ok) {
      throw new RelayError(answer.status, await problemOf(answer));
    }
    return answer;
  }
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    const body = (await answer.json()) as Partial<Problem>;
    if (body.message) {
      return { code: '', job_id: '', next: '', ...body, message: body.message };
    }
  } catch {
    // Not JSON: something between here and the relay answered.
  }
  return {
    code: 'UNAVAILABLE',
    message: `The Jupyter server answered ${answer.status} ${answer.statusText}`.trim(),
    job_id: '',
    next: 'See whether cumulus-jupyter is installed in the environment of the Jupyter server.'
  };
}
