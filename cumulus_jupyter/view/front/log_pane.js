/**
 * A log that follows its end. However long it is, only the lines on the screen are in the page: they stand in one
 * block that is moved to where they belong in a scroller as high as the whole log would be.
 */
import { drawSpan } from "./ansi.js";
import { make, makeButton, toClipboard } from "./elements.js";
import { LineFilter, bisect } from "./line_filter.js";
import { LIVE_LINES, LogLines, skippedWords, widthOf } from "./log_lines.js";

/** @typedef {import("./log_lines.js").Line} Line */
/** @typedef {import("./card").LogPane} LogPane */
/** @typedef {import("./card").LogPaneOptions} LogPaneOptions */

/** Lines in the page above and below those on the screen. */
const MARGIN_LINES = 12;
/** A screen reader is not given more lines than this in a second. */
const SPOKEN_LINES = 5;
/** Keys that the scroller uses; the page around it has its own use for them. */
const SCROLL_KEYS = /^(Arrow.*|Page.*|Home|End| |c)$/i;
const RULER_COLUMNS = 50;

/** @param {Line} line */
function drawLine(line) {
  const row = make("div", "cumulus-line");
  if (typeof line === "string") row.textContent = line;
  else if ("spans" in line) row.append(...line.spans.map(span => drawSpan(span.text, span.style)));
  else {
    row.classList.add("cumulus-separator");
    row.textContent = skippedWords(line.skipped);
  }
  return row;
}

