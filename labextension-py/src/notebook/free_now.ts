/** What the workers could give a job at this moment, in words. */

import type { WorkerView } from '../wire';

/** Tenths of a whole device. */
const WHOLE = 10;
/** The smallest parts of a GPU that can be asked for, in tenths. */
export const SHARES = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
export const CPU_ONLY = 0;

export interface Availability {
  /** True: a job that asks for this would start at once. */
  readonly free: boolean;
  /** Where it would start, or why it would not. */
  readonly words: string;
}

/** The most whole GPUs that one worker has. */
export function mostGpus(workers: readonly WorkerView[]): number {
  return Math.max(0, ...ready(workers).map(worker => worker.devices.length));
}

/** Whether these tenths of a GPU could be had now; whole devices are tens, none is the CPU alone. */
export function availability(workers: readonly WorkerView[], tenths: number): Availability {
  const able = ready(workers).filter(worker => worker.devices.length * WHOLE >= tenths);
  if (able.length === 0) {
    const words = tenths === CPU_ONLY ? 'waits: no worker is ready' : 'waits: no worker has so much';
    return { free: false, words };
  }
  const found = able.find(worker => hasSlot(worker) && hasRoom(worker, tenths));
  if (found) {
    return { free: true, words: `free now on ${found.id}` };
  }
  return { free: false, words: tenths === CPU_ONLY ? 'waits: every worker is busy' : 'waits: taken by other jobs' };
}

function ready(workers: readonly WorkerView[]): WorkerView[] {
  return workers.filter(worker => worker.state === 'ready');
}

function hasSlot(worker: WorkerView): boolean {
  return worker.slots <= 0 || worker.jobs.length < worker.slots;
}

function hasRoom(worker: WorkerView, tenths: number): boolean {
  if (tenths === CPU_ONLY) {
    return true;
  }
  if (tenths < WHOLE) {
    return worker.devices.some(device => device.used_tenths + tenths <= WHOLE);
  }
  return worker.devices.filter(device => device.used_tenths === 0).length * WHOLE >= tenths;
}

/** An amount as the magic takes it: "0.5", "2". */
export function gpuAmount(tenths: number): string {
  return tenths < WHOLE ? `0.${tenths}` : String(Math.round(tenths / WHOLE));
}

/** An amount as people wrote it, in tenths; `null` where it is none that the menu has. */
export function tenthsOf(amount: string | null): number | null {
  if (amount === null || amount.toLowerCase() === 'none') {
    return CPU_ONLY;
  }
  const tenths = Math.round(Number(amount) * WHOLE);
  return tenths > 0 && (tenths < WHOLE || tenths % WHOLE === 0) ? tenths : null;
}
