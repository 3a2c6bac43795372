/** Tells of the end of a long job whose cell nobody looks at. */

import { Notification } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';

import type { IRelayModel } from '../model';
import { END_STATES, type JobView } from '../wire';
import { cellIn, findPanel } from './places';
import { clock } from './quiet_line';

/** A page that nobody sees keeps no stream: it asks this often while it waits for the end of a job. Milliseconds. */
const ASK_EVERY = 20_000;

export interface NotifyOptions {
  /** Jobs that took less are not worth a word; 0: none is. */
  afterS(): number;
  goTo(jobId: string): void;
}

export class EndNotifier {
  constructor(
    private readonly relay: IRelayModel,
    private readonly tracker: INotebookTracker,
    private readonly options: NotifyOptions
  ) {
    relay.changed.connect(() => {
      if (relay.live) {
        this.look(relay.jobs);
      }
    });
    window.setInterval(() => void this.ask(), ASK_EVERY);
    document.addEventListener('visibilitychange', () => this.giveTitleBack());
  }

  private async ask(): Promise<void> {
    const waits = () => this.seen.some(job => !END_STATES.has(job.state) && this.isFromHere(job));
    if (document.visibilityState === 'hidden' && !this.relay.live && waits()) {
      // Where nothing answers now, the next time may tell.
      this.look(await this.relay.api.jobs().catch(() => this.seen));
    }
  }

  private look(jobs: readonly JobView[]): void {
    const ended = jobs.filter(job => END_STATES.has(job.state) && this.active.delete(job.id));
    for (const job of jobs) {
      if (!END_STATES.has(job.state) && !this.over.has(job.id)) {
        this.active.add(job.id);
      }
    }
    this.seen = jobs;
    for (const job of ended) {
      this.over.add(job.id);
      if (this.isWorthIt(job)) {
        this.tell(job);
      }
    }
  }

  private isWorthIt(job: JobView): boolean {
    const took = (job.ended_ms ?? Date.now()) - job.created_ms;
    return took >= this.options.afterS() * 1000 && this.isFromHere(job) && !this.isInView(job);
  }

  /** Whether the job's cell is in a notebook of this page, and its end is wanted to be told at all. */
  private isFromHere(job: JobView): boolean {
    return this.options.afterS() > 0 && !!job.origin.cell && findPanel(this.tracker, job.origin) !== undefined;
  }

  /** Whether the job's cell is on a screen that somebody looks at. */
  private isInView(job: JobView): boolean {
    const panel = findPanel(this.tracker, job.origin);
    const cell = panel && cellIn(panel, job.origin.cell)?.cell;
    if (!panel?.isVisible || !cell?.isAttached || document.visibilityState === 'hidden') {
      return false;
    }
    const [place, view] = [cell.node.getBoundingClientRect(), panel.content.node.getBoundingClientRect()];
    return place.height > 0 && place.bottom > view.top && place.top < view.bottom;
  }

  private tell(job: JobView): void {
    const seconds = ((job.ended_ms ?? Date.now()) - job.created_ms) / 1000;
    const name = job.name || job.id;
    const words = {
      COMPLETED: `${name} is done after ${clock(seconds)}.`,
      FAILED: `${name} failed after ${clock(seconds)}: ${job.error?.message.split('\n', 1)[0] ?? 'see its log'}`,
      CANCELLED: `${name} was cancelled after ${clock(seconds)}.`
    }[job.state as 'COMPLETED' | 'FAILED' | 'CANCELLED'];
    const type = job.state === 'COMPLETED' ? 'success' : job.state === 'FAILED' ? 'error' : 'warning';
    Notification.emit(words, type, {
      autoClose: false,
      actions: [{ label: 'Go to cell', callback: () => this.options.goTo(job.id) }]
    });
    if (document.visibilityState === 'hidden') {
      // All that is seen of a page behind others.
      this.titleBefore ??= document.title;
      document.title = words;
    }
  }

  private giveTitleBack(): void {
    if (this.titleBefore !== null && document.visibilityState !== 'hidden') {
      document.title = this.titleBefore;
      this.titleBefore = null;
    }
  }

  /** Jobs that this page has seen before their end. */
  private readonly active = new Set<string>();
  /** Those of them that have ended: the model may be behind what was asked. */
  private readonly over = new Set<string>();
  private seen: readonly JobView[] = [];
  private titleBefore: string | null = null;
}
