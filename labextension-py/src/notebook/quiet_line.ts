/** What a cell keeps of an ended job: the line that the kernel would have left, and what is said beside it. */

import type { IMimeBundle, IOutput } from '@jupyterlab/nbformat';

import type { JobView, RelayPlace } from '../wire';
import type { Raised } from './job_outputs';
import { JOB_MIME } from './job_mime';

const WORDS: Record<string, string> = { COMPLETED: 'done', FAILED: 'failed', CANCELLED: 'cancelled' };
/** Each is legible on white and on near black. */
const COLOURS: Record<string, string> = { COMPLETED: '#1f883d', FAILED: '#d1242f', CANCELLED: '#9a6700' };
const OTHER_COLOUR = '#777777';
const WAIT_WORTH_SAYING_S = 10;
/** A limit that ended the program says more than the exception it was ended with. */
const LIMIT = 'DEADLINE_EXCEEDED';
const RED = '\x1b[31m';
const BOLD = '\x1b[1m';
const DIM = '\x1b[2m';
const PLAIN = '\x1b[0m';
// eslint-disable-next-line no-control-regex
const ANSI = /\x1b\[[0-9;?]*[A-Za-z]/g;

/** The card of a job that runs, for whoever can draw one; without a widget, as the page has no kernel to feed it. */
export function cardOutput(job: JobView, place: RelayPlace | null, logOnly: boolean): IOutput {
  const words = job.name ? `${job.name} · running` : 'running';
  const reference = { job_id: job.id, relay_id: place?.relay_id ?? '', final: false };
  return display({
    [JOB_MIME]: logOnly ? { ...reference, log_only: true } : reference,
    'text/html': `<div style="opacity:.8">${escaped(words)}</div>`,
    'text/plain': `[${words}]`
  });
}

/** The line of a job that has ended; `tail`: the end of its log, where the output was cut. */
export function finalOutput(job: JobView, tail: string, peakBytes: number): IOutput {
  const word = WORDS[job.state] ?? job.state.toLowerCase();
  const peak = peakBytes > 0 ? `peak ${memory(peakBytes)}` : '';
  const facts = [word, job.name, took(job), ...placeOf(job), peak].filter(Boolean);
  const dot = `<span style="color:${COLOURS[job.state] ?? OTHER_COLOUR}" aria-hidden="true">●</span>`;
  const first = [`<b>${escaped(word)}</b>`, ...facts.slice(1).map(escaped)].join(' · ');
  const lines = [`<div>${dot} ${first}</div>`];
  const whole = `%cumulus logs ${job.id}`;
  if (tail) {
    lines.push(
      `<details><summary>log</summary><div>Its end; the whole log: <code>${escaped(whole)}</code></div>` +
        `<pre style="max-height:24em;overflow:auto">${escaped(tail.replace(ANSI, ''))}</pre></details>`
    );
  }
  const named = job.name ? [job.name, word, ...facts.slice(2)] : facts;
  const text = [`[${named.join(' · ')}]`, ...(tail ? [`The whole log: ${whole}`] : [])];
  return display({
    'text/html': `<div style="font-size:.9em;line-height:1.6">${lines.join('')}</div>`,
    'text/plain': text.join('\n')
  });
}

/** How to get what only a kernel can have. */
export function valuesHint(job: JobView): IOutput {
  const command = `%cumulus attach ${job.id}`;
  const before = 'The kernel that ran this is gone, and what the job left is not bound:';
  const line = `${before} <code>${escaped(command)}</code> binds it.`;
  return display({
    'text/html': `<div style="font-size:.9em;line-height:1.6">${line}</div>`,
    'text/plain': `[${before} ${command} binds it.]`
  });
}

/** The error a cell ends with; `null` where its job completed. */
export function errorOutput(job: JobView, raised: Raised | null): IOutput | null {
  if (job.state === 'COMPLETED') {
    return null;
  }
  const own = raised !== null && raised.traceback.length > 0;
  if (raised !== null && own && job.state === 'FAILED' && job.error?.code !== LIMIT) {
    return { output_type: 'error', ename: raised.name, evalue: raised.value, traceback: [...raised.traceback] };
  }
  const code = job.state === 'CANCELLED' ? 'Cancelled' : (job.error?.code ?? 'INTERNAL');
  const message = job.error?.message || job.message || 'the job was cancelled';
  const next = job.error?.next ?? '';
  const lines = [`${RED}${BOLD}${code}${PLAIN}${RED}: ${message}${PLAIN}`, next, `${DIM}job ${job.id}${PLAIN}`];
  return { output_type: 'error', ename: code, evalue: message, traceback: lines.filter(Boolean) };
}

function placeOf(job: JobView): string[] {
  const share = (job.share ?? '').split(':', 1)[0];
  return [job.worker ? `on ${job.worker}` : '', share].filter(Boolean);
}

function took(job: JobView): string {
  const ended = job.ended_ms ?? Date.now();
  const began = job.started_ms ?? job.created_ms;
  const waited = (began - job.created_ms) / 1000;
  return clock((ended - began) / 1000) + (waited >= WAIT_WORTH_SAYING_S ? ` after ${clock(waited)} of waiting` : '');
}

/** An amount of memory, as the kernel writes it: `512 MiB`, `12.5 GiB`. */
function memory(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib < 1024 ? `${Math.round(mib)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}

/** A span of time, as the kernel writes it: `80 ms`, `1.6 s`, `2:05`, `1:02:05`. */
export function clock(seconds: number): string {
  if (seconds < 0.1) {
    return `${Math.round(1000 * Math.max(0, seconds))} ms`;
  }
  if (seconds < 60) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.floor(seconds);
  const two = (count: number) => String(count).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

function display(data: IMimeBundle): IOutput {
  return { output_type: 'display_data', data, metadata: {} };
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
