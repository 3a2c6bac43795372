/** "Run this cell on…": puts the magic over the active cell as the form says, and runs it. */

import { Dialog, type ISessionContextDialogs } from '@jupyterlab/apputils';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';

import type { IRelayModel } from '../model';
import { CPU_ONLY, gpuAmount, tenthsOf } from './free_now';
import { reprIn } from './kernel_question';
import { loadMagic } from './load_magic';
import { wishOf, withWish, withoutMagic } from './magic_line';
import { isCodeCell } from './places';
import { AS_WRITTEN, RunOnForm, type Choice } from './run_on_form';

/** What `%%cumulus` asks for by itself in this kernel: its user may have set it. */
const USUAL_DURATION = `__import__('cumulus_jupyter.settings').settings.settings_of(get_ipython()).duration`;

export interface RunOnOptions {
  readonly relay: IRelayModel;
  /** Whether the form begins with "Run it now". */
  readonly runs: boolean;
  readonly dialogs?: ISessionContextDialogs;
}

/** Ask where, and do it. Nothing happens where the reader thinks better of it. */
export async function runOn(panel: NotebookPanel, options: RunOnOptions): Promise<void> {
  const { activeCell } = panel.content;
  if (!activeCell || !isCodeCell(activeCell) || activeCell.model.sharedModel.isDisposed) {
    return;
  }
  const cell = activeCell;
  const shared = cell.model.sharedModel;
  const choice = await ask(panel, shared.getSource(), options);
  panel.content.activate();
  if (!choice || cell.isDisposed) {
    return;
  }
  shared.setSource(written(shared.getSource(), choice));
  if (choice.tenths !== null) {
    await loadMagic(panel);
  }
  if (choice.run && !cell.isDisposed) {
    await NotebookActions.runCells(panel.content, [cell], panel.sessionContext, options.dialogs);
  }
}

async function ask(panel: NotebookPanel, source: string, { relay, runs }: RunOnOptions): Promise<Choice | null> {
  const wish = wishOf(source);
  const begin: Choice = {
    tenths: wish ? (tenthsOf(wish.gpu) ?? AS_WRITTEN) : CPU_ONLY,
    durationS: wish?.durationS ?? null,
    run: runs
  };
  const body = new RunOnForm(relay, begin, wish?.gpu ?? '');
  const kernel = panel.sessionContext.session?.kernel;
  if (kernel?.status === 'idle') {
    void reprIn(kernel, USUAL_DURATION).then(seconds => {
      if (seconds && !body.isDisposed) {
        body.usualDuration = seconds;
      }
    });
  }
  const dialog = new Dialog<Choice>({
    title: 'Run this cell on…',
    body,
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'OK' })],
    // The radio buttons take the arrow keys, so the one that is picked comes first.
    focusNodeSelector: '.cumulus-RunOn input[type=radio]:checked'
  });
  const result = await dialog.launch();
  return result.button.accept ? result.value : null;
}

/** The cell as it is to be; an amount that was left as it is stays as its user wrote it. */
function written(source: string, { tenths, durationS }: Choice): string {
  if (tenths === null) {
    return withoutMagic(source);
  }
  const before = wishOf(source)?.gpu ?? null;
  if (tenths === AS_WRITTEN || tenths === tenthsOf(before)) {
    return withWish(source, { gpu: before, durationS });
  }
  return withWish(source, { gpu: tenths === CPU_ONLY ? null : gpuAmount(tenths), durationS });
}
