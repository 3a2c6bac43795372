/** The section of the jobs: a filter, and the list that keys move through. */

import { InputGroup } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { useDeferredValue, useRef, useState, type KeyboardEvent } from 'react';

import type { JobView } from '../wire';
import { counted } from '../words';
import { COMMANDS } from './commands';
import { chosen, countGroups, GROUPS, type Group } from './job_filter';
import { JobRow } from './job_row';
import { StateIcon } from './state_icon';

const SHAPES = {
  running: 'running',
  waiting: 'queued',
  failed: 'failed',
  done: 'done',
  cancelled: 'cancelled'
} as const;
/** What "Show more" adds. */
const MORE = 50;

interface JobsProps {
  jobs: readonly JobView[];
  commands: CommandRegistry;
  /** Ended jobs that are shown unasked. */
  ended: number;
  /** False: nothing has been read yet. */
  known: boolean;
}

export function Jobs({ jobs, commands, ended, known }: JobsProps): JSX.Element {
  const [words, setWords] = useState('');
  const [groups, setGroups] = useState<ReadonlySet<Group>>(new Set());
  const [more, setMore] = useState(0);
  const settledWords = useDeferredValue(words);
  if (!jobs.length) {
    return known ? <NoJobs /> : <p className="cumulus-lab-empty">Looking…</p>;
  }
  const choice = { words: settledWords, groups, ended: ended + more };
  const shown = chosen(jobs, choice);
  const all = chosen(jobs, { ...choice, ended: Infinity }).length;
  const clear = () => {
    setWords('');
    setGroups(new Set());
  };
  return (
    <>
      <div className="cumulus-lab-filters">
        <InputGroup
          className="cumulus-lab-filter"
          type="search"
          aria-label="Filter jobs by name, state, worker or label"
          placeholder="Name, state, worker or label"
          rightIcon="ui-components:search"
          value={words}
          onChange={event => setWords(event.currentTarget.value)}
        />
        <Chips jobs={jobs} groups={groups} onChange={setGroups} />
      </div>
      <JobList jobs={shown} commands={commands} />
      {!shown.length && (
        <p className="cumulus-lab-empty">
          No job is like that. <TextButton onClick={clear}>Show all</TextButton>
        </p>
      )}
      {all > shown.length && (
        <p className="cumulus-lab-more">
          {counted(all - shown.length, 'older job')} not shown.{' '}
          <TextButton onClick={() => setMore(more + MORE)}>Show more</TextButton>
        </p>
      )}
    </>
  );
}

function JobList({ jobs, commands }: { jobs: readonly JobView[]; commands: CommandRegistry }): JSX.Element {
  const list = useRef<HTMLUListElement>(null);
  const [chosenId, setCurrent] = useState('');
  const current = jobs.some(job => job.id === chosenId) ? chosenId : jobs[0]?.id;

  const onKey = (event: KeyboardEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>('[data-job-id]');
    const job = jobs.find(each => each.id === row?.dataset.jobId);
    if (!row || !job || event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    const onRow = event.target === row;
    if (event.key === 'Enter' && onRow) {
      void commands.execute(COMMANDS.openLog, { jobId: job.id });
    } else if (event.key === 'Delete' && onRow) {
      void commands.execute(COMMANDS.cancel, { jobId: job.id });
    } else if (!moveFocus(list.current, row, event.key)) {
      return;
    }
    // Neither the page's scrolling nor JupyterLab's own keys shall see what was done here.
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <ul className="cumulus-lab-list" role="list" aria-label="Jobs" ref={list} onKeyDown={onKey}>
      {jobs.map(job => (
        <JobRow
          key={job.id}
          job={job}
          commands={commands}
          current={job.id === current}
          onCurrent={setCurrent}
        />
      ))}
    </ul>
  );
}

/** True where this key has moved the focus, or would have but for the list's end. */
export function moveFocus(list: HTMLElement | null, from: HTMLElement, key: string): boolean {
  const rows = [...(list?.children ?? [])] as HTMLElement[];
  const at = rows.indexOf(from);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[key];
  if (to === undefined) {
    return false;
  }
  rows[Math.max(0, Math.min(rows.length - 1, to))]?.focus();
  return true;
}

function Chips(props: {
  jobs: readonly JobView[];
  groups: ReadonlySet<Group>;
  onChange(groups: ReadonlySet<Group>): void;
}): JSX.Element {
  const counts = countGroups(props.jobs);
  const toggle = (group: Group) => {
    const groups = new Set(props.groups);
    if (!groups.delete(group)) {
      groups.add(group);
    }
    props.onChange(groups);
  };
  return (
    <div className="cumulus-lab-chips" role="group" aria-label="Show only">
      {GROUPS.map(group => (
        <button
          key={group}
          type="button"
          className="cumulus-lab-chip"
          title={`Only ${group} jobs`}
          aria-label={`${group}: ${counts[group]}`}
          aria-pressed={props.groups.has(group)}
          onClick={() => toggle(group)}
        >
          <StateIcon shape={SHAPES[group]} />
          <span className="cumulus-lab-chip-word">{group}</span>
          <span className="cumulus-lab-count">{counts[group]}</span>
        </button>
      ))}
    </div>
  );
}

export function TextButton(props: { onClick(): void; children: string }): JSX.Element {
  return (
    <button type="button" className="cumulus-lab-text-button" onClick={props.onClick}>
      {props.children}
    </button>
  );
}

function NoJobs(): JSX.Element {
  return (
    <div className="cumulus-lab-empty">
      <p>No jobs yet.</p>
      <p>
        Write <code>%%cumulus</code> over a cell to run it as a job, or{' '}
        <code>%%cumulus --gpu 0.5</code> to run it on half a GPU.
      </p>
      <p>
        <code>%load_ext cumulus_jupyter</code> comes first, once in a notebook.
      </p>
    </div>
  );
}
