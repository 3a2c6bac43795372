/** One job of the list. */

import type { CommandRegistry } from '@lumino/commands';
import { memo } from 'react';

import { Picture, type Shape } from '../icons';
import type { JobView, Progress } from '../wire';
import { elapsed, firstLine, isActive, jobName, memory, shareOf, stateWord, trimmed } from '../words';
import { useNow } from './clock';
import { COMMANDS } from './commands';
import { jobShape, StateIcon } from './state_icon';

interface RowProps {
  job: JobView;
  commands: CommandRegistry;
  /** The one row of the list that Tab reaches. */
  current: boolean;
  onCurrent(id: string): void;
}

/** Drawn anew only where its job has changed. */
export const JobRow = memo(function JobRow(props: RowProps): JSX.Element {
  const { job, current, onCurrent, commands } = props;
  const name = jobName(job);
  const failure = job.state === 'FAILED' ? job.error : null;
  const reason = reasonOf(job);
  return (
    <li
      className={`cumulus-lab-job ${isActive(job) ? '' : 'cumulus-lab-mod-ended'}`}
      data-job-id={job.id}
      data-state={job.state}
      tabIndex={current ? 0 : -1}
      aria-label={[name, stateWord(job), job.worker && `on ${job.worker}`].filter(Boolean).join(', ')}
      aria-keyshortcuts={isActive(job) ? 'Enter Delete' : 'Enter'}
      onFocus={() => onCurrent(job.id)}
      onDoubleClick={() => void commands.execute(COMMANDS.openLog, { jobId: job.id })}
    >
      <StateIcon shape={jobShape(job)} />
      <div className="cumulus-lab-job-body">
        <div className="cumulus-lab-job-head">
          <span className="cumulus-lab-job-name" dir="auto" title={tip(job)}>
            {name}
          </span>
          <Elapsed job={job} />
          <Actions job={job} name={name} commands={commands} reachable={current} />
        </div>
        <div className="cumulus-lab-job-facts" title={job.share}>
          <span className="cumulus-lab-job-state">{stateWord(job)}</span>
          {factsOf(job).map((fact, index) => (
            <span key={index}>{fact}</span>
          ))}
        </div>
        {reason && <div className="cumulus-lab-job-reason">{reason}</div>}
        {job.progress && job.state === 'RUNNING' && <Bar progress={job.progress} name={name} />}
        {failure && (
          <div className="cumulus-lab-job-error">
            <span title={failure.message}>{firstLine(failure.message)}</span>
            {failure.next && <span className="cumulus-lab-next">{failure.next}</span>}
          </div>
        )}
      </div>
    </li>
  );
});

function Elapsed({ job }: { job: JobView }): JSX.Element {
  return <span className="cumulus-lab-job-elapsed">{elapsed(job, useNow(isActive(job)))}</span>;
}

interface ActionsProps {
  job: JobView;
  name: string;
  commands: CommandRegistry;
  /** Whether Tab comes to them. */
  reachable: boolean;
}

function Actions(props: ActionsProps): JSX.Element {
  const { job, name, commands } = props;
  const actions: [string, string, Shape][] = [];
  // It goes once it is pressed: were it not the first, another would come under the pointer.
  if (isActive(job) && !job.cancel_requested) {
    actions.push([COMMANDS.cancel, 'Cancel', 'cancel']);
  }
  actions.push([COMMANDS.openLog, 'Log', 'log']);
  if (job.origin?.cell && commands.hasCommand(COMMANDS.goToCell)) {
    actions.push([COMMANDS.goToCell, 'Go to cell', 'toCell']);
  }
  if (job.origin?.notebook && commands.hasCommand(COMMANDS.attach)) {
    actions.push([COMMANDS.attach, 'Attach in a new cell', 'attach']);
  }
  return (
    <span className="cumulus-lab-job-actions">
      {actions.map(([command, label, shape]) => (
        <button
          key={command}
          type="button"
          className="cumulus-lab-icon-button"
          title={label}
          aria-label={`${label}: ${name}`}
          tabIndex={props.reachable ? 0 : -1}
          onClick={() => void commands.execute(command, { jobId: job.id })}
        >
          <Picture shape={shape} />
        </button>
      ))}
    </span>
  );
}

/** How far it has come; without a total there is nothing to draw, only to say. */
function Bar({ progress, name }: { progress: Progress; name: string }): JSX.Element {
  const { done, label, total, unit } = progress;
  const percent = total ? Math.min(100, Math.floor((100 * done) / total)) : null;
  const amount = `${trimmed(done)}${total ? ` of ${trimmed(total)}` : ''} ${unit}`.trim();
  return (
    <div className="cumulus-lab-progress">
      {percent !== null && (
        <div
          className="cumulus-lab-bar"
          role="progressbar"
          aria-label={`Progress of ${name}`}
          aria-valuenow={percent}
          aria-valuetext={`${percent} %, ${amount}`}
        >
          <div style={{ width: `${percent}%` }} />
        </div>
      )}
      <span>{[percent !== null && `${percent} %`, amount, label].filter(Boolean).join(' · ')}</span>
    </div>
  );
}

function factsOf(job: JobView): string[] {
  const facts: string[] = [];
  if (job.worker && job.state !== 'QUEUED') {
    facts.push(`on ${job.worker}`);
  }
  if (isActive(job)) {
    facts.push(...job.devices.map(shareOf));
  }
  if (job.state === 'RUNNING' && job.usage?.memory_bytes) {
    facts.push(memory(job.usage.memory_bytes / 2 ** 20));
  }
  if (job.state === 'RUNNING' && typeof job.usage?.gpu_percent === 'number') {
    facts.push(`GPU at ${Math.round(job.usage.gpu_percent)} %`);
  }
  return facts;
}

/** Why it waits, or what goes on before it runs; what is said elsewhere in the row is left out. */
function reasonOf(job: JobView): string {
  return isActive(job) && job.state !== 'RUNNING' && job.message !== job.share ? job.message : '';
}

function tip(job: JobView): string {
  const lines = [jobName(job), job.id, `since ${new Date(job.created_ms).toLocaleString()}`];
  if (job.origin?.notebook) {
    lines.push(job.origin.notebook);
  }
  lines.push(...Object.entries(job.labels).map(([label, value]) => `${label}=${value}`));
  return [...new Set(lines)].join('\n');
}
