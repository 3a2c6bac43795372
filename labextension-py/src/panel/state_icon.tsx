/** A job's or worker's state as a small picture: each state has a shape of its own, not a colour alone. */

import type { JobView } from '../wire';
import { isActive } from '../words';

type Shape = 'queued' | 'starting' | 'running' | 'done' | 'failed' | 'cancelled' | 'ready' | 'down';

const PATHS: Record<Shape, JSX.Element> = {
  queued: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M8 5v3.2l2 1.3" />
    </>
  ),
  starting: <circle cx="8" cy="8" r="5.5" strokeDasharray="2.2 2.12" />,
  running: (
    <>
      <circle cx="8" cy="8" r="5.5" className="cumulus-lab-track" />
      <path d="M8 2.5A5.5 5.5 0 0 1 13.5 8" />
    </>
  ),
  done: <path d="M3.5 8.5l3 3 6-6.5" />,
  failed: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M6 6l4 4m0-4l-4 4" />
    </>
  ),
  cancelled: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M4.2 11.8l7.6-7.6" />
    </>
  ),
  ready: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M5.6 8.2l1.7 1.7 3.2-3.6" />
    </>
  ),
  down: (
    <>
      <path d="M8 2.5l6 10.5H2z" />
      <path d="M8 6.5v3m0 1.4v.6" />
    </>
  )
};

/** Decorative: the state's word stands beside it. */
export function StateIcon({ shape }: { shape: Shape }): JSX.Element {
  return (
    <svg className={`cumulus-lab-state cumulus-lab-mod-${shape}`} viewBox="0 0 16 16" aria-hidden="true">
      {PATHS[shape]}
    </svg>
  );
}

export function jobShape(job: JobView): Shape {
  if (isActive(job) && job.cancel_requested) {
    return 'cancelled';
  }
  switch (job.state) {
    case 'QUEUED':
      return 'queued';
    case 'RUNNING':
      return 'running';
    case 'COMPLETED':
      return 'done';
    case 'FAILED':
      return 'failed';
    case 'CANCELLED':
      return 'cancelled';
    default:
      return 'starting';
  }
}
