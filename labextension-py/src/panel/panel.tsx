/** The sidebar: jobs, workers and the relay, in sections that open and close. */

import {
  addIcon,
  PanelWithToolbar,
  ReactWidget,
  refreshIcon,
  SidePanel,
  ToolbarButton,
  UseSignal
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { Signal, type ISignal } from '@lumino/signaling';
import type { AccordionPanel, Widget } from '@lumino/widgets';

import { cloudIcon } from '../icons';
import type { IRelayModel } from '../model';
import { jobName } from '../words';
import { COMMANDS } from './commands';
import { Jobs } from './jobs';
import { Away, Relay } from './relay';
import { Workers } from './workers';

export const PANEL_ID = 'cumulus-lab-panel';

/** What the settings say of the panel. */
export interface PanelSettings {
  /** Ended jobs that are shown unasked. */
  finishedJobs: number;
}

export class CumulusPanel extends SidePanel {
  constructor(model: IRelayModel, commands: CommandRegistry) {
    super();
    this.id = PANEL_ID;
    this.title.icon = cloudIcon;
    this.title.caption = 'Cumulus: jobs and workers';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Cumulus');
    this.addClass('cumulus-lab-panel');
    const retry = () => void commands.execute(COMMANDS.refresh);
    const addWorker = () => void commands.execute(COMMANDS.addWorker);
    const nameOf = (id: string) => {
      const job = model.job(id);
      return job ? jobName(job) : id;
    };

    this.addSection('Jobs', model, [[refreshIcon, 'Refresh', retry]], () => (
      <>
        <Away place={model.place} live={model.live} nextTryMs={model.nextTryMs} retry={retry} />
        <UseSignal signal={this.settingsChanged}>
          {() => (
            <Jobs
              jobs={model.jobs}
              commands={commands}
              ended={this.shownSettings.finishedJobs}
              known={model.live}
            />
          )}
        </UseSignal>
      </>
    ));
    this.addSection('Workers', model, [[addIcon, 'Add worker…', addWorker]], () => (
      <Workers workers={model.workers} known={model.live} jobName={nameOf} addWorker={addWorker} />
    ));
    this.addSection('Relay', model, [], () => (
      <Relay place={model.place} live={model.live} nextTryMs={model.nextTryMs} retry={retry} />
    ));
  }

  /** Share the height out once there is one: a page that is loaded with the panel open lays it out before. */
  protected onResize(msg: Widget.ResizeMessage): void {
    super.onResize(msg);
    if (!this.sharedOut && msg.height > 0) {
      this.sharedOut = true;
      (this.content as AccordionPanel).setRelativeSizes([6, 5, 2]);
    }
  }

  /** The side of the window that the settings have put it on. */
  side = 'left';

  set settings(settings: PanelSettings) {
    this.shownSettings = settings;
    this.settingsChange.emit();
  }

  private get settingsChanged(): ISignal<this, void> {
    return this.settingsChange;
  }

  private addSection(
    label: string,
    model: IRelayModel,
    buttons: [typeof addIcon, string, () => void][],
    render: () => JSX.Element
  ): void {
    const body = ReactWidget.create(<UseSignal signal={model.changed}>{render}</UseSignal>);
    body.addClass('cumulus-lab-section-body');
    const section = new PanelWithToolbar();
    section.addClass('cumulus-lab-section');
    section.title.label = label;
    section.addWidget(body);
    for (const [icon, tooltip, onClick] of buttons) {
      section.toolbar.addItem(tooltip, new ToolbarButton({ icon, tooltip, onClick }));
    }
    this.addWidget(section);
  }

  private sharedOut = false;
  private shownSettings: PanelSettings = { finishedJobs: 50 };
  private readonly settingsChange = new Signal<this, void>(this);
}
