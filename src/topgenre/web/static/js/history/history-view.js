/** The list of past results. */

import { asCsv, asJson } from "../result/exports.js";
import { songName } from "../result/song-head.js";
import { shortVerdict, toneOf } from "../result/verdict.js";
import { announce, byId, download, h } from "../ui/dom.js";
import { counted } from "../ui/format.js";
import { menu } from "../ui/menu.js";
import { recall, remember } from "../ui/storage.js";

/**
 * @typedef {import("./history.js").History} History
 * @typedef {import("../types.js").HistoryEntry} HistoryEntry
 */

const OPEN = "history-open";
const DATE = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

export class HistoryView {
  /** @type {string | null} */
  current = null;
  /** Entries that the queue shows already. */
  elsewhere = new Set(/** @type {string[]} */ ([]));

  /**
   * @param {History} history
   * @param {(entry: HistoryEntry) => void} open
   */
  constructor(history, open) {
    this.history = history;
    this.open = open;
    this.root = byId("history");
    history.addEventListener("change", () => this.render());
    this.render();
  }

  /** @param {string | null} id of the entry that is shown */
  setCurrent(id) {
    if (this.current === id) return;
    this.current = id;
    this.render();
  }

  /** @param {Set<string>} ids */
  setElsewhere(ids) {
    this.elsewhere = ids;
    this.render();
  }

  render() {
    const { entries, cleared } = this.history;
    const earlier = entries.filter(({ id }) => !this.elsewhere.has(id));
    const results = entries.map(({ result }) => result);
    this.root.hidden = !earlier.length && !cleared.length;
    if (this.root.hidden) return;
    const button = (/** @type {string} */ words, /** @type {string} */ label,
      /** @type {() => void} */ onclick) => h("button",
      { type: "button", class: "button slight", "aria-label": label, onclick }, words);
    const tools = earlier.length
      ? [
        menu("down", "Export", [
          { words: "All as JSON", act: () => download(asJson(results), "topgenre-history.json") },
          { words: "All as CSV", act: () => download(asCsv(results), "topgenre-history.csv") },
        ], "Export the history"),
        button("Clear", "Clear the history", () => this.clear()),
      ]
      : [
        h("p", { class: "small" }, "The history is cleared."),
        button("Undo", "Bring the history back", () => this.history.undoClear()),
      ];
    const details = h("details", { ontoggle: () => remember(OPEN, details.open) },
      h("summary", {}, h("h2", { id: "history-title" }, "Earlier results"),
        earlier.length > 0 && h("span", { class: "quiet small figures" }, earlier.length)),
      h("p", { class: "quiet small" }, "Kept in this browser only, without the files."),
      earlier.length > 0 && h("ol", { class: "rows" }, ...earlier.map((e) => this.row(e))),
      h("div", { class: "history-tools" }, ...tools));
    details.open = recall(OPEN, true, (value) => typeof value === "boolean");
    this.root.replaceChildren(details);
  }

  /** @param {HistoryEntry} entry */
  row(entry) {
    const { id, when, result } = entry;
    const isCurrent = id === this.current;
    return h("li", { class: isCurrent ? "row current" : "row" },
      h("button", { type: "button", class: "row-open", "aria-current": isCurrent && "true",
        onclick: () => this.open(entry) },
        h("span", { class: "row-name", title: result.path }, songName(result, result.path)),
        h("span", { class: "row-state figures" },
          h("span", { class: `dot ${toneOf(result)}`, "aria-hidden": "true" }),
          shortVerdict(result)),
        h("time", { class: "row-when quiet", datetime: when }, date(when))));
  }

  clear() {
    const count = this.history.entries.length;
    this.history.clear();
    this.root.querySelector("summary")?.focus();
    announce(`${counted(count, "result")} cleared.`);
  }
}

/** @param {string} when */
function date(when) {
  const time = new Date(when);
  return Number.isNaN(time.getTime()) ? "" : DATE.format(time);
}
