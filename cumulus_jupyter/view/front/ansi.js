/**
 * The looks of text, as terminals know them: what SGR sequences make of it, and how a page draws it.
 */
import { make } from "./elements.js";

/**
 * How a span looks. Colours are indexes 0..255 or "#rrggbb"; `null` is the page's own.
 * @typedef {{fg: number | string | null, bg: number | string | null, bold: boolean, dim: boolean, italic: boolean,
 *   underline: boolean, strike: boolean, inverse: boolean}} Style
 */
/** @typedef {{text: string, style: Style | null}} Span */

/** @type {Style} */
const PLAIN = Object.freeze({
  fg: null, bg: null, bold: false, dim: false, italic: false, underline: false, strike: false, inverse: false
});

/** What the codes of one SGR sequence make of a style; `null` is a style without anything.
 * @param {Style | null} before @param {string} codes @returns {Style | null} */
export function restyle(before, codes) {
  const style = { ...(before ?? PLAIN) };
  const numbers = codes.split(/[;:]/).map(Number);
  for (let i = 0; i < numbers.length; i++) {
    const code = numbers[i];
    if (code === 0) Object.assign(style, PLAIN);
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4 || code === 21) style.underline = true;
    else if (code === 7) style.inverse = true;
    else if (code === 9) style.strike = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 27) style.inverse = false;
    else if (code === 29) style.strike = false;
    else if (code >= 30 && code <= 37) style.fg = code - 30;
    else if (code >= 40 && code <= 47) style.bg = code - 40;
    else if (code >= 90 && code <= 97) style.fg = code - 82;
    else if (code >= 100 && code <= 107) style.bg = code - 92;
    else if (code === 39) style.fg = null;
    else if (code === 49) style.bg = null;
    else if (code === 38 || code === 48) {
      const wide = numbers[i + 1] === 2;
      const colour = wide ? hex(numbers.slice(i + 2, i + 5)) : Math.min(255, numbers[i + 2] || 0);
      if (code === 38) style.fg = colour;
      else style.bg = colour;
      i += wide ? 4 : 2;
    }
  }
  const plain = /** @type {(keyof Style)[]} */ (Object.keys(PLAIN)).every(key => style[key] === PLAIN[key]);
  return plain ? null : style;
}

/** @param {number[]} rgb */
function hex(rgb) {
  const part = (/** @type {number | undefined} */ value) =>
    Math.min(255, value || 0).toString(16).padStart(2, "0");
  return "#" + part(rgb[0]) + part(rgb[1]) + part(rgb[2]);
}

/** The colour of an index of 16..255. @param {number} index */
function indexedColour(index) {
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return hex([grey, grey, grey]);
  }
  const level = (/** @type {number} */ part) => (part ? 55 + part * 40 : 0);
  const cube = index - 16;
  return hex([level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)]);
}

/** @param {number | string | null} colour @param {boolean} bold */
function cssColour(colour, bold) {
  if (typeof colour !== "number") return colour ?? "";
  return colour < 16 ? `var(--cumulus-ansi-${bold && colour < 8 ? colour + 8 : colour})` : indexedColour(colour);
}

/** @param {string} text @param {Style | null} style */
export function drawSpan(text, style) {
  if (!style) return text;
  const kinds = /** @type {(keyof Style)[]} */ (["bold", "dim", "italic", "underline", "strike"]);
  const span = make("span", kinds.filter(kind => style[kind]).map(kind => `cumulus-ansi-${kind}`).join(" "));
  span.textContent = text;
  const [front, back] = [cssColour(style.fg, style.bold), cssColour(style.bg, false)];
  if (style.inverse) {
    span.style.color = back || "var(--cumulus-log-ground)";
    span.style.background = front || "var(--cumulus-log-text)";
  } else if (back) {
    span.style.color = front || "var(--cumulus-log-text)";
    span.style.background = back;
  } else if (front.startsWith("#")) {
    // Any colour may come, on a light page or a dark one: the style sheet keeps it readable.
    span.classList.add("cumulus-ansi-any");
    span.style.setProperty("--cumulus-colour", front);
  } else span.style.color = front;
  return span;
}
