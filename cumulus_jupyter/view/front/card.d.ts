/**
 * One job as a card: what the widget shows in any notebook, and the lab extension in its own pages.
 *
 * The card keeps nothing but what is on the screen. Its host hands it snapshots and log text, at most four times a
 * second, and does what it asks.
 */

/** All that is known of one job now. Times are UTC epoch milliseconds. */
export interface JobSnapshot {
  id: string;
  name: string;
  /** As in the protocol: QUEUED ... CANCELLED. */
  state: string;
  /** Why it is in this state, in words. */
  message: string;
  /** Place in the queue, 1 is next. */
  position: number | null;
  worker: string;
  /** GPU share and what enforces it, in words; empty without a GPU. */
  share: string;
  created_ms: number;
  started_ms: number | null;
  ended_ms: number | null;
  /** The longest it may run, in seconds. */
  duration_s: number;
  progress: { label: string; done: number; total: number | null; unit: string } | null;
  memory_bytes: number | null;
  gpu_percent: number | null;
  gpu_memory_bytes: number | null;
  /** What the host has to say instead of the state, such as "cancelling" or that the relay is away. */
  note: string;
  error: { message: string; next: string } | null;
  /** Lines of the log so far; `null` where the host does not count them. */
  log_lines: number | null;
  /** True: the cell's output is cut short and goes on in the log, which then opens by itself. */
  log_only: boolean;
}

export interface CardHost {
  /** Ask for the job to be cancelled. */
  cancel(): void;
  /** The log was opened (`true`) or closed: from then on `Card.log` is called, or no more. */
  watchLog(open: boolean): void;
  /** Text before what the log pane has, ending at a line's end; `null`: there is none, or none can be had here. */
  earlier(): Promise<string | null>;
  /** Where the whole log can be read, as a button's action; absent where there is no such place. */
  openLog?(): void;
}

export interface Card {
  update(snapshot: JobSnapshot): void;
  /** What was written since; `skipped` lines before it were left out to keep up. */
  log(text: string, skipped?: number): void;
  dispose(): void;
}

export function createCard(root: HTMLElement, host: CardHost): Card;

/** A log that follows its end, with ANSI colours; only the lines on the screen are in the page. */
export interface LogPane {
  append(text: string, skipped?: number): void;
  prepend(text: string): void;
  clear(): void;
  readonly element: HTMLElement;
  dispose(): void;
}

export function createLogPane(options: { label: string; earlier?(): Promise<string | null> }): LogPane;
