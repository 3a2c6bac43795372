/** What notebooks have of Cumulus: cards in cells, cells that survive the page, a menu over the cell. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, ISessionContextDialogs, Notification } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { RelayError } from '../api';
import { IRelayModel } from '../model';
import { Claims } from './claims';
import { JobPlaces } from './go_to';
import { JOB_MIME } from './job_mime';
import { EndNotifier } from './notify';
import { PageRuns } from './page_runs';
import { isCodeCell } from './places';
import { JobRenderer, RANK } from './renderer';
import { Repainter } from './repaint';
import { runOn } from './run_on';
import { runOnIcon } from './run_on_icon';
import { NotebookSettings } from './settings';

export const COMMANDS = {
  runOn: 'cumulus:run-on',
  goToCell: 'cumulus:go-to-cell',
  attach: 'cumulus:attach',
  openLog: 'cumulus:open-log'
} as const;
const PLUGIN = 'cumulus-lab:notebook';
const JOB_ARGUMENT = { type: 'object', properties: { jobId: { type: 'string', description: 'The job.' } } } as const;

export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: 'Draws jobs in the cells they came from, and runs cells elsewhere.',
  autoStart: true,
  requires: [IRelayModel, INotebookTracker, IRenderMimeRegistry],
  optional: [ISettingRegistry, ICommandPalette, ISessionContextDialogs],
  activate: (
    app: JupyterFrontEnd,
    relay: IRelayModel,
    tracker: INotebookTracker,
    rendermime: IRenderMimeRegistry,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null,
    dialogs: ISessionContextDialogs | null
  ): void => {
    const settings = new NotebookSettings(registry, PLUGIN);
    const places = new JobPlaces(app, tracker, relay);
    addRenderer(app, relay, tracker, rendermime);
    addCommands(app, relay, tracker, settings, places, dialogs ?? undefined);
    palette?.addItem({ command: COMMANDS.runOn, category: 'Cumulus' });
    const runs = new PageRuns(tracker);
    const { serverSettings, contents } = app.serviceManager;
    new Repainter(tracker, relay, runs, new Claims(serverSettings.baseUrl), contents);
    new EndNotifier(relay, tracker, {
      afterS: () => settings.notifyAfterS,
      goTo: jobId => void places.goTo(jobId)
    });
  }
};

function addRenderer(
  app: JupyterFrontEnd,
  relay: IRelayModel,
  tracker: INotebookTracker,
  rendermime: IRenderMimeRegistry
): void {
  const context = {
    relay,
    rendermimeFor: (resolver: unknown) =>
      tracker.find(panel => panel.content.rendermime.resolver === resolver)?.content.rendermime ?? rendermime,
    openLog: (job: { id: string }) => void app.commands.execute(COMMANDS.openLog, { jobId: job.id }),
    canOpenLog: () => app.commands.hasCommand(COMMANDS.openLog),
    complain
  };
  rendermime.addFactory(
    { safe: true, mimeTypes: [JOB_MIME], createRenderer: options => new JobRenderer(options, context) },
    RANK
  );
}

function addCommands(
  app: JupyterFrontEnd,
  relay: IRelayModel,
  tracker: INotebookTracker,
  settings: NotebookSettings,
  places: JobPlaces,
  dialogs: ISessionContextDialogs | undefined
): void {
  const { commands } = app;
  const hasCell = () => {
    const cell = tracker.currentWidget?.content.activeCell;
    return !!cell && isCodeCell(cell);
  };
  commands.addCommand(COMMANDS.runOn, {
    label: args => (args['toolbar'] ? '' : 'Run This Cell on…'),
    caption: 'Run this cell on a worker: pick a share of a GPU',
    icon: runOnIcon,
    isEnabled: hasCell,
    isVisible: args => !args['toolbar'] || hasCell(),
    describedBy: { args: { type: 'object', properties: {} } },
    execute: async () => {
      const panel = tracker.currentWidget;
      if (panel) {
        await runOn(panel, { relay, runs: settings.runs, dialogs });
      }
    }
  });
  tracker.activeCellChanged.connect(() => commands.notifyCommandChanged(COMMANDS.runOn));
  commands.addCommand(COMMANDS.goToCell, {
    label: 'Go to Cell of Job',
    describedBy: { args: JOB_ARGUMENT },
    execute: args => places.goTo(jobIn(args))
  });
  commands.addCommand(COMMANDS.attach, {
    label: 'Attach Job in a New Cell',
    describedBy: { args: JOB_ARGUMENT },
    execute: args => places.attach(jobIn(args))
  });
}

function jobIn(args: ReadonlyPartialJSONObject): string {
  return String(args['jobId'] ?? '');
}

function complain(error: unknown, doing: string): void {
  const why = error instanceof RelayError ? [error.message, error.next] : [String(error)];
  Notification.error([`${doing}:`, ...why.filter(Boolean)].join(' '), { autoClose: false });
}