/** @param {LogPaneOptions} options @returns {LogPane} */
export function createLogPane(options) {
  const lines = /** @type {LogLines} */ (options.lines ?? new LogLines());
  const element = make("div", "cumulus-log");
  const tools = make("div", "cumulus-log-tools", { role: "group", "aria-label": `${options.label}, view` });
  const search = /** @type {HTMLInputElement} */ (make("input", "cumulus-filter", { type: "search" }));
  search.placeholder = "Filter";
  search.setAttribute("aria-label", "Show only the lines with this text");
  const found = make("span", "cumulus-found", { role: "status" });
  const wrapButton = makeButton("Wrap", "Wrap long lines", () => setWrap(!wrap));
  const copyButton = makeButton("Copy", "Copy all the lines that are here", () => {
    void toClipboard(shownText());
    copyButton.textContent = "Copied";
    setTimeout(() => (copyButton.textContent = "Copy"), 1500);
  });
  const frame = make("div", "cumulus-log-frame");
  const scroller = make("div", "cumulus-scroller", { role: "log", "aria-label": options.label, "aria-live": "off" });
  scroller.tabIndex = 0;
  const above = make("div", "cumulus-line cumulus-separator");
  const space = make("div", "cumulus-space");
  const block = make("div", "cumulus-block");
  const ruler = make("span", "cumulus-line cumulus-ruler", { "aria-hidden": "true" });
  const followButton = makeButton("↓ Follow", "Go to the end, and follow it", () => {
    follow = true;
    scroller.focus();
    draw();
  });
  ruler.textContent = "0".repeat(RULER_COLUMNS);
  followButton.classList.add("cumulus-follow");
  space.append(block);
  scroller.append(above, space);
  frame.append(scroller, ruler, followButton);
  tools.append(search, found, make("span", "cumulus-spring"), wrapButton, copyButton);
  const { openLog } = options;
  if (openLog) tools.append(makeButton("Whole log", "Open the whole log in a place of its own", () => openLog()));
  element.append(tools, frame);

  let follow = true;
  let wrap = false;
  let everything = false;
  let scheduled = 0;
  let lastTop = 0;
  let rowHeight = 18;
  let columns = 80;
  /** Where each line of the view begins, in rows, while lines are wrapped. */
  let rowsBefore = [0];
  /** The rows in the page, by their line's number. @type {Map<number, {line: Line, row: HTMLElement}>} */
  const rows = new Map();
  let { first, generation } = lines;
  let end = first;
  let reading = { number: 0, offset: 0 };
  let second = { began: 0, lines: 0 };
  /** @type {LineFilter | null} */
  let filter = null;

  const count = () => (filter ? filter.matches.length : lines.count);
  const numberAt = (/** @type {number} */ index) => (filter ? filter.matches[index] : lines.first + index);
  const lineAt = (/** @type {number} */ index) => lines.at(numberAt(index) - lines.first);
  const topOf = (/** @type {number} */ index) => (wrap ? (rowsBefore[index] ?? 0) : index) * rowHeight;
  const indexAt = (/** @type {number} */ y) =>
    wrap ? bisect(count(), index => topOf(index + 1) <= y) : Math.max(0, Math.floor(y / rowHeight));
  const indexOf = (/** @type {number} */ number) =>
    filter ? filter.indexOf(number) : Math.max(0, number - lines.first);

  const draw = () => {
    scheduled ||= requestAnimationFrame(() => {
      scheduled = 0;
      render();
    });
  };
  const shownText = () => (filter ? filter.text() : lines.text());
  const isSelected = () => {
    const selection = document.getSelection();
    return !!selection && !selection.isCollapsed && block.contains(selection.anchorNode);
  };

  function measureRows() {
    rowsBefore.length = Math.min(rowsBefore.length, Math.max(1, end - first - LIVE_LINES), count() + 1);
    for (let index = rowsBefore.length - 1; index < count(); index++) {
      rowsBefore.push(rowsBefore[index] + Math.max(1, Math.ceil(widthOf(lineAt(index)) / columns)));
    }
  }

  function runFilter() {
    if (!filter) return;
    const done = filter.look();
    const words = `${filter.matches.length.toLocaleString("en")} line${filter.matches.length === 1 ? "" : "s"}`;
    found.textContent = done ? words : `${words} so far`;
    if (!done) draw();
  }

  /** Note lines that went and came since the last time. */
  function catchUp() {
    if (generation !== lines.generation || lines.first < first) filter?.forget();
    if (generation !== lines.generation) follow = true;
    if (first !== lines.first || generation !== lines.generation) rowsBefore = [0];
    const now = performance.now();
    if (now - second.began > 1000) second = { began: now, lines: 0 };
    second.lines += Math.max(0, lines.first + lines.count - end);
    const live = follow && !filter && second.lines <= SPOKEN_LINES ? "polite" : "off";
    if (scroller.getAttribute("aria-live") !== live) scroller.setAttribute("aria-live", live);
    runFilter();
    if (wrap) measureRows();
    ({ first, generation } = lines);
    end = first + lines.count;
  }

  function render() {
    const height = scroller.clientHeight;
    if (!height && !scroller.isConnected) return;
    catchUp();
    const gone = lines.dropped ? `… ${lines.dropped.toLocaleString("en")} earlier lines are no longer here` : "";
    const none = !options.earlier || lines.noneEarlier || !lines.count;
    above.hidden = !gone && none;
    above.textContent = gone || (lines.asking ? "loading earlier lines…" : "earlier lines are above");
    const offset = above.hidden ? 0 : rowHeight;
    space.style.height = `${topOf(count())}px`;
    const held = isSelected();
    if (follow && !held) scroller.scrollTop = scroller.scrollHeight;
    else if (numberAt(indexAt(lastTop - offset)) !== reading.number) {
      scroller.scrollTop = topOf(indexOf(reading.number)) + reading.offset + offset;
    }
    lastTop = scroller.scrollTop;
    // The rows of a longer log, which stand there still, let the pane be scrolled beyond the end of a shorter one.
    const y = Math.min(lastTop - offset, Math.max(0, topOf(count()) - scroller.clientHeight));
    const from = Math.max(0, indexAt(y) - MARGIN_LINES);
    const to = Math.min(count(), indexAt(y + scroller.clientHeight) + 1 + MARGIN_LINES);
    drawRows(from, to);
    block.style.transform = `translateY(${topOf(from)}px)`;
    if (follow && !held) {
      scroller.scrollTop = scroller.scrollHeight;
      // Not what was asked for: a log that is shorter than the pane stays at its top.
      lastTop = scroller.scrollTop;
    }
    remember();
    followButton.hidden = follow;
    if (height && lastTop <= offset && lines.count && !filter) void loadEarlier();
  }

  /** @param {number} from @param {number} to */
  function drawRows(from, to) {
    const wanted = new Set();
    for (let index = from; index < to; index++) wanted.add(numberAt(index));
    for (const [number, { row }] of rows) {
      if (wanted.has(number)) continue;
      row.remove();
      rows.delete(number);
    }
    /** @type {ChildNode | null} */
    let next = block.firstChild;
    for (let index = from; index < to; index++) {
      const [number, line] = [numberAt(index), lineAt(index)];
      let known = rows.get(number);
      if (known && known.line !== line) {
        if (next === known.row) next = next.nextSibling;
        known.row.remove();
        known = undefined;
      }
      if (!known) rows.set(number, (known = { line, row: drawLine(line) }));
      if (known.row === next) next = next.nextSibling;
      else block.insertBefore(known.row, next);
    }
  }

  /** What is at the top of the screen, so that it stays there whatever goes or comes before it. */
  function remember() {
    const y = Math.max(0, lastTop - (above.hidden ? 0 : rowHeight));
    const index = Math.min(indexAt(y), Math.max(0, count() - 1));
    reading = { number: numberAt(index) ?? lines.first, offset: lastTop ? y - topOf(index) : 0 };
  }

  async function loadEarlier() {
    if (!options.earlier || lines.asking || lines.noneEarlier || !lines.hasRoomBefore) return;
    const asked = lines.generation;
    lines.asking = true;
    const text = await options.earlier().catch(() => null);
    if (asked !== lines.generation) return;
    lines.asking = false;
    lines.noneEarlier = text === null;
    if (text) lines.prepend(text);
    else lines.changed();
  }

  /** @param {boolean} on */
  function setWrap(on) {
    wrap = on;
    wrapButton.setAttribute("aria-pressed", String(on));
    element.classList.toggle("cumulus-wrap", on);
    measure();
  }

  /** The page gave the pane another size, or its text. */
  function measure() {
    const { width, height } = ruler.getBoundingClientRect();
    if (height) rowHeight = height;
    const space = scroller.clientWidth - 2 * parseFloat(getComputedStyle(block).paddingLeft || "0");
    if (width) columns = Math.max(1, Math.floor((space * RULER_COLUMNS) / width));
    rowsBefore = [0];
    draw();
  }

  scroller.addEventListener("scroll", () => {
    const top = scroller.scrollTop;
    if (top < lastTop - 1) follow = false;
    if (top >= scroller.scrollHeight - scroller.clientHeight - 2) follow = true;
    lastTop = top;
    remember();
    draw();
  }, { passive: true });
  scroller.addEventListener("keydown", event => {
    const selectAll = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a";
    if (selectAll) {
      event.preventDefault();
      document.getSelection()?.selectAllChildren(block);
    }
    if (!event.ctrlKey && !event.metaKey) everything = false;
    everything ||= selectAll;
    if (selectAll || SCROLL_KEYS.test(event.key)) event.stopPropagation();
  });
  scroller.addEventListener("pointerdown", () => (everything = false));
  scroller.addEventListener("copy", event => {
    if (!everything || !isSelected()) return;
    event.clipboardData?.setData("text/plain", shownText());
    event.preventDefault();
  });
  search.addEventListener("keydown", event => {
    const clears = event.key === "Escape" && search.value !== "";
    if (event.key !== "Escape" || clears) event.stopPropagation();
    if (clears) setFilter((search.value = ""));
  });
  search.addEventListener("input", () => setFilter(search.value));

  /** @param {string} text */
  function setFilter(text) {
    filter = text ? new LineFilter(lines, text) : null;
    found.textContent = "";
    rowsBefore = [0];
    draw();
  }

  lines.listeners.add(draw);
  const observer = new ResizeObserver(measure);
  observer.observe(scroller);
  setWrap(false);
  return {
    element,
    append: (text, skipped) => lines.append(text, skipped),
    prepend: text => lines.prepend(text),
    clear: () => lines.clear(),
    dispose: () => {
      observer.disconnect();
      lines.listeners.delete(draw);
      cancelAnimationFrame(scheduled);
      element.remove();
    }
  };
}
