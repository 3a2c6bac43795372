/** Which jobs a list shows: words, quick groups, and not more ended ones than are wanted. */

import type { JobView } from '../wire';
import { isActive, jobName, stateWord } from '../words';

export const GROUPS = ['running', 'waiting', 'failed', 'done', 'cancelled'] as const;
export type Group = (typeof GROUPS)[number];

export function groupOf(job: JobView): Group {
  switch (job.state) {
    case 'COMPLETED':
      return 'done';
    case 'CANCELLED':
      return 'cancelled';
    case 'FAILED':
      return 'failed';
    case 'RUNNING':
      return 'running';
    default:
      return 'waiting';
  }
}

export function countGroups(jobs: readonly JobView[]): Record<Group, number> {
  const counts = { running: 0, waiting: 0, failed: 0, done: 0, cancelled: 0 };
  for (const job of jobs) {
    counts[groupOf(job)]++;
  }
  return counts;
}

export interface Choice {
  words: string;
  /** Empty: all. */
  groups: ReadonlySet<Group>;
  /** Ended jobs that are shown at most. */
  ended: number;
}

/** Those that have every word in their name, state, worker or labels, and are of a group that was chosen. */
export function chosen(jobs: readonly JobView[], choice: Choice): JobView[] {
  const words = choice.words.toLowerCase().split(/\s+/).filter(Boolean);
  let ended = 0;
  return jobs.filter(job => {
    if (choice.groups.size && !choice.groups.has(groupOf(job))) {
      return false;
    }
    if (words.length) {
      const text = described(job);
      if (!words.every(word => text.includes(word))) {
        return false;
      }
    }
    return isActive(job) || ++ended <= choice.ended;
  });
}

function described(job: JobView): string {
  const labels = Object.entries(job.labels).map(([name, value]) => `${name}=${value}`);
  const notebook = job.origin?.notebook ?? '';
  return [jobName(job), job.id, stateWord(job), groupOf(job), job.worker, notebook, ...labels]
    .join(' ')
    .toLowerCase();
}
