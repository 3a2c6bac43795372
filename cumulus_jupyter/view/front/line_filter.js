/**
 * Finding lines in a log.
 */
import { LIVE_LINES, plainText } from "./log_lines.js";

/** @typedef {import("./log_lines.js").LogLines} LogLines */

/** A filter looks through the log for this long at a time. */
const FILTER_SLICE_MS = 8;

/** The first index for which `before` no longer holds.
 * @param {number} high @param {(index: number) => boolean} before */
export function bisect(high, before) {
  let low = 0;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Which lines of a log have a text in them, whatever its case. */
export class LineFilter {
  /** @param {LogLines} lines @param {string} text */
  constructor(lines, text) {
    this.lines = lines;
    this.pattern = new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
    /** The numbers of those lines, of the ones that were looked at. @type {number[]} */
    this.matches = [];
    this.looked = lines.first;
  }

  /** Begin again: lines came before those that were looked at. */
  forget() {
    this.matches = [];
    this.looked = this.lines.first;
  }

  /** Look on, for a moment; the line that is still being written is left out. @returns {boolean} true: all is seen */
  look() {
    const { first, finished } = this.lines;
    const until = performance.now() + FILTER_SLICE_MS;
    // The last lines may have been written anew.
    this.looked = Math.max(first, Math.min(this.looked, first + finished.length - LIVE_LINES));
    this.matches = this.matches.slice(this.indexOf(first), this.indexOf(this.looked));
    for (; this.looked < first + finished.length; this.looked++) {
      if (this.looked % 256 === 0 && performance.now() > until) return false;
      if (this.pattern.test(plainText(finished[this.looked - first]))) this.matches.push(this.looked);
    }
    return true;
  }

  /** @param {number} number of a line */
  indexOf(number) {
    return bisect(this.matches.length, index => this.matches[index] < number);
  }

  text() {
    return this.matches.map(number => plainText(this.lines.at(number - this.lines.first)) + "\n").join("");
  }
}
