/** What a file of the queue is at, in words to see and to hear. */

import { shortVerdict, toneOf, verdictOf } from "../result/verdict.js";
import { announce, h } from "../ui/dom.js";
import { percent, sentence } from "../ui/format.js";

/** @typedef {import("./queue-item.js").Item} Item */

/**
 * @param {Item} item
 * @returns {(string | Node)[]}
 */
export function stateWords(item) {
  switch (item.state) {
    case "waiting": return ["Waiting"];
    case "sending": return [`Sending${share(item)}`];
    case "analysing":
      return [`${item.mode === "whole" ? "Analysing whole track" : "Analysing"}${share(item)}`];
    case "pausing": {
      const seconds = Math.max(0, Math.ceil((item.resumesAt - Date.now()) / 1000));
      return [`Trying again in ${seconds} s`];
    }
    case "cancelled": return ["Cancelled"];
    case "failed": return [item.problem?.title ?? "Failed"];
    case "done": {
      if (!item.result) return [];
      return [h("span", { class: `dot ${toneOf(item.result)}`, "aria-hidden": "true" }),
        shortVerdict(item.result)];
    }
  }
}

/** @param {Item} item */
function share({ progress }) {
  return progress === null ? "" : `, ${Math.floor(100 * progress)}%`;
}

/**
 * Tell those who listen to the page rather than look at it.
 *
 * @param {Item} item
 */
export function say(item) {
  const { result } = item;
  const best = result?.genres[0];
  if (item.state === "cancelled") announce(`${item.name}: cancelled.`);
  else if (item.problem && (item.state === "failed" || item.state === "pausing")) {
    announce(`${item.name}: ${item.problem.title}. ` +
      sentence(item.problem.detail, item.name));
  } else if (item.state === "done" && result && best) {
    announce(`${item.name}: ${verdictOf(result)}; ${best.genre} ${percent(best.probability)}.`);
  }
}
