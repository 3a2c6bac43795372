/** Jobs, workers and amounts in words; the same words as the terminal's. */

import { END_STATES, type DeviceView, type JobView, type State, type WorkerView } from './wire';

const STATES: Record<State, string> = {
  QUEUED: 'queued',
  SCHEDULING: 'starting',
  CREATING_PARTITION: 'preparing the GPU share',
  RUNNING: 'running',
  COMPLETED: 'done',
  FAILED: 'failed',
  CANCELLED: 'cancelled'
};

export function isActive(job: JobView): boolean {
  return !END_STATES.has(job.state);
}

/** A job's state as people call it. */
export function stateWord(job: JobView): string {
  if (isActive(job) && job.cancel_requested) {
    return 'cancelling';
  }
  if (job.state === 'QUEUED' && job.position !== null) {
    return job.position === 1 ? 'next in the queue' : `queued, place ${job.position}`;
  }
  return STATES[job.state] ?? job.state.toLowerCase();
}

/** What people call a job that nobody has named. */
export function jobName(job: JobView): string {
  return job.name || job.id;
}

/** As much of a text as there is room for in a tab. */
export function shortened(text: string, length = 14): string {
  return text.length > length ? `${text.slice(0, length - 1).trimEnd()}…` : text;
}

/** Seconds as a clock: "8.5 s" is "8 s", then "1:05", "2:03:04". */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) {
    return `${seconds} s`;
  }
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** How long a job has run, or waited where it has not begun. */
export function elapsed(job: JobView, now: number): string {
  const ended = job.ended_ms ?? (isActive(job) ? now : job.created_ms);
  return clock(ended - (job.started_ms ?? job.created_ms));
}

/** MiB as a short amount: "512 MiB", "15.8 GiB". */
export function memory(mib: number): string {
  return mib < 1024 ? `${Math.round(mib)} MiB` : `${trimmed(mib / 1024)} GiB`;
}

/** At most one digit behind the point. */
export function trimmed(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** The first line of what ended a job. */
export function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0];
}

export function deviceName(device: DeviceView): string {
  return device.name || device.id;
}

/** What a job has of a device, for a line that has little room: "0.5 of NVIDIA L4". */
export function shareOf(device: DeviceView): string {
  const part = device.used_tenths > 0 && device.used_tenths < 10 ? `${device.used_tenths / 10} of ` : '';
  return part + deviceName(device);
}

const ENFORCED: Record<string, string> = {
  mps: 'MPS holds each job to its share.',
  mig: 'MIG gives each job a slice of its own.',
  framework: 'torch, jax and tensorflow keep to a share; other code need not.',
  none: 'Nothing holds a job to its share: it is a booking only.'
};

/** What holds jobs to their shares of this device. */
export function enforcedWords(device: DeviceView): string {
  const by = device.enforced_by;
  return ENFORCED[by] ?? (by ? `Shares are held by ${by}.` : '');
}

/** "1 job", "3 jobs". */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

export function workerWord(worker: WorkerView): string {
  if (worker.state === 'down') {
    return 'down';
  }
  return worker.jobs.length ? counted(worker.jobs.length, 'job') : 'idle';
}
