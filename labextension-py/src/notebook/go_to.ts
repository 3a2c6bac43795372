/** From a job to its cell, and from a job to a cell that attaches to it. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { NotebookActions, type INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';

import { RelayError } from '../api';
import type { IRelayModel } from '../model';
import type { JobView, Origin } from '../wire';
import { loadMagic } from './load_magic';
import { cellIn, findPanel, isFrom, notebookPath } from './places';

const FACTORY = 'Notebook';
/** It was opened in a page of its own, as Notebook 7 does. */
const ELSEWHERE = 'elsewhere';

export class JobPlaces {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly tracker: INotebookTracker,
    private readonly relay: IRelayModel
  ) {}

  /** Show the cell that a job came from; says so where it is gone. */
  async goTo(jobId: string): Promise<void> {
    const job = await this.find(jobId);
    if (!job) {
      return;
    }
    const { origin } = job;
    if (!origin.notebook) {
      say('This job did not come from a notebook.');
      return;
    }
    const panel = await this.open(origin);
    if (panel === null) {
      say(`The notebook is no longer there: ${origin.notebook}`);
      return;
    }
    if (panel === ELSEWHERE) {
      return;
    }
    const found = cellIn(panel, origin.cell);
    if (!found) {
      say(`The cell is no longer in ${panel.context.localPath}.`);
      return;
    }
    await show(panel, found.index);
  }

  /**
   * Put `%cumulus attach JOB` into the notebook that is looked at, else the job's, and run it: below the job's own
   * cell, and where that is not there below the active one.
   */
  async attach(jobId: string): Promise<void> {
    const job = await this.find(jobId);
    if (!job) {
      return;
    }
    const panel = this.tracker.currentWidget ?? (await this.open(job.origin));
    if (panel === null || panel === ELSEWHERE) {
      say('Open a notebook to attach the job in.');
      return;
    }
    this.app.shell.activateById(panel.id);
    const { content } = panel;
    const own = isFrom(panel, job.origin) ? cellIn(panel, job.origin.cell)?.cell : null;
    const above = own ?? content.activeCell;
    await loadMagic(panel);
    // The magic may have come as a first cell, which moves the others.
    const index = above ? content.widgets.indexOf(above) + 1 : 0;
    content.model?.sharedModel.insertCell(index, {
      cell_type: 'code',
      source: `%cumulus attach ${job.id}`,
      metadata: { trusted: true }
    });
    await show(panel, index);
    await NotebookActions.runCells(content, [content.widgets[index]], panel.sessionContext);
  }

  /** The notebook's panel, opened where it was not; `null` where its file is gone. */
  private async open(origin: Origin): Promise<NotebookPanel | typeof ELSEWHERE | null> {
    let panel = findPanel(this.tracker, origin) ?? this.tracker.find(open => open.context.path === origin.notebook);
    if (!panel) {
      const path = await notebookPath(this.app.serviceManager, origin);
      if (path === null) {
        return null;
      }
      await this.app.commands.execute('docmanager:open', { path, factory: FACTORY });
      panel = this.tracker.find(open => open.context.localPath === path);
    }
    if (!panel) {
      return ELSEWHERE;
    }
    this.app.shell.activateById(panel.id);
    await panel.context.ready;
    await panel.revealed;
    return panel;
  }

  /** `null` where it cannot be had, which the reader is told. */
  private async find(jobId: string): Promise<JobView | null> {
    try {
      return this.relay.job(jobId) ?? (await this.relay.api.job(jobId));
    } catch (error) {
      const why = error instanceof RelayError ? [error.message, error.next] : ['The Jupyter server does not answer.'];
      say(why.filter(Boolean).join(' '));
      return null;
    }
  }
}

async function show(panel: NotebookPanel, index: number): Promise<void> {
  const { content } = panel;
  content.deselectAll();
  content.activeCellIndex = index;
  content.mode = 'command';
  content.activate();
  await content.scrollToItem(index, 'start');
}

function say(message: string): void {
  Notification.warning(message, { autoClose: 5000 });
}
