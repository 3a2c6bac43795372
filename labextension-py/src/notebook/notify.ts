/** Tells of the end of a long job whose cell nobody looks at. */

import { Notification } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';

import type { IRelayModel } from '../model';
import { END_STATES, type JobView } from '../wire';
import { cellIn, findPanel } from './places';
import { clock } from './quiet_line';

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
    relay.changed.connect(() => this.look());
  }

  private look(): void {
    if (!this.relay.live) {
      return;
    }
    const ended = this.relay.jobs.filter(job => END_STATES.has(job.state) && this.active.delete(job.id));
    for (const job of this.relay.jobs) {
      if (!END_STATES.has(job.state)) {
        this.active.add(job.id);
      }
    }
    ended.filter(job => this.isWorthIt(job)).forEach(job => this.tell(job));
  }

  private isWorthIt(job: JobView): boolean {
    const after = this.options.afterS();
    const took = (job.ended_ms ?? Date.now()) - job.created_ms;
    if (after <= 0 || took < after * 1000 || !job.origin.cell) {
      return false;
    }
    const panel = findPanel(this.tracker, job.origin);
    return panel !== undefined && !this.isInView(job);
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
      FAILED: `${name} failed after ${clock(seconds)}: ${job.error?.message.split('\n', 1)[0] ?? ''}`,
      CANCELLED: `${name} was cancelled after ${clock(seconds)}.`
    }[job.state as 'COMPLETED' | 'FAILED' | 'CANCELLED'];
    const type = job.state === 'COMPLETED' ? 'success' : job.state === 'FAILED' ? 'error' : 'warning';
    Notification.emit(words, type, {
      autoClose: false,
      actions: [{ label: 'Go to cell', callback: () => this.options.goTo(job.id) }]
    });
  }

  /** Jobs that this page has seen before their end. */
  private readonly active = new Set<string>();
}
