/** Finds the cells whose outputs were lost with an earlier page, and has them painted from the relay. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { CodeCell } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import type { IRelayModel } from '../model';
import { END_STATES, type JobView } from '../wire';
import { CellRepaint } from './cell_repaint';
import type { Claim, Claims } from './claims';
import type { PageRuns } from './page_runs';
import { cellIn, isCodeCell, isFrom } from './places';
import { needsRepaint } from './repaint_rule';

export class Repainter {
  constructor(
    tracker: INotebookTracker,
    private readonly relay: IRelayModel,
    private readonly runs: PageRuns,
    private readonly claims: Claims,
    private readonly contents: Contents.IManager
  ) {
    tracker.widgetAdded.connect((_, panel) => this.watch(panel));
    tracker.forEach(panel => this.watch(panel));
    relay.changed.connect(() => this.scan());
    document.addEventListener('visibilitychange', () => this.scan());
    runs.started.connect((_, { panel, cell }) => this.claims.seize(nameOf(panel, cell)));
  }

  private watch(panel: NotebookPanel): void {
    panel.sessionContext.kernelChanged.connect((_: ISessionContext) => this.scan());
    panel.sessionContext.statusChanged.connect((_: ISessionContext, status) => {
      if (status === 'idle' || status === 'busy') {
        this.scan();
      }
    });
    void panel.context.ready.then(() => {
      if (!panel.isDisposed) {
        this.readies.add(panel);
        this.scan();
      }
    });
    panel.disposed.connect(() => this.readies.delete(panel));
  }

  /** Look at the newest job of every cell. */
  private scan(): void {
    if (document.visibilityState === 'hidden' || !this.relay.live) {
      return; // The page that somebody looks at comes first.
    }
    const newest = new Map<string, JobView>();
    for (const job of this.relay.jobs) {
      const { cell, kernel, notebook } = job.origin;
      const place = `${cell}:${kernel || notebook}`;
      if (cell && !newest.has(place)) {
        newest.set(place, job);
      }
    }
    for (const panel of this.readies) {
      for (const job of newest.values()) {
        if (isFrom(panel, job.origin)) {
          this.consider(panel, job, [...newest.values()]);
        }
      }
    }
  }

  private consider(panel: NotebookPanel, job: JobView, others: readonly JobView[]): void {
    const cell = cellIn(panel, job.origin.cell)?.cell;
    if (!cell || !isCodeCell(cell) || this.runs.ran(panel, job.origin.cell) || this.busy.has(cell)) {
      return;
    }
    const sameCell = (other: JobView) => other.origin.cell === job.origin.cell && isFrom(panel, other.origin);
    const isNewest = others.every(other => !sameCell(other) || other.created_ms <= job.created_ms);
    if (isNewest && !this.settled.get(panel)?.has(job.id) && this.isLost(panel, cell, job)) {
      this.busy.add(cell);
      void this.paint(panel, cell, job).finally(() => this.busy.delete(cell));
    }
  }

  private isLost(panel: NotebookPanel, cell: CodeCell, job: JobView): boolean {
    return needsRepaint(job, {
      source: cell.model.sharedModel.getSource(),
      outputs: cell.model.outputs.toJSON(),
      savedMs: Date.parse(panel.context.contentsModel?.last_modified ?? '') || 0
    });
  }

  private async paint(panel: NotebookPanel, cell: CodeCell, job: JobView): Promise<void> {
    const claim = await this.claims.take(nameOf(panel, cell.model.id));
    if (!claim) {
      return; // Another page of this browser has it; asked again when this one is looked at.
    }
    try {
      if (END_STATES.has(job.state) && (await this.isOutdated(panel))) {
        this.settle(panel, job); // Another page saved what it had.
        return;
      }
      const { kernel: ran } = job.origin;
      const kernel = async () => {
        await panel.sessionContext.ready;
        const found = panel.sessionContext.session?.kernel ?? null;
        return found?.id === ran ? found : null;
      };
      const isOurs = () => this.isOurs(panel, cell, job, claim);
      if (isOurs()) {
        await new CellRepaint(this.relay, job.id, { cell: cell.model, isOurs, kernel }).run(job);
        if (isOurs()) {
          this.settle(panel, job);
        }
      }
    } finally {
      if (!this.runs.ran(panel, job.origin.cell)) {
        claim.release();
      }
    }
  }

  private isOurs(panel: NotebookPanel, cell: CodeCell, job: JobView, claim: Claim): boolean {
    const isNewer = (other: JobView) =>
      other.origin.cell === job.origin.cell && other.created_ms > job.created_ms && isFrom(panel, other.origin);
    const isThere = !panel.isDisposed && !cell.isDisposed && !claim.lost;
    return isThere && !this.runs.ran(panel, cell.model.id) && !this.relay.jobs.some(isNewer);
  }

  /** Whether the file is newer than what this page read of it. */
  private async isOutdated(panel: NotebookPanel): Promise<boolean> {
    try {
      const file = await this.contents.get(panel.context.path, { content: false });
      const read = Date.parse(panel.context.contentsModel?.last_modified ?? '');
      return Date.parse(file.last_modified) > read;
    } catch {
      return false;
    }
  }

  private settle(panel: NotebookPanel, job: JobView): void {
    const known = this.settled.get(panel) ?? new Set<string>();
    known.add(job.id);
    this.settled.set(panel, known);
  }

  private readonly readies = new Set<NotebookPanel>();
  private readonly busy = new WeakSet<CodeCell>();
  private readonly settled = new WeakMap<NotebookPanel, Set<string>>();
}

function nameOf(panel: NotebookPanel, cell: string): string {
  return `${panel.context.path}:${cell}`;
}
