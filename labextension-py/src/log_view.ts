/** A job's log as a tab of its own, which follows the job while it runs. */

import { MainAreaWidget } from '@jupyterlab/apputils';
import { copyIcon, downloadIcon, Toolbar, ToolbarButton, type LabIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';

import { createLogPane, type LogPane } from '../../cumulus_jupyter/view/front/card.js';
import { RelayError } from './api';
import { cancelIcon, logIcon, toCellIcon } from './icons';
import { LogFollower } from './log_follower';
import type { IRelayModel } from './model';
import { COMMANDS } from './panel/commands';
import type { JobView } from './wire';
import { elapsed, firstLine, isActive, jobName, shortened, stateWord } from './words';

/** What the toolbar does besides running commands. */
export interface LogActions {
  copy(jobId: string): void;
  download(jobId: string, name: string): void;
}

class LogBody extends Widget {
  constructor(model: IRelayModel, jobId: string) {
    super();
    this.addClass('cumulus-lab-log');
    this.says.className = 'cumulus-lab-log-says';
    this.says.setAttribute('role', 'alert');
    const job = model.job(jobId);
    const label = `Log of ${job ? jobName(job) : jobId}`;
    this.pane = createLogPane({ label, earlier: () => this.follower.earlier() });
    this.pane.element.classList.add('cumulus-fill');
    this.node.append(this.says, this.pane.element);
    this.follower = new LogFollower(model, jobId, this.pane, error => this.explain(error));
  }

  dispose(): void {
    if (!this.isDisposed) {
      this.follower.dispose();
      this.pane.dispose();
      super.dispose();
    }
  }

  protected onAfterShow(): void {
    this.follower.paused = false;
  }

  protected onBeforeHide(): void {
    this.follower.paused = true;
  }

  protected onActivateRequest(): void {
    this.pane.element.querySelector<HTMLElement>('[role="log"]')?.focus();
  }

  private explain(error: unknown): void {
    let words = '';
    if (error instanceof RelayError) {
      words = [error.message, error.next].filter(Boolean).join(' ');
    } else if (error !== null) {
      words = 'The log cannot be read now: the Jupyter server does not answer.';
    }
    if (this.says.textContent !== words) {
      this.says.textContent = words;
    }
  }

  private readonly says = document.createElement('div');
  private readonly pane: LogPane;
  private readonly follower: LogFollower;
}

/** The job's state in the toolbar; the room that buttons leave is its. */
class StateLine extends Widget {
  constructor() {
    super();
    this.node.setAttribute('role', 'status');
  }

  say(job: JobView | undefined): void {
    const words = job ? describe(job) : '';
    if (this.node.textContent !== words) {
      this.node.textContent = this.node.title = words;
      this.node.dataset.state = job?.state ?? '';
    }
  }
}

function describe(job: JobView): string {
  const parts = [stateWord(job)];
  if (job.worker && job.state !== 'QUEUED') {
    parts.push(`on ${job.worker}`);
  }
  if (!isActive(job)) {
    parts.push(elapsed(job, Date.now()));
  }
  if (job.error) {
    parts.push(firstLine(job.error.message), job.error.next);
  } else if (isActive(job) && job.state !== 'RUNNING') {
    parts.push(job.message);
  }
  return parts.filter(Boolean).join(' · ');
}

export class LogTab extends MainAreaWidget<LogBody> {
  constructor(
    private readonly model: IRelayModel,
    readonly jobId: string,
    commands: CommandRegistry,
    actions: LogActions
  ) {
    // One that folds its buttons away would count the room of the state's line as taken.
    super({ content: new LogBody(model, jobId), toolbar: new Toolbar() });
    this.id = `cumulus-lab-log-${jobId}`;
    this.title.icon = logIcon;
    this.title.closable = true;
    const add = (name: string, icon: LabIcon, tooltip: string, onClick: () => void): ToolbarButton => {
      const button = new ToolbarButton({ icon, tooltip, onClick });
      this.toolbar.addItem(name, button);
      return button;
    };
    this.state.addClass('cumulus-lab-log-state');
    this.toolbar.addItem('state', this.state);
    const run = (command: string) => () => void commands.execute(command, { jobId });
    add('copy', copyIcon, 'Copy the whole log', () => actions.copy(jobId));
    add('download', downloadIcon, 'Download the whole log', () => actions.download(jobId, this.name));
    this.toCell = add('to-cell', toCellIcon, 'Go to cell', run(COMMANDS.goToCell));
    this.cancel = add('cancel', cancelIcon, 'Cancel the job', run(COMMANDS.cancel));
    model.changed.connect(this.describe, this);
    this.describe();
  }

  dispose(): void {
    this.model.changed.disconnect(this.describe, this);
    super.dispose();
  }

  private get job(): JobView | undefined {
    return this.model.job(this.jobId) ?? this.older;
  }

  /** A job that is too old for the model's list is asked for, once. */
  private ask(): void {
    this.asked = true;
    this.model.api.job(this.jobId).then(
      job => {
        this.older = job;
        this.describe();
      },
      () => undefined // The log's own request says what is wrong.
    );
  }

  private get name(): string {
    return this.job ? jobName(this.job) : this.jobId;
  }

  private describe(): void {
    const job = this.job;
    if (!job && this.model.live && !this.asked) {
      this.ask();
    }
    this.title.label = job ? `${shortened(jobName(job))} · ${stateWord(job)}` : this.jobId;
    this.title.caption = `The log of ${this.name} (${this.jobId})`;
    this.state.say(job);
    this.cancel.setHidden(!job || !isActive(job) || job.cancel_requested);
    this.toCell.setHidden(!job?.origin?.cell);
  }

  private asked = false;
  private older: JobView | undefined;
  private readonly state = new StateLine();
  private readonly cancel: ToolbarButton;
  private readonly toCell: ToolbarButton;
}
