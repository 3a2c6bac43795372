/** What this page has run by itself: those cells are the kernel's to paint, and nobody repaints them. */

import { NotebookActions, type INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import type { Cell } from '@jupyterlab/cells';
import type { ISessionContext } from '@jupyterlab/apputils';
import { Signal, type ISignal } from '@lumino/signaling';

export interface Run {
  /** The notebook's panel and the cell's id. */
  readonly panel: NotebookPanel;
  readonly cell: string;
}

export class PageRuns {
  constructor(private readonly tracker: INotebookTracker) {
    NotebookActions.executionScheduled.connect((_, { notebook, cell }) => {
      const panel = this.tracker.find(found => found.content === notebook);
      if (panel) {
        this.note(panel, cell, true);
        this.starts.emit({ panel, cell: cell.model.id });
      }
    });
    NotebookActions.executed.connect((_, { notebook, cell }) => {
      const panel = this.tracker.find(found => found.content === notebook);
      if (panel) {
        this.note(panel, cell, false);
      }
    });
    tracker.widgetAdded.connect((_, panel) => this.watchKernel(panel));
    tracker.forEach(panel => this.watchKernel(panel));
  }

  /** A cell was handed to the kernel by this page. */
  get started(): ISignal<PageRuns, Run> {
    return this.starts;
  }

  /** Whether the cell is, or was at last, run by this page. */
  ran(panel: NotebookPanel, cell: string): boolean {
    return this.cells.get(panel)?.has(cell) ?? false;
  }

  private note(panel: NotebookPanel, cell: Cell, running: boolean): void {
    const known = this.cells.get(panel) ?? new Map<string, boolean>();
    known.set(cell.model.id, running);
    this.cells.set(panel, known);
  }

  private watchKernel(panel: NotebookPanel): void {
    const lose = () => this.lose(panel);
    panel.sessionContext.statusChanged.connect((_: ISessionContext, status) => {
      if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
        lose();
      }
    });
    panel.sessionContext.kernelChanged.connect((_, { oldValue, newValue }) => {
      if (oldValue && oldValue.id !== newValue?.id) {
        lose();
      }
    });
  }

  /** The kernel that painted these cells is gone: their jobs are not. */
  private lose(panel: NotebookPanel): void {
    const known = this.cells.get(panel);
    for (const [cell, running] of known ?? []) {
      if (running) {
        known?.delete(cell);
      }
    }
  }

  private readonly cells = new WeakMap<NotebookPanel, Map<string, boolean>>();
  private readonly starts = new Signal<PageRuns, Run>(this);
}
