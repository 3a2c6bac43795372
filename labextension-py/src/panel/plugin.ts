/** The sidebar's plugin: the panel, its commands, its settings. */

import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, showErrorMessage } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { addIcon, refreshIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { RelayError } from '../api';
import { cancelIcon } from '../icons';
import { IRelayModel } from '../model';
import { isActive } from '../words';
import { addWorker } from './add_worker';
import { COMMANDS } from './commands';
import { CumulusPanel, PANEL_ID } from './panel';

const PLUGIN_ID = 'cumulus-lab:sidebar';
/** Behind JupyterLab's own panels. */
const RANK = 450;
const CATEGORY = 'Cumulus';

export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'The sidebar with jobs, workers and the relay.',
  autoStart: true,
  requires: [IRelayModel],
  optional: [ISettingRegistry, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    model: IRelayModel,
    settings: ISettingRegistry | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ): void => {
    const panel = new CumulusPanel(model, app.commands);
    addCommands(app, model, panel);
    for (const command of [COMMANDS.showPanel, COMMANDS.addWorker, COMMANDS.refresh]) {
      palette?.addItem({ command, category: CATEGORY });
    }
    restorer?.add(panel, PANEL_ID);
    app.shell.add(panel, panel.side, { rank: RANK, type: 'Cumulus' });
    if (settings) {
      void settings.load(PLUGIN_ID).then(loaded => {
        const apply = () => {
          panel.settings = { finishedJobs: loaded.composite.finishedJobs as number };
          moveTo(app, panel, loaded.composite.side as string);
        };
        loaded.changed.connect(apply);
        apply();
      });
    }
  }
};

function addCommands(app: JupyterFrontEnd, model: IRelayModel, panel: CumulusPanel): void {
  const { commands, shell } = app;
  commands.addCommand(COMMANDS.showPanel, {
    label: 'Show Cumulus Jobs and Workers',
    caption: 'Show the jobs, the workers and the relay in the sidebar',
    describedBy: { args: {} },
    execute: () => shell.activateById(panel.id)
  });
  commands.addCommand(COMMANDS.addWorker, {
    label: 'Add a Cumulus Worker…',
    caption: 'Show the one line that makes a worker of a host',
    icon: addIcon,
    describedBy: { args: {} },
    execute: () => addWorker(model.api)
  });
  commands.addCommand(COMMANDS.refresh, {
    label: 'Refresh Cumulus Jobs and Workers',
    caption: 'Read jobs and workers anew, and look for the relay at once where it is away',
    icon: refreshIcon,
    describedBy: { args: {} },
    execute: () => model.refresh()
  });
  addCancel(commands, model);
}

function addCancel(commands: CommandRegistry, model: IRelayModel): void {
  const given = (args: { jobId?: unknown }) => model.job(String(args.jobId ?? ''));
  commands.addCommand(COMMANDS.cancel, {
    label: 'Cancel Cumulus Job',
    caption: 'Stop this job wherever it is',
    icon: cancelIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: { jobId: { type: 'string', description: 'The job.' } },
        required: ['jobId']
      }
    },
    isEnabled: args => {
      const job = given(args);
      return !job || isActive(job);
    },
    execute: async args => {
      const job = given(args);
      if (job && !isActive(job)) {
        return;
      }
      try {
        await model.api.cancel(String(args.jobId));
      } catch (error) {
        const next = error instanceof RelayError ? error.next : '';
        const message = error instanceof Error ? error.message : String(error);
        await showErrorMessage('The job could not be cancelled', [message, next].filter(Boolean).join('\n'));
      }
    }
  });
}

/** Where the settings want it, unless the user has put it somewhere by hand. */
function moveTo(app: JupyterFrontEnd, panel: CumulusPanel, side: string): void {
  if (panel.parent && side !== panel.side) {
    const shown = panel.isVisible;
    app.shell.add(panel, side, { rank: RANK, type: 'Cumulus' });
    panel.side = side;
    if (shown) {
      app.shell.activateById(panel.id);
    }
  }
}
