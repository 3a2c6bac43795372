/** The logs' plugin: opens tabs, and brings them back when the page is loaded again. */

import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  Clipboard,
  ICommandPalette,
  InputDialog,
  showErrorMessage,
  WidgetTracker
} from '@jupyterlab/apputils';

import { RelayError } from './api';
import { logIcon } from './icons';
import { LogTab, type LogActions } from './log_view';
import { IRelayModel } from './model';
import { COMMANDS } from './panel/commands';
import { jobName } from './words';

const NAMESPACE = 'cumulus-lab-log';

export const logPlugin: JupyterFrontEndPlugin<void> = {
  id: 'cumulus-lab:log',
  description: "Shows a job's log in a tab.",
  autoStart: true,
  requires: [IRelayModel],
  optional: [ILabShell, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    model: IRelayModel,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ): void => {
    const tracker = new WidgetTracker<LogTab>({ namespace: NAMESPACE });
    const actions = wholeLogActions(model);
    const open = (jobId: string): LogTab => {
      let tab = tracker.find(each => each.jobId === jobId);
      if (!tab) {
        tab = new LogTab(model, jobId, app.commands, actions);
        void tracker.add(tab);
      }
      if (!tab.isAttached) {
        // Notebook 7 shows one document, and has room for more below it.
        const beside = tracker.find(each => each.isAttached && each !== tab);
        const below = { mode: 'split-bottom' } as const;
        const options = beside ? ({ mode: 'tab-after', ref: beside.id } as const) : below;
        app.shell.add(tab, labShell ? 'main' : 'down', labShell ? options : {});
      }
      app.shell.activateById(tab.id);
      return tab;
    };
    app.commands.addCommand(COMMANDS.openLog, {
      label: args => (args.jobId ? 'Open Log' : 'Open the Log of a Cumulus Job…'),
      caption: 'Show what a job has written, from its beginning to now',
      icon: logIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: { jobId: { type: 'string', description: 'The job; asked for where it is not given.' } }
        }
      },
      execute: async args => {
        const jobId = String(args.jobId ?? '') || (await askForJob(model));
        return jobId ? open(jobId) : undefined;
      }
    });
    palette?.addItem({ command: COMMANDS.openLog, category: 'Cumulus' });
    if (restorer) {
      void restorer.restore(tracker, {
        command: COMMANDS.openLog,
        args: tab => ({ jobId: tab.jobId }),
        name: tab => tab.jobId
      });
    }
  }
};

async function askForJob(model: IRelayModel): Promise<string> {
  // The model's list may be another one by the time that one is picked.
  const { jobs } = model;
  const items = jobs.map(job => `${jobName(job)} (${job.id})`);
  const result = await InputDialog.getItem({ title: 'Whose log?', label: 'Job', items, okLabel: 'Open' });
  const index = result.button.accept && result.value ? items.indexOf(result.value) : -1;
  return jobs[index]?.id ?? '';
}

function wholeLogActions(model: IRelayModel): LogActions {
  const withLog = async (jobId: string, use: (text: string) => void) => {
    try {
      use(await model.api.wholeLog(jobId));
    } catch (error) {
      const next = error instanceof RelayError ? error.next : '';
      const message = error instanceof Error ? error.message : String(error);
      await showErrorMessage('The log could not be read', [message, next].filter(Boolean).join('\n'));
    }
  };
  return {
    copy: jobId => void withLog(jobId, text => Clipboard.copyToSystem(text)),
    download: (jobId, name) =>
      void withLog(jobId, text => {
        const link = document.createElement('a');
        link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
        link.download = `${name.replace(/[^\w.-]+/g, '-')}-${jobId}.log`;
        link.click();
        URL.revokeObjectURL(link.href);
      })
  };
}
