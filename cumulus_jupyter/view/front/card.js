/**
 * One job as a card: a line that says how it is, what it has and how far it has come, with its log and Cancel.
 * What is drawn comes from one snapshot; what the reader opened or pressed is kept in the card's memory.
 */
import { make, makeButton, makeDrawing } from "./elements.js";
import { LogLines } from "./log_lines.js";
import { createLogPane } from "./log_pane.js";
import { Forecast, aboutLeft, clock, count, describeState, hasEnded } from "./words.js";
import { leftOfDuration, progressCount, usageWords } from "./words.js";

/** @typedef {import("./card").JobSnapshot} JobSnapshot */
/** @typedef {import("./card").CardHost} CardHost */
/** @typedef {import("./card").Card} Card */
/** @typedef {import("./card").LogPane} LogPane */

/** A cancel that the host did not take up for this long may be pressed again. */
const CANCEL_AGAIN_MS = 15_000;
/** The little line of GPU use goes this far back. */
const TREND_MS = 60_000;
/** Less of it is no line. */
const TREND_LEAST_MS = 5_000;

class Memory {
  constructor() {
    this.lines = new LogLines();
    this.open = false;
    /** True: it has opened by itself once, and is not to do so again. */
    this.openedItself = false;
    this.cancelledAt = 0;
    this.forecast = new Forecast();
    /** The host's clock less the page's; what is said late can only make it seem too small. */
    this.clockAhead = 0;
    this.clockKnown = false;
    /** @type {{at: number, percent: number}[]} */
    this.trend = [];
    /** @type {JobSnapshot | null} */
    this.job = null;
    /** @type {Set<() => void>} */
    this.cards = new Set();
  }

  /** @param {JobSnapshot} job */
  take(job) {
    if (this.job === job) return;
    const now = Date.now();
    const atLeast = Math.max(job.created_ms, job.started_ms ?? 0, job.ended_ms ?? 0, job.now_ms ?? 0) - now;
    // The first snapshot may have lain somewhere: only those that come while the card is there tell the time.
    const fresh = this.job !== null && job.now_ms !== undefined;
    this.clockAhead = fresh && !this.clockKnown ? atLeast : Math.max(this.clockAhead, atLeast);
    this.clockKnown ||= fresh;
    this.forecast.take(job.progress, now);
    if (job.gpu_percent !== null) this.trend.push({ at: now, percent: job.gpu_percent });
    this.trend = this.trend.filter(sample => now - sample.at < TREND_MS);
    this.job = job;
  }

  get now() {
    return Date.now() + this.clockAhead;
  }
}

export function createMemory() {
  return new Memory();
}

/** @param {HTMLElement} element @param {string} text */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

