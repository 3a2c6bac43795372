/** A job's log by the page: its end first, then what comes, and on request what was before. */

import type { IDisposable } from '@lumino/disposable';

import { RelayError } from './api';
import type { IRelayModel } from './model';
import type { LogPage } from './wire';

const GONE = 404;

/** Where the text goes; `LogPane` is one. */
export interface LogSink {
  /** `skipped` lines before it were left out. */
  append(text: string, skipped?: number): void;
  clear(): void;
}

export class LogFollower implements IDisposable {
  /** `told` hears why the log can't be read, and `null` once it can. */
  constructor(
    private readonly model: IRelayModel,
    private readonly jobId: string,
    private readonly sink: LogSink,
    private readonly told: (error: unknown) => void = () => undefined
  ) {
    model.changed.connect(this.look, this);
    this.look();
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  /** While it is out of sight nothing is fetched; what came meanwhile is when it is seen again. */
  set paused(paused: boolean) {
    this.isPaused = paused;
    this.look();
  }

  dispose(): void {
    this.disposed = true;
    this.model.changed.disconnect(this.look, this);
  }

  /** The text before what the sink has, ending at a line's end; `null`: there is none. */
  async earlier(): Promise<string | null> {
    if (this.first === null || !this.hasEarlier) {
      return null;
    }
    const page = await this.model.api.log(this.jobId, { before: this.first });
    return page.events.length ? this.behindLine(page, this.cut) : null;
  }

  /** Fetch what is new, where there is anything; one request at a time. */
  private look(): void {
    const newest = this.model.job(this.jobId)?.last_seq ?? 0;
    const isKnown = this.gone || (this.last !== null && newest <= this.seen);
    if (this.disposed || this.isPaused || this.busy || isKnown) {
      return;
    }
    this.busy = true;
    void this.fetch(newest).then(
      () => {
        this.busy = false;
        this.told(null);
        this.look();
      },
      error => {
        // What changes next tries again, but for a job that the relay has forgotten.
        this.busy = false;
        this.gone = error instanceof RelayError && error.status === GONE;
        this.told(error);
      }
    );
  }

  private async fetch(newest: number): Promise<void> {
    const after = this.last;
    const page = await this.model.api.log(this.jobId, after === null ? {} : { after });
    if (this.disposed) {
      return;
    }
    this.seen = newest;
    this.last = page.events.at(-1)?.seq ?? after ?? 0;
    if (after === null || (page.earlier && page.skipped_lines === null)) {
      // A gap that nobody can count is none where the log begins anew behind it.
      this.sink.clear();
      this.sink.append(this.behindLine(page, ''));
    } else if (page.events.length) {
      this.sink.append(textOf(page), page.skipped_lines ?? 0);
    }
  }

  /** A page that others come before may begin within a line: that line's end waits for its beginning. */
  private behindLine(page: LogPage, behind: string): string {
    const text = textOf(page) + behind;
    const end = page.earlier ? text.indexOf('\n') + 1 : 0;
    this.first = page.events[0]?.seq ?? null;
    this.hasEarlier = page.earlier;
    this.cut = text.slice(0, end);
    return text.slice(end);
  }

  private disposed = false;
  private busy = false;
  private gone = false;
  private isPaused = false;
  /** The newest event that the sink has; `null` before the first page. */
  private last: number | null = null;
  /** The job's newest event, of whatever kind, at the last look. */
  private seen = 0;
  private first: number | null = null;
  private hasEarlier = false;
  private cut = '';
}

function textOf(page: LogPage): string {
  return page.events.map(event => event.text).join('');
}
