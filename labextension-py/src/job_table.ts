/** The jobs of a page: newest first, found by id, and not more than a page can use. */

import { END_STATES, type JobView } from './wire';

/** Ended jobs that are kept; a stream that stays open for days would else pile them up. */
const KEPT_ENDED = 500;

export class JobTable {
  private byId = new Map<string, JobView>();
  private sorted: readonly JobView[] | null = [];

  /** Newest first. */
  get all(): readonly JobView[] {
    return (this.sorted ??= this.sort());
  }

  get(id: string): JobView | undefined {
    return this.byId.get(id);
  }

  /** These are all there are. */
  replace(jobs: readonly JobView[]): void {
    const before = this.byId;
    this.byId = new Map(jobs.map(job => [job.id, same(before.get(job.id), job)]));
    this.sorted = null;
  }

  /** This one is new, or has changed. */
  put(job: JobView): void {
    this.byId.set(job.id, job);
    this.sorted = null;
  }

  private sort(): JobView[] {
    const jobs = [...this.byId.values()].sort(
      (a, b) => b.created_ms - a.created_ms || (a.id < b.id ? 1 : -1)
    );
    let ended = 0;
    const kept = jobs.filter(job => !END_STATES.has(job.state) || ++ended <= KEPT_ENDED);
    if (kept.length < jobs.length) {
      this.byId = new Map(kept.map(job => [job.id, job]));
    }
    return kept;
  }
}

/** The object from before where nothing has changed, so that what shows it need not be drawn again. */
function same(before: JobView | undefined, now: JobView): JobView {
  return before && JSON.stringify(before) === JSON.stringify(now) ? before : now;
}
