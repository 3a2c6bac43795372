/** A job as the relay tells it, in the words of the card. */

import type { JobSnapshot } from '../../../cumulus_jupyter/view/front/card.js';
import { END_STATES, type JobView } from '../wire';

/** `note`: what the page has to say instead of the state. */
export function snapshotOf(job: JobView, note = '', logOnly = false): JobSnapshot {
  const { progress, usage } = job;
  const ending = job.cancel_requested && !END_STATES.has(job.state) ? 'cancelling' : '';
  return {
    id: job.id,
    name: job.name,
    state: job.state,
    message: job.message,
    position: job.position,
    worker: job.worker,
    share: job.share ?? '',
    created_ms: job.created_ms,
    started_ms: job.started_ms,
    ended_ms: job.ended_ms,
    duration_s: job.resources.duration_s,
    progress: progress && {
      label: progress.label,
      done: progress.done,
      total: progress.total,
      unit: progress.unit
    },
    memory_bytes: usage?.memory_bytes ?? null,
    gpu_percent: usage?.gpu_percent ?? null,
    gpu_memory_bytes: usage?.gpu_memory_bytes ?? null,
    note: note || ending,
    error: job.error && { message: job.error.message, next: job.error.next },
    log_lines: null,
    log_only: logOnly
  };
}
