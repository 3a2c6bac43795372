/**
 * The card as an anywidget: fed by the kernel, through the trait `snapshot` and custom messages.
 *
 * From the kernel: {kind: "log", text, skipped}, {kind: "earlier", text}. To it: {kind: "cancel"},
 * {kind: "watch", open}, {kind: "earlier"}. anywidget calls the default export once for each model, so what its
 * views share is in the variables of that call.
 */
import { createCard, createMemory } from "./card.js";

/**
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(event: string, callback: (...args: any[]) => void) => void} on
 * @property {(event: string, callback: (...args: any[]) => void) => void} off
 * @property {(content: object) => void} send
 */

export default () => {
  const memory = createMemory();
  /** What is told of text before the log's first line. @type {((text: string | null) => void)[]} */
  let waiting = [];

  /** @param {string | null} text */
  const answer = text => {
    const told = waiting;
    waiting = [];
    for (const tell of told) tell(text);
  };

  return {
    /** @param {{model: Model}} context */
    initialize({ model }) {
      /** @param {{kind: string, text?: string | null, skipped?: number}} message */
      const take = message => {
        if (message.kind === "log" && memory.open) memory.lines.append(message.text ?? "", message.skipped);
        if (message.kind === "earlier") answer(message.text ?? null);
      };
      model.on("msg:custom", take);
      return () => model.off("msg:custom", take);
    },

    /** @param {{model: Model, el: HTMLElement}} context */
    render({ model, el }) {
      const card = createCard(el, {
        cancel: () => model.send({ kind: "cancel" }),
        watchLog: open => {
          answer(null);
          model.send({ kind: "watch", open });
        },
        earlier: () => new Promise(tell => {
          waiting.push(tell);
          if (waiting.length === 1) model.send({ kind: "earlier" });
        })
      }, memory);
      const update = () => {
        const snapshot = model.get("snapshot");
        if (snapshot?.state) card.update(snapshot);
      };
      model.on("change:snapshot", update);
      update();
      return () => {
        model.off("change:snapshot", update);
        card.dispose();
      };
    }
  };
};
