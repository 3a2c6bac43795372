/** Whether a cell needs to be painted from the relay: only where its outputs have been lost, and never else. */

import type { IOutput } from '@jupyterlab/nbformat';

import { END_STATES, type JobView } from '../wire';
import { unfinishedIn } from './job_mime';

export interface CellFacts {
  readonly source: string;
  readonly outputs: readonly IOutput[];
  /** When the notebook was saved as it was read by this page; 0 where that is not known. */
  readonly savedMs: number;
}

/** A cell that is shorter shows no card, and one that the kernel has just begun is not lost. */
export const QUICK_MS = 500;

export function needsRepaint(job: JobView, cell: CellFacts): boolean {
  const unfinished = unfinishedIn(cell.outputs).includes(job.id);
  if (!unfinished && !showsItsJob(cell.source)) {
    return false;
  }
  if (!END_STATES.has(job.state)) {
    return true;
  }
  // A cell that is empty in a notebook saved after the end was emptied by somebody, or had nothing to show.
  return unfinished || (cell.outputs.length === 0 && cell.savedMs < (job.ended_ms ?? 0));
}

/** Whether a cell's outputs are those of the job it submits. */
export function showsItsJob(source: string): boolean {
  const first = source.split('\n').find(line => line.trim() !== '') ?? '';
  return /^%%cumulus(\s|$)/.test(first) && !/\s--(detach|quiet|dry-run|help)(=|\s|$)/.test(first);
}
