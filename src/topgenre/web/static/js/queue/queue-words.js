/** What a file of the queue is at, in words to see and to hear. */

import { announce, h } from "../ui/dom.js";
import { capital, percent, sentence } from "../ui/format.js";
import { tone } from "../ui/genres.js";

/** @typedef {import("./queue-item.js").Item} Item */

/**
 * @param {Item} item
 * @returns {(string | Node)[]}
 */
export function stateWords(item) {
  switch (item.state) {
    case "waiting": return ["Waiting"];
    case "sending": return [`Sending${share(item)}`];
    case "analysing": return [item.mode === "whole" ? `Analysing the whole track${share(item)}` : "Analysing"];
    case "pausing": {
      const seconds = Math.max(0, Math.ceil((item.resumesAt - Date.now()) / 1000));
      return [`Trying again in ${seconds} s`];
    }
    case "cancelled": return ["Cancelled"];
    case "failed": return [item.problem?.title ?? "Failed"];
    case "done": return verdict(item);
  }
}

/** @param {Item} item */
function share({ progress }) {
  return progress === null ? "" : `, ${Math.floor(100 * progress)}%`;
}

/** @param {Item} item */
function verdict(item) {
  const best = item.result?.genres[0];
  if (!item.result || !best) return [];
  const dot = h("span", { class: `dot ${tone(best.genre)}`, "aria-hidden": "true" });
  if (item.result.uncertain) return [h("span", { class: "dot", "aria-hidden": "true" }), "Not sure"];
  return [dot, `${capital(best.genre)} ${percent(best.probability)}`];
}

/**
 * Tell those who listen to the page rather than look at it.
 *
 * @param {Item} item
 */
export function say(item) {
  const best = item.result?.genres[0];
  if (item.state === "analysing") announce(`${item.name}: uploaded, being analysed.`);
  else if (item.state === "cancelled") announce(`${item.name}: cancelled.`);
  else if (item.problem && (item.state === "failed" || item.state === "pausing")) {
    announce(`${item.name}: ${item.problem.title}. ` +
      sentence(item.problem.detail, item.name));
  } else if (item.state === "done" && best) {
    const said = item.result?.uncertain ? "not sure" : `${best.genre}, ${percent(best.probability)}`;
    announce(`${item.name}: ${said}.`);
  }
}
