/**
 * What a card says: states, times, amounts, in words.
 */

/** @typedef {import("./card").JobSnapshot} JobSnapshot */

/** Words, and a shape that tells a state without its colour. */
const STATES = Object.freeze({
  QUEUED: {
    word: "queued", tone: "waiting", shape: "M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8zM8 4.6V8l2.4 1.6"
  },
  SCHEDULING: { word: "starting", tone: "starting", shape: "M8 1.8A6.2 6.2 0 0 1 14.2 8M8 14.2A6.2 6.2 0 0 1 1.8 8" },
  CREATING_PARTITION: {
    word: "preparing the GPU share", tone: "starting", shape: "M8 1.8A6.2 6.2 0 0 1 14.2 8M8 14.2A6.2 6.2 0 0 1 1.8 8"
  },
  RUNNING: { word: "running", tone: "running", shape: "M4.5 2.8l8.4 5.2-8.4 5.2z" },
  COMPLETED: { word: "done", tone: "done", shape: "M2.6 8.6l3.6 3.6 7.2-8" },
  FAILED: { word: "failed", tone: "failed", shape: "M3.4 3.4l9.2 9.2M12.6 3.4l-9.2 9.2" },
  CANCELLED: { word: "cancelled", tone: "cancelled", shape: "M3.2 3.2h9.6v9.6H3.2z" },
  CANCELLING: { word: "cancelling", tone: "cancelled", shape: "M3.2 3.2h9.6v9.6H3.2z" }
});

/** @param {string} state @returns {{word: string, tone: string, shape: string}} */
export function describeState(state) {
  const known = /** @type {Record<string, {word: string, tone: string, shape: string}>} */ (STATES)[state];
  return known ?? { ...STATES.QUEUED, word: state.toLowerCase().replaceAll("_", " ") };
}

/** @param {JobSnapshot} job */
export const hasEnded = job => job.state === "COMPLETED" || job.state === "FAILED" || job.state === "CANCELLED";

/** 0:07, 12:00, 1:02:03. @param {number} ms */
export function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** 45 s, 12 min, 1 h 5 min, 2 d. @param {number} seconds */
export function lasting(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d`;
}

/** What is left by progress. @param {number} seconds */
export function aboutLeft(seconds) {
  if (seconds < 5) return "a few seconds left";
  if (seconds < 90) return `about ${Math.round(seconds / 5) * 5} s left`;
  return `about ${lasting(seconds + 30)} left`;
}

/** What is left of the longest it may run, once that is worth a thought. @param {number} leftS @param {number} durationS */
export function leftOfDuration(leftS, durationS) {
  if (leftS <= 0) return "its time is up";
  if (leftS > durationS / 2) return `of at most ${lasting(durationS)}`;
  const names = /** @type {Record<number, string>} */ ({ 60: "minute", 3600: "hour", 86400: "day" });
  return `${lasting(leftS)} of its ${names[durationS] ?? lasting(durationS)} left`;
}

/** @param {number} value */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1024;
  return `${value.toFixed(unit > 2 && value < 100 ? 1 : 0)} ${units[unit]}`;
}

/** @param {number} value */
export const count = value => value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 });

/** 420 of 1,000 it. @param {NonNullable<JobSnapshot["progress"]>} progress */
export function progressCount({ done, total, unit }) {
  const amount = unit === "B" ? bytes : count;
  const words = total ? `${amount(done)} of ${amount(total)}` : amount(done);
  return unit && unit !== "B" ? `${words} ${unit}` : words;
}

/** What it uses, shortest first. @param {JobSnapshot} job @returns {string[]} */
export function usageWords(job) {
  const said = [];
  if (job.memory_bytes) said.push(`${bytes(job.memory_bytes)} memory`);
  const gpu = [];
  if (job.gpu_percent !== null) gpu.push(`GPU ${Math.round(job.gpu_percent)} %`);
  if (job.gpu_memory_bytes) gpu.push(`${bytes(job.gpu_memory_bytes)} GPU memory`);
  return said.concat(gpu);
}

/** How long until all is done, by how it went in the last minute; the host's progress comes as it changes. */
export class Forecast {
  constructor() {
    this.key = "";
    /** @type {{at: number, done: number}[]} */
    this.seen = [];
    /** When it will be done; 0: not known. */
    this.doneAt = 0;
  }

  /** @param {JobSnapshot["progress"]} progress @param {number} now milliseconds */
  take(progress, now) {
    const key = progress?.total ? `${progress.label}/${progress.total}` : "";
    const last = this.seen.at(-1);
    if (!progress?.total || key !== this.key || (last && progress.done < last.done)) {
      this.seen = [];
      this.doneAt = 0;
    }
    this.key = key;
    if (!progress?.total || this.seen.at(-1)?.done === progress.done) return;
    this.seen.push({ at: now, done: progress.done });
    while (this.seen.length > 3 && now - this.seen[0].at > 60_000) this.seen.shift();
    const from = this.seen[0];
    const took = now - from.at;
    if (this.seen.length >= 3 && took >= 2000) {
      this.doneAt = now + ((progress.total - progress.done) * took) / (progress.done - from.done);
    }
  }

  /** Seconds left; `null`: nobody knows. @param {number} now */
  left(now) {
    return this.doneAt && this.doneAt > now - 5000 ? Math.max(0, (this.doneAt - now) / 1000) : null;
  }
}
