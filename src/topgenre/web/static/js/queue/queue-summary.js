/** Above the list: how many are done, which genres came out, and what can be done with all. */

import { asCsv, asJson } from "../result/exports.js";
import { toneOf, tierOf } from "../result/verdict.js";
import { byId, download, h } from "../ui/dom.js";
import { displayName, tone } from "../ui/genres.js";
import { menu } from "../ui/menu.js";

/**
 * @typedef {import("./queue-item.js").Item} Item
 * @typedef {import("./queue.js").Queue} Queue
 */

const FILTER_FROM = 8; // files

export class QueueSummary {
  /** A genre, "" for those that it is not sure of, or null for all. */
  /** @type {string | null} */
  genre = null;
  text = "";

  /**
   * @param {Queue} queue
   * @param {() => void} refilter
   */
  constructor(queue, refilter) {
    this.queue = queue;
    this.refilter = refilter;
    this.count = h("p", { class: "queue-count small quiet figures" });
    this.exports = menu("down", "Export", [
      { words: "All as JSON", act: () => download(asJson(this.results), "topgenre.json") },
      { words: "All as CSV", act: () => download(asCsv(this.results), "topgenre.csv") },
    ], "Export all");
    const clear = h("button", { type: "button", class: "button slight",
      "aria-label": "Clear your files", onclick: () => {
        queue.remove(queue.items);
        byId("choose").focus();
      } }, "Clear");
    this.chips = h("ul", { class: "chips queue-genres", "aria-label": "Genres of your files" });
    this.search = h("input", { type: "search", class: "field slight", placeholder: "Filter",
      "aria-label": "Filter your files", oninput: () => {
        this.text = this.search.value.trim().toLowerCase();
        refilter();
      } });
    this.element = h("div", { class: "queue-head" },
      h("div", { class: "queue-title" }, h("h2", { id: "queue-title" }, "Your files"), this.count),
      h("div", { class: "queue-tools" }, this.exports, clear),
      this.chips, this.search);
  }

  get results() {
    return this.queue.items.flatMap(({ result }) => result ? [result] : []);
  }

  render() {
    const { items } = this.queue;
    const done = items.filter(({ result }) => result).length;
    const failed = items.filter(({ hopeless }) => hopeless).length;
    this.count.textContent = `${done} of ${items.length} done` +
      (failed ? ` · ${failed} failed` : "");
    this.exports.hidden = !done;
    this.search.hidden = items.length < FILTER_FROM;
    this.renderGenres();
  }

  renderGenres() {
    const counts = new Map();
    for (const item of this.queue.items) {
      if (!item.result) continue;
      counts.set(genreOf(item), (counts.get(genreOf(item)) ?? 0) + 1);
    }
    if (this.genre !== null && !counts.has(this.genre)) this.genre = null;
    const ranked = [...counts].sort(([, a], [, b]) => b - a);
    const looks = JSON.stringify([ranked, this.genre]);
    if (this.chips.dataset.looks === looks) return;
    this.chips.dataset.looks = looks;
    this.chips.hidden = this.queue.items.length < 3 || ranked.length < 2;
    const focused = document.activeElement instanceof HTMLElement &&
      this.chips.contains(document.activeElement) ? document.activeElement.dataset.genre : null;
    this.chips.replaceChildren(...ranked.map(([genre, count]) => {
      const chip = h("button", { type: "button", "data-genre": genre,
        class: `chip ${genre ? tone(genre) : ""}`, "aria-pressed": String(genre === this.genre),
        onclick: () => {
          this.genre = genre === this.genre ? null : genre;
          this.renderGenres();
          this.refilter();
        } }, h("span", { class: "dot", "aria-hidden": "true" }),
      genre ? displayName(genre) : "Not sure", h("span", { class: "figures" }, count));
      return h("li", {}, chip);
    }));
    if (focused != null) {
      const chip = this.chips.querySelector(`[data-genre="${CSS.escape(focused)}"]`);
      if (chip instanceof HTMLElement) chip.focus();
    }
  }

  /**
   * @param {Item} item
   * @returns {boolean}
   */
  shows(item) {
    if (this.genre !== null && (!item.result || genreOf(item) !== this.genre)) return false;
    const { title = "", artist = "" } = item.result?.song ?? {};
    return `${item.name} ${title ?? ""} ${artist ?? ""}`.toLowerCase().includes(this.text);
  }
}

/**
 * @param {Item} item
 * @returns {string} "" where the result names no genre
 */
function genreOf({ result }) {
  if (!result || tierOf(result) === "unsure" || !toneOf(result)) return "";
  return result.genres[0]?.genre ?? "";
}