/** @param {HTMLElement} root @param {CardHost} host @param {Memory} [given] @returns {Card} */
export function createCard(root, host, given) {
  const memory = given ?? createMemory();
  const card = make("section", "cumulus-card", { role: "group", "aria-label": "Cumulus job" });
  const head = make("div", "cumulus-head");
  const state = make("span", "cumulus-state");
  const word = make("span", "cumulus-word");
  const name = make("span", "cumulus-name", { dir: "auto" });
  const elapsed = make("span", "cumulus-elapsed");
  const left = make("span", "cumulus-left");
  const times = make("span", "cumulus-times");
  const logButton = makeButton("", "", () => setOpen(!memory.open));
  const logCount = make("span", "cumulus-count");
  const cancelButton = makeButton("Cancel", "Stop this job", cancel);
  const progress = make("div", "cumulus-progress");
  const label = make("span", "cumulus-label");
  const bar = make("div", "cumulus-bar", { role: "progressbar", "aria-valuemin": "0" });
  const fill = make("div", "cumulus-bar-fill");
  const percent = make("span", "cumulus-percent");
  const amount = make("span", "cumulus-amount");
  const facts = make("div", "cumulus-facts");
  const note = make("span", "cumulus-note");
  const reason = make("span", "cumulus-reason");
  const place = make("span", "cumulus-place");
  const usage = make("span", "cumulus-usage");
  const trend = makeDrawing("cumulus-trend", "");
  const problem = make("div", "cumulus-problem");
  const problemText = make("div", "cumulus-problem-text");
  const problemNext = make("div", "cumulus-problem-next");
  const spoken = make("span", "cumulus-spoken", { role: "status", "aria-live": "polite" });
  /** @type {LogPane | null} */
  let pane = null;
  let drawnState = "";
  logButton.append(make("span", "cumulus-log-word"), logCount);
  /** @type {HTMLElement} */ (logButton.firstChild).textContent = "Log";
  cancelButton.classList.add("cumulus-cancel");
  state.append(word);
  times.append(elapsed, left);
  head.append(state, name, times, make("span", "cumulus-spring"), logButton, cancelButton);
  bar.append(fill);
  progress.append(label, bar, percent, amount);
  usage.append(make("span", ""), trend);
  trend.setAttribute("viewBox", "0 0 60 14");
  trend.setAttribute("preserveAspectRatio", "none");
  facts.append(note, reason, place, usage);
  problem.append(problemText, problemNext);
  card.append(head, progress, facts, problem, spoken);
  card.hidden = true;
  root.append(card);

  /** @param {boolean} open */
  function setOpen(open) {
    if (memory.open === open) return;
    memory.open = open;
    memory.lines.clear();
    host.watchLog(open);
    for (const drawAgain of memory.cards) drawAgain();
  }

  function cancel() {
    if (cancelButton.getAttribute("aria-disabled") === "true") return;
    memory.cancelledAt = Date.now();
    host.cancel();
    for (const drawAgain of memory.cards) drawAgain();
  }

  function drawLog() {
    if (memory.open && !pane) {
      pane = createLogPane({
        label: `Log of ${memory.job?.name || "the job"}`,
        lines: memory.lines,
        earlier: () => host.earlier(),
        openLog: host.openLog && (() => host.openLog?.())
      });
      card.append(pane.element);
    } else if (!memory.open && pane) {
      const focused = pane.element.contains(document.activeElement);
      pane.dispose();
      pane = null;
      if (focused) logButton.focus();
    }
    logButton.setAttribute("aria-expanded", String(memory.open));
  }

  /** @param {JobSnapshot} job */
  function drawState(job) {
    const pressed = memory.cancelledAt && Date.now() - memory.cancelledAt < CANCEL_AGAIN_MS;
    const cancelling = !hasEnded(job) && (pressed || job.note.startsWith("cancelling"));
    const shown = cancelling ? "CANCELLING" : job.state;
    cancelButton.hidden = hasEnded(job);
    cancelButton.setAttribute("aria-disabled", String(cancelling));
    say(note, hasEnded(job) || job.note === "cancelling" ? "" : job.note);
    if (shown === drawnState) return;
    drawnState = shown;
    const { word: said, tone, shape } = describeState(shown);
    card.dataset.tone = tone;
    card.dataset.state = shown.toLowerCase();
    word.textContent = said;
    state.querySelector("svg")?.remove();
    state.prepend(makeDrawing("cumulus-icon", shape));
    const why = job.error && job.state === "FAILED" ? `${job.error.message} ${job.error.next}` : job.message;
    spoken.textContent = [`${job.name || "Job"} ${said}`, why].filter(Boolean).join(": ");
  }

  /** @param {JobSnapshot} job */
  function drawTimes(job) {
    const now = memory.now;
    const began = job.started_ms ?? job.created_ms;
    say(elapsed, clock((job.ended_ms ?? now) - began));
    elapsed.title = hasEnded(job) ? "It took this long" : job.started_ms ? "Running for" : "Waiting for";
    let words = "";
    if (!hasEnded(job) && job.started_ms) {
      const seconds = memory.forecast.left(Date.now());
      if (seconds !== null) words = aboutLeft(seconds);
      else if (job.duration_s) words = leftOfDuration(job.duration_s - (now - job.started_ms) / 1000, job.duration_s);
    }
    say(left, words);
  }

  /** @param {JobSnapshot} job */
  function drawProgress(job) {
    const at = hasEnded(job) ? null : job.progress;
    // Once there, its row stays while the job runs: what is below is not to jump with every loop.
    if (!at && !hasEnded(job) && !progress.hidden) return;
    progress.hidden = !at;
    if (!at) return;
    const part = at.total ? Math.min(1, Math.max(0, at.done / at.total)) : null;
    say(label, at.label);
    bar.setAttribute("aria-label", at.label || "Progress");
    bar.classList.toggle("cumulus-unknown", part === null);
    fill.style.transform = part === null ? "" : `scaleX(${part})`;
    percent.textContent = part === null ? "" : `${Math.floor(part * 100)} %`;
    amount.textContent = progressCount(at);
    bar.setAttribute("aria-valuetext", [percent.textContent, amount.textContent].filter(Boolean).join(", "));
    bar.setAttribute("aria-valuemax", "100");
    if (part === null) bar.removeAttribute("aria-valuenow");
    else bar.setAttribute("aria-valuenow", String(Math.floor(part * 100)));
  }

  /** @param {JobSnapshot} job */
  function drawFacts(job) {
    const running = job.state === "RUNNING";
    const waiting = !running && !hasEnded(job);
    const turn = waiting && job.position ? `place ${job.position}` : "";
    const told = job.state === "COMPLETED" || (job.error && job.state === "FAILED") ? "" : job.message;
    say(reason, [turn, running ? "" : told].filter(Boolean).join(" · "));
    say(place, [job.worker && `on ${job.worker}`, job.share].filter(Boolean).join(" · "));
    const used = running ? usageWords(job) : [];
    /** @type {HTMLElement} */ (usage.firstChild).textContent = used.join(" · ");
    usage.hidden = !used.length;
    const bad = job.state === "FAILED" && job.error;
    problem.hidden = !bad;
    say(problemText, bad ? bad.message : "");
    say(problemNext, bad ? bad.next : "");
    drawTrend(running);
  }

  /** @param {boolean} running */
  function drawTrend(running) {
    const now = Date.now();
    const points = memory.trend.map(({ at, percent: used }) =>
      `${(60 - (now - at) / 1000).toFixed(1)} ${(13 - used * 0.12).toFixed(1)}`);
    const enough = points.length > 1 && now - memory.trend[0].at > TREND_LEAST_MS;
    trend.classList.toggle("cumulus-none", !running || !enough);
    trend.firstElementChild?.setAttribute("d", points.length ? `M${points.join("L")}` : "");
  }

  function draw() {
    const job = memory.job;
    if (!job) return;
    card.hidden = false;
    card.setAttribute("aria-label", `Cumulus job ${job.name}`.trim());
    say(name, job.name);
    name.title = `${job.name} (${job.id})`;
    drawState(job);
    drawTimes(job);
    drawProgress(job);
    drawFacts(job);
    say(logCount, job.log_lines ? count(job.log_lines) : "");
    logButton.title = memory.open ? "Close the log" : "Show the log, following";
    logButton.setAttribute("aria-label", job.log_lines === null ? "Log" : `Log, ${count(job.log_lines)} lines`);
    drawLog();
  }

  card.addEventListener("keydown", event => {
    const onButton = event.target instanceof HTMLButtonElement && (event.key === "Enter" || event.key === " ");
    // Notebooks have their own use for these keys, and listen further out.
    if (onButton || (event.key === "Escape" && memory.open)) event.stopPropagation();
    if (event.key === "Escape" && memory.open) setOpen(false);
  });
  progress.hidden = true;
  memory.cards.add(draw);
  const ticking = setInterval(() => {
    const job = memory.job;
    if (!job || hasEnded(job) || document.hidden) return;
    drawState(job);
    drawTimes(job);
    drawTrend(job.state === "RUNNING");
  }, 1000);
  draw();
  return {
    update: job => {
      memory.take(job);
      draw();
      if (job.log_only && !memory.openedItself && !hasEnded(job)) {
        memory.openedItself = true;
        setOpen(true);
      }
    },
    log: (text, skipped) => memory.lines.append(text, skipped),
    dispose: () => {
      clearInterval(ticking);
      memory.cards.delete(draw);
      pane?.dispose();
      card.remove();
      if (!given && memory.open) host.watchLog(false);
    }
  };
}

export { createLogPane };
