/** The display of a job in a cell: its MIME type, and what stands in it. */

import type { IMimeBundle, IOutput } from '@jupyterlab/nbformat';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

export const JOB_MIME = 'application/vnd.cumulus.job+json';
export const WIDGET_MIME = 'application/vnd.jupyter.widget-view+json';

/** What a job's display says of it. */
export interface JobReference {
  job_id: string;
  /** The relay that has it; empty where that was not known. */
  relay_id: string;
  /** True: the job has ended, and nothing is to be drawn live. */
  final: boolean;
  /** True: the cell's output was cut short, and goes on in the log. */
  log_only: boolean;
}

/** The reference in a MIME bundle; `null` where there is none that can be read. */
export function referenceIn(data: ReadonlyPartialJSONObject | IMimeBundle): JobReference | null {
  const found = data[JOB_MIME];
  if (found === null || typeof found !== 'object' || Array.isArray(found)) {
    return null;
  }
  const { job_id, relay_id, final, log_only } = found as Partial<JobReference>;
  if (typeof job_id !== 'string' || job_id === '') {
    return null;
  }
  return {
    job_id,
    relay_id: typeof relay_id === 'string' ? relay_id : '',
    final: final === true,
    log_only: log_only === true
  };
}

/** The jobs whose unfinished display is among a cell's outputs. */
export function unfinishedIn(outputs: readonly IOutput[]): string[] {
  return outputs.flatMap(output => {
    const data = output['data'];
    const found = data && typeof data === 'object' ? referenceIn(data as IMimeBundle) : null;
    return found && !found.final ? [found.job_id] : [];
  });
}
