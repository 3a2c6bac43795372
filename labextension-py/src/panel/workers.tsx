/** The section of the workers: what each has, what of it is taken, and by whom. */

import { memo, useRef, useState, type KeyboardEvent } from 'react';

import type { WorkerView } from '../wire';
import { enforcedWords, memory, trimmed, workerWord } from '../words';
import { GpuBar } from './gpu_bar';
import { moveFocus, TextButton } from './jobs';
import { StateIcon } from './state_icon';

interface WorkersProps {
  workers: readonly WorkerView[];
  known: boolean;
  jobName(id: string): string;
  addWorker(): void;
}

export function Workers({ workers, known, jobName, addWorker }: WorkersProps): JSX.Element {
  const list = useRef<HTMLUListElement>(null);
  const [chosen, setCurrent] = useState('');
  if (!workers.length) {
    return (
      <p className="cumulus-lab-empty">
        {known ? 'No workers. ' : 'Looking…'}
        {known && <TextButton onClick={addWorker}>Add one…</TextButton>}
      </p>
    );
  }
  const current = workers.some(worker => worker.id === chosen) ? chosen : workers[0].id;
  const onKey = (event: KeyboardEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>('[data-worker-id]');
    if (row && moveFocus(list.current, row, event.key)) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  return (
    <ul className="cumulus-lab-list" role="list" aria-label="Workers" ref={list} onKeyDown={onKey}>
      {workers.map(worker => (
        <Worker
          key={worker.id}
          worker={worker}
          jobName={jobName}
          current={worker.id === current}
          onCurrent={setCurrent}
        />
      ))}
    </ul>
  );
}

const Worker = memo(function Worker(props: {
  worker: WorkerView;
  jobName(id: string): string;
  current: boolean;
  onCurrent(id: string): void;
}): JSX.Element {
  const { worker, jobName, current, onCurrent } = props;
  const down = worker.state === 'down';
  return (
    <li
      className={`cumulus-lab-worker ${down ? 'cumulus-lab-mod-down' : ''}`}
      data-worker-id={worker.id}
      data-state={worker.state}
      tabIndex={current ? 0 : -1}
      aria-label={`${worker.id}, ${workerWord(worker)}`}
      onFocus={() => onCurrent(worker.id)}
    >
      <div className="cumulus-lab-worker-head">
        <StateIcon shape={down ? 'down' : 'ready'} />
        <span className="cumulus-lab-worker-name" title={worker.id}>
          {worker.id}
        </span>
        <span className="cumulus-lab-tag">{worker.executor}</span>
        <span className="cumulus-lab-worker-state">{workerWord(worker)}</span>
      </div>
      {worker.message && (
        <div className={down ? 'cumulus-lab-worker-error' : 'cumulus-lab-job-reason'}>{worker.message}</div>
      )}
      {worker.devices.map((device, index) => (
        <GpuBar
          key={device.id}
          device={device}
          number={worker.devices.length > 1 ? index : null}
          jobName={jobName}
        />
      ))}
      {heldWords(worker).map(words => (
        <div key={words} className="cumulus-lab-gpu-words">
          {words}
        </div>
      ))}
      {!down && (
        <div className="cumulus-lab-meters">
          <Meter
            label="CPU"
            used={worker.used_cpu}
            of={worker.cpu}
            words={`${trimmed(worker.used_cpu)} of ${trimmed(worker.cpu)}`}
          />
          <Meter
            label="Memory"
            used={worker.used_memory_mib}
            of={worker.memory_mib}
            words={amounts(worker.used_memory_mib, worker.memory_mib)}
          />
        </div>
      )}
    </li>
  );
});

/** What holds jobs to their shares here: once where it is the same for all GPUs. */
function heldWords(worker: WorkerView): string[] {
  const held = worker.devices.map(enforcedWords);
  const different = new Set(held);
  if (different.size === 1) {
    return held.slice(0, 1).filter(Boolean);
  }
  return held.map((words, index) => words && `GPU ${index}: ${words}`).filter(Boolean);
}

/** What jobs have asked for, of what there is. */
function Meter(props: { label: string; used: number; of: number; words: string }): JSX.Element {
  const percent = props.of > 0 ? Math.min(100, Math.max(0, Math.round((100 * props.used) / props.of))) : 0;
  return (
    <div className="cumulus-lab-meter" title={`${props.label} that jobs here have asked for`}>
      <span>{props.label}</span>
      <div
        className="cumulus-lab-bar"
        role="meter"
        aria-label={props.label}
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuetext={props.words}
      >
        <div style={{ width: `${percent}%` }} />
      </div>
      <span>{props.words}</span>
    </div>
  );
}

/** "1.5 of 15.8 GiB": the unit once where it is the same. */
function amounts(used: number, of: number): string {
  if (used <= 0) {
    return `0 of ${memory(of)}`;
  }
  const [first, second] = [memory(used), memory(of)];
  const unit = second.slice(second.lastIndexOf(' '));
  return `${first.endsWith(unit) ? first.slice(0, -unit.length) : first} of ${second}`;
}
