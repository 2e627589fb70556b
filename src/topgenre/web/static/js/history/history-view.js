/** The list of past results. */

import { announce, byId, download, h } from "../ui/dom.js";
import { asCsv, asJson } from "../result/exports.js";
import { capital, counted, percent } from "../ui/format.js";
import { tone } from "../ui/genres.js";

/**
 * @typedef {import("./history.js").History} History
 * @typedef {import("../types.js").HistoryEntry} HistoryEntry
 */

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
    const button = (/** @type {string} */ words, /** @type {string} */ label,
      /** @type {() => void} */ onclick) => h("button",
      { type: "button", class: "button slight", "aria-label": label, onclick }, words);
    this.root.hidden = !entries.length && !cleared.length;
    if (this.root.hidden) return;
    const tools = entries.length
      ? [
        button("JSON", "Save the history as JSON", () =>
          download(asJson(results), "topgenre-history.json")),
        button("CSV", "Save the history as CSV", () =>
          download(asCsv(results), "topgenre-history.csv")),
        button("Clear", "Clear the history", () => this.clear()),
      ]
      : [
        h("p", {}, "The history is cleared."),
        button("Undo", "Bring the history back", () => this.history.undoClear()),
      ];
    this.root.replaceChildren(
      h("h2", { id: "history-title" }, "History"),
      h("p", { class: "quiet small" }, "All results, kept in this browser without the sound."),
      earlier.length > 0 ? h("ol", { class: "rows" }, ...earlier.map((e) => this.row(e))) : "",
      h("div", { class: "history-tools" }, ...tools),
    );
  }

  /** @param {HistoryEntry} entry */
  row(entry) {
    const { id, when, result } = entry;
    const best = result.genres[0];
    const verdict = result.uncertain || !best
      ? "Not sure" : `${capital(best.genre)} ${percent(best.probability)}`;
    const dot = h("span", { class: `dot ${result.uncertain || !best ? "" : tone(best.genre)}`,
      "aria-hidden": "true" });
    const isCurrent = id === this.current;
    return h("li", { class: isCurrent ? "row current" : "row" },
      h("button", { type: "button", class: "row-open", "aria-current": isCurrent && "true",
        onclick: () => this.open(entry) },
        h("span", { class: "row-name", title: result.path }, result.path),
        h("span", { class: "row-state figures" }, dot, verdict),
        h("time", { class: "row-when quiet", datetime: when }, date(when))));
  }

  clear() {
    const count = this.history.entries.length;
    this.history.clear();
    this.root.querySelector("button")?.focus();
    announce(`${counted(count, "result")} cleared.`);
  }
}

/** @param {string} when */
function date(when) {
  const time = new Date(when);
  return Number.isNaN(time.getTime()) ? "" : DATE.format(time);
}
