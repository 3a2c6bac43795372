/**
 * Small makers of page elements. Whatever comes from a job goes in as text, never as markup.
 */

/** @param {string} tag @param {string} className @param {Record<string, string>} [attributes] */
export function make(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** @param {string} text @param {string} hint @param {() => void} action */
export function makeButton(text, hint, action) {
  const button = make("button", "cumulus-button", { type: "button", title: hint });
  button.textContent = text;
  button.addEventListener("click", action);
  return button;
}

/** A drawing of 16 by 16 units. @param {string} className @param {string} path */
export function makeDrawing(className, path) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  for (const [name, value] of [["class", className], ["viewBox", "0 0 16 16"], ["aria-hidden", "true"]]) {
    drawing.setAttribute(name, value);
  }
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  drawing.append(line);
  return drawing;
}

/** @param {string} text */
export async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages that came over plain HTTP have no clipboard to write to, but may answer a copy.
    const answer = (/** @type {ClipboardEvent} */ event) => {
      event.clipboardData?.setData("text/plain", text);
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    document.addEventListener("copy", answer, { capture: true, once: true });
    document.execCommand("copy");
    document.removeEventListener("copy", answer, { capture: true });
  }
}
