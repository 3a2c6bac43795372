/** The page's one event stream, and the model it feeds. */

import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import { RelayError, type RelayApi } from './api';
import { JobTable } from './job_table';
import type { IRelayModel } from './model';
import { readEvents, type ServerEvent } from './sse';
import type { JobView, RelayPlace, WorkerView } from './wire';

/** Milliseconds. */
const TIMES = {
  /** Between two `changed`. */
  quiet: 250,
  /** Before the first try again, and at most between two. */
  firstWait: 500,
  longestWait: 30_000,
  /** A stream without any byte for this long is dead: the relay sends a heartbeat every 15 s. */
  silence: 40_000,
  /** A stream that has lived this long was a good one. */
  settled: 5_000,
  /** A page that nobody has looked at for this long needs no stream: browsers allow few to one server. */
  hidden: 30_000,
  /** For the answer of where the relay is. */
  answer: 10_000
};

export class RelayWatch implements IRelayModel, IDisposable {
  constructor(
    readonly api: RelayApi,
    times: Partial<typeof TIMES> = {}
  ) {
    this.times = { ...TIMES, ...times };
    document.addEventListener('visibilitychange', this.onVisibility);
    this.onVisibility();
    void this.follow();
  }

  get jobs(): readonly JobView[] {
    return this.table.all;
  }

  workers: readonly WorkerView[] = [];
  place: RelayPlace | null = null;
  live = false;
  nextTryMs: number | null = null;

  get changed(): ISignal<IRelayModel, void> {
    return this.changes;
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  job(id: string): JobView | undefined {
    return this.table.get(id);
  }

  refresh(): void {
    this.tries = 0;
    this.again = true;
    this.stream?.abort();
    this.wake?.();
  }

  dispose(): void {
    this.disposed = true;
    document.removeEventListener('visibilitychange', this.onVisibility);
    window.clearTimeout(this.hiding);
    window.clearTimeout(this.telling);
    this.stream?.abort();
    this.wake?.();
    Signal.clearData(this);
  }

  /** Opens the stream again and again, for as long as there is somebody to look. */
  private async follow(): Promise<void> {
    while (!this.disposed) {
      if (this.asleep) {
        await this.pause(null);
        continue;
      }
      const opened = Date.now();
      this.again = false;
      this.nextTryMs = null;
      try {
        await this.readOne();
      } catch (error) {
        await this.explain(error);
      }
      this.live = false;
      if (this.again || this.asleep || this.disposed) {
        continue;
      }
      this.tries = Date.now() - opened > this.times.settled ? 0 : this.tries + 1;
      const longest = Math.min(this.times.longestWait, this.times.firstWait * 2 ** Math.min(this.tries, 10));
      const wait = Math.max(this.times.firstWait, longest * (0.5 + Math.random() / 2));
      this.nextTryMs = Date.now() + wait;
      this.tell();
      await this.pause(wait);
    }
  }

  /** One stream, from its first byte to its end. */
  private async readOne(): Promise<void> {
    const stream = (this.stream = new AbortController());
    let silence = 0;
    const alive = () => {
      window.clearTimeout(silence);
      silence = window.setTimeout(() => stream.abort(), this.times.silence);
    };
    alive();
    try {
      const answer = await this.api.watch(stream.signal);
      if (!answer.body) {
        return;
      }
      for await (const event of readEvents(answer.body, alive)) {
        this.live = true;
        this.take(event);
      }
    } finally {
      window.clearTimeout(silence);
      stream.abort();
    }
  }

  private take(event: ServerEvent): void {
    const data: unknown = JSON.parse(event.data);
    switch (event.name) {
      case 'relay':
        this.place = data as RelayPlace;
        break;
      case 'jobs':
        this.table.replace((data as { jobs: JobView[] }).jobs);
        break;
      case 'job':
        this.table.put(data as JobView);
        break;
      case 'workers':
        this.workers = (data as { workers: WorkerView[] }).workers;
        break;
      default:
        return;
    }
    this.tell();
  }

  /** The stream could not be had: find out why, for whoever looks at the relay's place. */
  private async explain(error: unknown): Promise<void> {
    if (this.again || this.asleep || this.disposed) {
      return;
    }
    try {
      this.place = await this.api.place(AbortSignal.timeout(this.times.answer));
      if (this.place.healthy && error instanceof RelayError) {
        this.place = { ...this.place, healthy: false, message: error.message, next: error.next };
      }
    } catch (placeError) {
      this.place = { ...(this.place ?? NOWHERE), healthy: false, ...words(placeError) };
    }
  }

  /** Say that something changed: now, or once the last time is long enough ago. */
  private tell(): void {
    if (this.telling || this.disposed) {
      return;
    }
    const due = this.toldMs + this.times.quiet - Date.now();
    this.telling = window.setTimeout(
      () => {
        this.telling = 0;
        this.toldMs = Date.now();
        this.changes.emit();
      },
      Math.max(0, due)
    );
  }

  private pause(wait: number | null): Promise<void> {
    return new Promise(resolve => {
      const timer = wait === null ? 0 : window.setTimeout(resolve, wait);
      this.wake = () => {
        window.clearTimeout(timer);
        resolve();
      };
    });
  }

  private onVisibility = (): void => {
    window.clearTimeout(this.hiding);
    if (document.visibilityState === 'hidden') {
      this.hiding = window.setTimeout(() => {
        this.asleep = true;
        this.stream?.abort();
      }, this.times.hidden);
    } else {
      const waited = this.asleep || this.nextTryMs !== null;
      this.asleep = false;
      if (waited) {
        this.tries = 0;
        this.wake?.();
      }
    }
  };

  private readonly times: typeof TIMES;
  private readonly table = new JobTable();
  private readonly changes = new Signal<this, void>(this);
  private disposed = false;
  private asleep = false;
  private again = false;
  private tries = 0;
  private toldMs = 0;
  private telling = 0;
  private hiding = 0;
  private stream: AbortController | null = null;
  private wake: (() => void) | null = null;
}

const NOWHERE: RelayPlace = {
  kind: 'absent',
  url: '',
  healthy: false,
  message: '',
  next: '',
  version: '',
  relay_id: ''
};

function words(error: unknown): { message: string; next: string } {
  if (!(error instanceof RelayError)) {
    return {
      message: 'The Jupyter server does not answer.',
      next: 'See whether it still runs; this page comes back by itself.'
    };
  }
  if (error.status === 401 || error.status === 403) {
    return {
      message: 'The Jupyter server does not know this page any more.',
      next: 'Reload the page, and sign in again.'
    };
  }
  return { message: error.message, next: error.next };
}
