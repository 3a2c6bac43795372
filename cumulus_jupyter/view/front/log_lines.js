/**
 * A log as lines, as a terminal would show them: colours and weights, carriage returns, backspaces, erased line ends,
 * and a few steps up.
 * Bounded: the oldest lines go when there are too many.
 */
import { restyle } from "./ansi.js";

/** @typedef {import("./ansi.js").Style} Style */
/** @typedef {import("./ansi.js").Span} Span */
/** @typedef {{spans: Span[], width: number, column: number}} StyledLine */
/** Text without any style is a mere string: most lines are. @typedef {string | StyledLine | {skipped: number}} Line */

export const MOST_LINES = 100_000;
export const MOST_CHARACTERS = 32 * 2 ** 20;
/** How much is left when the oldest go: in bundles, since each time costs a move of all others. */
const KEPT = 0.95;
/** Longer lines go on in the next one: a page cannot lay out megabytes in a line. */
const LONGEST_LINE = 4_096;
/** Lines that a program may go back to, as bars that stand under one another do. */
export const LIVE_LINES = 50;

const SPECIAL = /[\x00-\x08\x0b-\x1f\x7f]/;
/** SGR; erase in line; up; any other sequence (CSI, OSC, two characters); controls that show nothing; CR; BS; text. */
const TOKENS = new RegExp([
  /\x1b\[([\d;:]*)m|\x1b\[(\d*)K|\x1b\[(\d*)A/,
  /\x1b(?:\[[\x20-\x3f]*[\x40-\x7e]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x20-\x2f]+[\x30-\x7e]|[^[\]\x20-\x2f]|$)/,
  /[\x00-\x07\x0b\x0c\x0e-\x1f\x7f]|\r|\x08|[^\x00-\x08\x0b-\x1f\x7f]+/
].map(part => part.source).join("|"), "g");
/** An escape sequence that the end of the text cuts in two. */
const CUT_SEQUENCE = /\x1b(?:\[[\x20-\x3f]{0,64}|\][^\x07\x1b]{0,512})?$/;

/** The spans of some columns. @param {Span[]} spans @param {number} from @param {number} to @returns {Span[]} */
function cut(spans, from, to) {
  const kept = [];
  let column = 0;
  for (const { text, style } of spans) {
    const piece = text.slice(Math.max(0, from - column), Math.max(0, to - column));
    if (piece) kept.push({ text: piece, style });
    column += text.length;
  }
  return kept;
}

/** The text of a line without its looks. @param {Line} line @returns {string} */
export function plainText(line) {
  if (typeof line === "string") return line;
  if ("skipped" in line) return skippedWords(line.skipped);
  return line.spans.length === 1 ? line.spans[0].text : line.spans.map(span => span.text).join("");
}

/** @param {number} lines */
export function skippedWords(lines) {
  return `… ${lines.toLocaleString("en")} line${lines === 1 ? "" : "s"} skipped`;
}

/** How many columns a line takes. @param {Line} line */
export function widthOf(line) {
  return typeof line === "string" ? line.length : "skipped" in line ? 0 : line.width;
}

/** The lines of a log, newest last. Panes that share one show the same; each says so to `listeners`. */
export class LogLines {
  constructor() {
    /** @type {Line[]} */
    this.finished = [];
    /** The number of the first line that is still here: numbers stay when lines before go or come. */
    this.first = 0;
    /** Lines that had to go. */
    this.dropped = 0;
    this.characters = 0;
    /** Counts each loss of everything, so that panes know old numbers from new ones. */
    this.generation = 0;
    /** True while text before the first line is on its way, or there is none. */
    this.asking = false;
    this.noneEarlier = false;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** The line that is still being written. @type {StyledLine | null} */
    this.open = null;
    /** Those under it, where the program went up from them; the next one comes last. @type {StyledLine[]} */
    this.below = [];
    /** @type {Style | null} */
    this.style = null;
    this.cutSequence = "";
  }

  /** Lines, with the one that is being written. */
  get count() {
    return this.finished.length + (this.open ? 1 : 0) + this.below.length;
  }

  /** @param {number} index 0 is the first that is still here @returns {Line} */
  at(index) {
    const under = index - this.finished.length;
    if (under < 0) return this.finished[index];
    return /** @type {Line} */ (under ? this.below[this.below.length - under] : this.open);
  }

  /** @param {string} text @param {number} [skipped] lines left out before it */
  append(text, skipped = 0) {
    if (skipped > 0) this.skip(skipped);
    const whole = this.cutSequence + text;
    this.cutSequence = CUT_SEQUENCE.exec(whole)?.[0] ?? "";
    const end = this.cutSequence.length;
    this.write(end ? whole.slice(0, -end) : whole);
    this.dropOldest();
    this.changed();
  }

  /** Text before the first line. @param {string} text */
  prepend(text) {
    const before = new LogLines();
    before.write(text);
    while (before.open) before.endLine();
    this.finished = before.finished.concat(this.finished);
    this.first -= before.finished.length;
    this.characters += before.characters;
    this.changed();
  }

  clear() {
    this.finished = [];
    this.first = this.dropped = this.characters = 0;
    this.open = this.style = null;
    this.below = [];
    this.cutSequence = "";
    this.asking = this.noneEarlier = false;
    this.generation++;
    this.changed();
  }

  /** All there is, for the clipboard. @returns {string} */
  text() {
    const lines = Array.from({ length: this.count }, (_, index) => plainText(this.at(index)));
    return lines.join("\n") + (this.open || !lines.length ? "" : "\n");
  }

  /** True: earlier lines fit, and none of them has gone from here before. */
  get hasRoomBefore() {
    const room = this.finished.length < MOST_LINES / 2 && this.characters < MOST_CHARACTERS / 2;
    return !this.dropped && room;
  }

  changed() {
    for (const listener of this.listeners) listener();
  }

  /** @param {number} lines */
  skip(lines) {
    while (this.open) this.endLine();
    this.style = null;
    this.cutSequence = "";
    this.finished.push({ skipped: lines });
  }

  /** @param {string} text */
  write(text) {
    const pieces = (text.includes("\r\n") ? text.replaceAll("\r\n", "\n") : text).split("\n");
    const last = pieces.length - 1;
    // Once for all of them: most text has nothing special in it.
    const special = SPECIAL.test(text);
    for (let i = 0; i <= last; i++) {
      const piece = pieces[i];
      const simple = !this.open && !this.style && !(special && SPECIAL.test(piece));
      if (simple && i < last && piece.length <= LONGEST_LINE) {
        this.finished.push(piece);
        this.characters += piece.length;
      } else {
        this.writeOpen(piece);
        if (i < last) this.endLine(true);
      }
    }
  }

  /** @param {boolean} [evenEmpty] */
  endLine(evenEmpty = false) {
    const line = this.open;
    const next = this.below.pop();
    this.open = next ? { ...next, column: 0 } : null;
    if (!line && !evenEmpty) return;
    const unstyled = !line?.spans.some(span => span.style);
    this.finished.push(line && !unstyled ? line : line ? plainText(line) : "");
    this.characters += line?.width ?? 0;
  }

  /** Write on the open line. @param {string} text */
  writeOpen(text) {
    for (const [found, codes, erase, up] of text.matchAll(TOKENS)) {
      if (codes !== undefined) this.style = restyle(this.style, codes);
      else if (erase !== undefined) this.eraseInLine(Number(erase));
      else if (up !== undefined) this.goUp(Number(up) || 1);
      else if (found === "\r" && this.open) this.open = { ...this.open, column: 0 };
      else if (found === "\b" && this.open) this.open = { ...this.open, column: Math.max(0, this.open.column - 1) };
      else if (found !== "\x7f" && (found >= " " || found[0] === "\t")) this.put(found);
    }
  }

  /** @param {string} text */
  put(text) {
    for (let at = 0; at < text.length; ) {
      const { spans, width, column } = this.open ?? { spans: [], width: 0, column: 0 };
      if (column >= LONGEST_LINE) {
        this.endLine();
        continue;
      }
      const piece = text.slice(at, at + LONGEST_LINE - column);
      const end = column + piece.length;
      const rest = end < width ? cut(spans, end, width) : [];
      const written = column === width ? spans.slice() : cut(spans, 0, column);
      const before = written.at(-1);
      if (before && before.style === this.style) written[written.length - 1] = { ...before, text: before.text + piece };
      else written.push({ text: piece, style: this.style });
      this.open = { spans: written.concat(rest), width: Math.max(width, end), column: end };
      at += piece.length;
    }
  }

  /** @param {number} which 0: to the end, 1: from the beginning, 2: all of it */
  eraseInLine(which) {
    if (!this.open) return;
    const { spans, width, column } = this.open;
    const kept = which === 0 ? cut(spans, 0, column) : which === 1 ? cut(spans, column, width) : [];
    if (which && column) kept.unshift({ text: " ".repeat(column), style: null });
    const end = which === 1 ? width : column;
    this.open = { spans: kept, width: end, column };
  }

  /** Write on above, as far as lines are still here. @param {number} lines */
  goUp(lines) {
    for (; lines > 0 && this.below.length < LIVE_LINES; lines--) {
      const line = this.finished.at(-1);
      if (line === undefined || (typeof line === "object" && "skipped" in line)) return;
      this.finished.pop();
      const width = widthOf(line);
      const spans = typeof line === "string" ? [{ text: line, style: null }] : line.spans;
      const column = Math.min(this.open?.column ?? 0, width);
      if (this.open) this.below.push(this.open);
      this.open = { spans, width, column };
      this.characters -= width;
    }
  }

  dropOldest() {
    const finished = this.finished;
    if (finished.length <= MOST_LINES && this.characters <= MOST_CHARACTERS) return;
    let gone = 0;
    while (finished.length - gone > MOST_LINES * KEPT || this.characters > MOST_CHARACTERS * KEPT) {
      const line = finished[gone++];
      this.characters -= widthOf(line);
      this.dropped += typeof line === "object" && "skipped" in line ? line.skipped : 1;
    }
    this.finished = finished.slice(gone);
    this.first += gone;
  }
}
