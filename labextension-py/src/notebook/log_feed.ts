/** A job's log for as long as somebody reads it: the newest page, then what is written since. */

import type { RelayApi } from '../api';
import type { LogEvent, LogPage } from '../wire';

export class LogFeed {
  /** `onText` gets what was written since it was last called, and whether text before it was left out. */
  constructor(
    private readonly api: RelayApi,
    private readonly jobId: string,
    private readonly onText: (text: string, skipped: boolean) => void
  ) {}

  /** Fetch what there is up to event `lastSeq`, where that is news. */
  async follow(lastSeq: number): Promise<void> {
    this.wanted = Math.max(this.wanted, lastSeq);
    if (this.reading || this.closed || (this.opened && this.reached >= this.wanted)) {
      return;
    }
    this.reading = true;
    try {
      while (!this.closed && !(this.opened && this.reached >= this.wanted)) {
        await this.read(this.wanted);
      }
    } finally {
      this.reading = false;
    }
  }

  /** Text before the first of what was given out; `null`: there is none. */
  async earlier(): Promise<string | null> {
    if (!this.more || this.first === 0) {
      return null;
    }
    const page = await this.api.log(this.jobId, { before: this.first });
    this.more = page.earlier && page.events.length > 0;
    this.first = page.events[0]?.seq ?? this.first;
    return page.events.length > 0 ? textOf(page.events) : null;
  }

  close(): void {
    this.closed = true;
  }

  private async read(upTo: number): Promise<void> {
    const page: LogPage = await this.api.log(this.jobId, this.opened ? { after: this.cursor } : {});
    if (this.closed) {
      return;
    }
    const last = page.events.at(-1);
    if (!this.opened) {
      this.first = page.events[0]?.seq ?? 0;
      this.more = page.earlier;
    }
    if (last) {
      this.onText(textOf(page.events), this.opened && page.earlier);
      this.cursor = last.seq;
    }
    this.opened = true;
    this.reached = Math.max(upTo, this.cursor);
  }

  private opened = false;
  private closed = false;
  private reading = false;
  /** The last event that was given out, and the first. */
  private cursor = 0;
  private first = 0;
  private more = false;
  /** Events up to here were asked for, and are wanted. */
  private reached = 0;
  private wanted = 0;
}

function textOf(events: readonly LogEvent[]): string {
  return events.map(event => event.text).join('');
}
