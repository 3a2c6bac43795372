/** Sees to `%%cumulus` being known to a notebook's kernel, and to the notebook saying so for its next reader. */

import type { ICodeCellModel } from '@jupyterlab/cells';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import { KernelAPI, type Kernel } from '@jupyterlab/services';

import { reprIn } from './kernel_question';

const LINE = '%load_ext cumulus_jupyter';
const LOADS = /^\s*%(load_ext|reload_ext)\s+cumulus_jupyter\b/m;
const USES = /^\s*%%cumulus\b/;
/** A kernel of such a status is idle soon, unless it is one that this page does not know to be busy. */
const BEGINS = new Set<Kernel.Status>(['unknown', 'starting', 'restarting', 'autorestarting']);
const BEGINS_MS = 8000;
/** It is busy for a moment, too, when it is asked what it is. */
const BUSY_MS = 1500;
const KNOWN = `'cumulus' in get_ipython().magics_manager.magics['cell']`;

/**
 * Load the magic where the kernel lacks it; returns once the kernel has it, or is sure to before what is run next.
 *
 * A notebook that loads it nowhere gets a first cell that does: it shall run for others too, from its top.
 */
export async function loadMagic(panel: NotebookPanel): Promise<void> {
  if (panel.sessionContext.hasNoKernel) {
    // Running a cell would start it, too late for the magic.
    await panel.sessionContext.startKernel();
  }
  const kernel = panel.sessionContext.session?.kernel;
  const loads = panel.content.widgets.some(
    cell => cell.model.type === 'code' && LOADS.test(cell.model.sharedModel.getSource())
  );
  // A busy kernel answers too late to be waited for; what is sent now it reads before the cell. Its status
  // alone does not tell: a widget that is opened in a running cell makes it "idle".
  const running = runningSources(panel);
  if (kernel && running.some(source => USES.test(source))) {
    // Its job may be one that the kernel before a restart sent: then this one lacks the magic.
    kernel.requestExecute({ code: LINE, silent: true, store_history: false });
    return;
  }
  if (kernel && running.length === 0) {
    await begun(kernel);
  }
  const busy = kernel?.status !== 'idle' || running.length > 0;
  if (kernel && !busy && (await reprIn(kernel, KNOWN)) === 'True') {
    return;
  }
  if (!loads) {
    await insertFirst(panel, busy);
  } else if (kernel) {
    const future = kernel.requestExecute({ code: LINE, silent: true, store_history: false });
    await (busy ? undefined : future.done);
  }
}

/** Wait for a kernel that runs none of the notebook's cells to be idle, a while at most. */
async function begun(kernel: Kernel.IKernelConnection): Promise<void> {
  const begins = BEGINS.has(kernel.status) && !(kernel.status === 'unknown' && (await isBusy(kernel)));
  await new Promise<void>(resolve => {
    const end = (): void => {
      clearTimeout(timer);
      kernel.statusChanged.disconnect(look);
      resolve();
    };
    const look = (): void => {
      if (kernel.isDisposed || kernel.status === 'idle' || kernel.status === 'dead') {
        end();
      }
    };
    const timer = setTimeout(end, begins ? BEGINS_MS : BUSY_MS);
    kernel.statusChanged.connect(look);
    look();
  });
}

/** What the server says, as it does of a kernel that is busy since before the page was loaded. */
async function isBusy({ id, serverSettings }: Kernel.IKernelConnection): Promise<boolean> {
  const model = await KernelAPI.getKernelModel(id, serverSettings).catch(() => undefined);
  return model?.execution_state === 'busy';
}

function runningSources(panel: NotebookPanel): string[] {
  return panel.content.widgets
    .filter(({ model }) => model.type === 'code' && (model as ICodeCellModel).executionState === 'running')
    .map(({ model }) => model.sharedModel.getSource());
}

async function insertFirst(panel: NotebookPanel, busy: boolean): Promise<void> {
  const { content } = panel;
  content.model?.sharedModel.insertCell(0, { cell_type: 'code', source: LINE, metadata: { trusted: true } });
  const first = content.widgets[0];
  if (first && panel.sessionContext.session?.kernel) {
    const done = NotebookActions.runCells(content, [first], panel.sessionContext);
    await (busy ? undefined : done);
  }
}
