/** The outputs of a cell, made of its job's events as the kernel would have made them. */

import type { IMimeBundle, IOutput } from '@jupyterlab/nbformat';

import type { JobEvent } from '../wire';
import { TerminalText } from './terminal_text';

export interface Limits {
  readonly lines: number;
  readonly characters: number;
}

/** What the kernel lets into a notebook, unless it is told otherwise. */
export const LIMITS: Limits = { lines: 1000, characters: 256 << 10 };
/** Said where the output was cut, while it goes on and at its end. */
const CUT = 'the output goes on in the log';
const TAIL_LINES = 20;

/** An error that the program raised, or that ended it. */
export interface Raised {
  readonly name: string;
  readonly value: string;
  readonly traceback: readonly string[];
}

type Stream = { readonly name: string; readonly text: TerminalText };
type Part = IOutput | Stream;

export class JobOutputs {
  constructor(private readonly limits: Limits = LIMITS) {}

  /** The last event that was taken. */
  get seq(): number {
    return this.last;
  }

  /** True: there was more text than a notebook should hold. */
  get cut(): boolean {
    return this.overflow !== null;
  }

  /** The exception of the program, as it was shown there; `null` where there was none. */
  get raised(): Raised | null {
    return this.error;
  }

  /** True: the job left names or a result, which only a kernel can have. */
  get leftValues(): boolean {
    return this.values;
  }

  /** How the last expression showed itself, where it stayed with the worker. */
  get resultBundle(): IMimeBundle | null {
    return this.result;
  }

  /** The most memory that the job was seen to use; 0 where it was not looked at. */
  get peakBytes(): number {
    return this.peak;
  }

  /** Take events in their order; what was taken before is passed over. */
  take(events: readonly JobEvent[]): void {
    for (const event of events) {
      if (event.seq > this.last) {
        this.last = event.seq;
        this.takeOne(event);
      }
    }
  }

  /** The outputs so far, below the card. */
  outputs(): IOutput[] {
    return this.parts.map(part =>
      isStream(part) ? { output_type: 'stream', name: part.name, text: part.text.text } : part
    );
  }

  /** The last lines of a log that was cut, for the end; empty where it was not. */
  tail(): string {
    const lines = (this.overflow ?? '').trimEnd().split('\n');
    return this.overflow ? lines.slice(-TAIL_LINES).join('\n') + '\n' : '';
  }

  /** The job has ended: what was left out is counted, and its last lines are shown. */
  end(): void {
    if (this.overflow !== null) {
      const hidden = this.leftOut - TAIL_LINES;
      const count = hidden.toLocaleString('en');
      this.parts[this.cutAt] = told(hidden > 0 ? `${count} lines are in the log only, and then:` : 'and at last:');
      this.write('stdout', this.tail());
    }
  }

  private takeOne(event: JobEvent): void {
    switch (event.type) {
      case 'log':
        this.print(event['stream'] === 'stderr' ? 'stderr' : 'stdout', String(event['text'] ?? ''));
        break;
      case 'display':
        this.add(displayOf(event), event['display_id']);
        break;
      case 'update_display':
        for (const place of this.displays.get(String(event['display_id'])) ?? []) {
          this.parts[place] = displayOf(event);
        }
        break;
      case 'clear_output':
        this.clearing = true;
        if (!event['wait']) {
          this.clearNow();
        }
        break;
      case 'error':
        this.error = raisedBy(event);
        break;
      case 'result':
        this.takeResult(event);
        break;
      case 'state':
        this.takeState(event);
        break;
      case 'resources':
        this.peak = Math.max(this.peak, Number(event['memory_bytes'] ?? 0));
        break;
    }
  }

  private takeState(event: JobEvent): void {
    const again = event['state'] === 'QUEUED' && event['attempt'] && event['position'] == null;
    if (again && event['message']) {
      // Its output begins anew: without a word, that would look like output that comes twice.
      this.print('stderr', `[${String(event['message'])}]\n`);
      this.error = null;
    }
  }

  private takeResult(event: JobEvent): void {
    const graph = event['graph'] as { roots?: object } | null;
    const remote = (event['remote'] ?? []) as { name: string; bundle?: IMimeBundle }[];
    const deleted = (event['deleted'] ?? []) as string[];
    const names = Object.keys(graph?.roots ?? {}).length + remote.length + deleted.length;
    const empty = event['has_result'] === true && event['json'] === null && names <= 1 && remote.length === 0;
    this.values = names > 0 && !empty;
    this.result = remote.find(item => item.name === '@result')?.bundle ?? null;
  }

  private print(name: string, text: string): void {
    this.clearNow();
    if (this.overflow !== null) {
      this.leaveOut(text);
      return;
    }
    const room = this.roomIn(text);
    if (room < text.length) {
      const shown = text.slice(0, room);
      this.write(name, room > 0 && !shown.endsWith('\n') ? `${shown}\n` : shown);
      this.cutAt = this.parts.push(told(CUT)) - 1;
      this.overflow = '';
      this.leaveOut(text.slice(room));
      return;
    }
    this.write(name, text);
  }

  private write(name: string, text: string): void {
    let last = this.parts.at(-1);
    if (!last || !isStream(last) || last.name !== name) {
      last = { name, text: new TerminalText() };
      this.parts.push(last);
    }
    last.text.write(text);
  }

  private leaveOut(text: string): void {
    this.leftOut += text.split('\n').length - 1;
    this.overflow = (this.overflow + text).slice(-this.limits.characters);
  }

  /** How much of a text the cell still takes. */
  private roomIn(text: string): number {
    let room = Math.min(text.length, this.limits.characters - this.characters);
    for (let at = text.indexOf('\n'); at >= 0 && at < room; at = text.indexOf('\n', at + 1)) {
      this.lines += 1;
      if (this.lines >= this.limits.lines) {
        room = at + 1;
      }
    }
    this.characters += room;
    return room;
  }

  private add(output: IOutput, displayId: unknown): void {
    this.clearNow();
    this.parts.push(output);
    if (typeof displayId === 'string' && displayId) {
      this.displays.set(displayId, [...(this.displays.get(displayId) ?? []), this.parts.length - 1]);
    }
  }

  private clearNow(): void {
    if (this.clearing) {
      this.parts = [];
      this.displays.clear();
      this.clearing = false;
      // There is room again.
      this.lines = this.characters = this.leftOut = 0;
      this.overflow = null;
    }
  }

  private parts: Part[] = [];
  private readonly displays = new Map<string, number[]>();
  private clearing = false;
  private last = 0;
  private lines = 0;
  private characters = 0;
  /** What was written beyond the limit, as much of it as matters; `null` while there is room. */
  private overflow: string | null = null;
  private leftOut = 0;
  /** Where it is said that there is more. */
  private cutAt = 0;
  private error: Raised | null = null;
  private peak = 0;
  private values = false;
  private result: IMimeBundle | null = null;
}

function isStream(part: Part): part is Stream {
  return (part as Stream).text instanceof TerminalText;
}

function displayOf(event: JobEvent): IOutput {
  return {
    output_type: 'display_data',
    data: (event['data'] ?? {}) as IMimeBundle,
    metadata: (event['metadata'] ?? {}) as IMimeBundle
  };
}

function raisedBy(event: JobEvent): Raised {
  return {
    name: String(event['name'] ?? ''),
    value: String(event['value'] ?? ''),
    traceback: (event['traceback'] ?? []) as string[]
  };
}

function told(words: string): IOutput {
  const data = { 'text/plain': `… ${words}`, 'text/html': `<div style="opacity:.8">… ${words}</div>` };
  return { output_type: 'display_data', data, metadata: {} };
}
