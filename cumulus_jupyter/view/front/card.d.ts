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
  /** The clock of the other times when this was said: with it, times are right where the page's clock is not. */
  now_ms?: number;
}

export interface CardHost {
  /** Ask for the job to be cancelled. */
  cancel(): void;
  /**
   * The log was opened (`true`): its pane is empty, so hand `Card.log` the newest part first, then what follows.
   * Or closed: its text is let go, and `Card.log` called no more.
   */
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

/** What cards of one job share: whether the log is open, its text, what was pressed. Its inside is the card's. */
export interface CardMemory {
  readonly open: boolean;
  readonly lines: LogLines;
}

/** For hosts that draw one job twice, or again after its output was cleared: give each card the same. */
export function createMemory(): CardMemory;

export function createCard(root: HTMLElement, host: CardHost, memory?: CardMemory): Card;

/** The lines of a log, bounded: the oldest go where there are too many. Panes that share one show the same. */
export interface LogLines {
  append(text: string, skipped?: number): void;
}

/** A log that follows its end, with ANSI colours; only the lines on the screen are in the page. */
export interface LogPane {
  append(text: string, skipped?: number): void;
  prepend(text: string): void;
  clear(): void;
  /** As high as its lines, up to the CSS variable `--cumulus-log-height`; `cumulus-fill` as a class: as its parent. */
  readonly element: HTMLElement;
  dispose(): void;
}

export interface LogPaneOptions {
  label: string;
  /** Asked where the reader comes to the first line; see `CardHost.earlier`. */
  earlier?(): Promise<string | null>;
  /** What the button "Whole log" does; without it there is none. */
  openLog?(): void;
  lines?: LogLines;
}

export function createLogPane(options: LogPaneOptions): LogPane;
