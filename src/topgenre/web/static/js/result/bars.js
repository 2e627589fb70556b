/** The ranking: a bar for each of the n most probable genres. It is a list, and reads as one. */

import { BarStrings } from "../strings/bar-strings.js";
import { h } from "../ui/dom.js";
import { percent } from "../ui/format.js";
import { displayName, tone } from "../ui/genres.js";
import { recall, remember } from "../ui/storage.js";
import { tierOf } from "./verdict.js";

/**
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("../listen/transport.js").Transport} Transport
 */

const DEFAULT = 5;

export class Bars {
  /**
   * @param {Result} result
   * @param {Transport} transport
   */
  constructor(result, transport) {
    this.result = result;
    this.most = result.genres.length;
    this.strings = new BarStrings(result, transport);
    /** How many genres are shown. */
    this.top = Math.min(this.most, recall("top", DEFAULT, isCount));
    this.list = h("ol", { class: `bars ${tierOf(result)}`,
      "aria-label": "Genres, most probable first" });
    this.count = h("output", { for: "top" }, this.top);
    const slider = h("input", { type: "range", id: "top", min: 1, max: this.most, step: 1,
      value: this.top, oninput: () => this.show(Number(slider.value)) });
    this.slider = h("div", { class: "slider" },
      h("label", { for: "top" }, "Genres shown"), slider, this.count);
    this.list.append(...result.genres.map((_, i) => this.row(i)));
    transport.addEventListener("state", () =>
      this.list.classList.toggle("playing", transport.playing));
    this.show(this.top);
  }

  /** @param {number} top */
  show(top) {
    this.top = top;
    this.count.textContent = String(top);
    [...this.list.children].forEach((row, i) => { row.toggleAttribute("hidden", i >= top); });
    remember("top", top);
  }

  /** @param {number} index */
  row(index) {
    const { genre, probability } = this.result.genres[index] ?? { genre: "", probability: 0 };
    const fill = h("span", { class: "bar-fill" });
    fill.style.setProperty("--share", String(probability));
    fill.style.setProperty("--turn", String(index));
    return h("li", { class: `bar ${tone(genre)}` },
      h("span", { class: "bar-genre" }, displayName(genre)),
      h("span", { class: "bar-track", "aria-hidden": "true" }, fill, this.strings.canvases[index]),
      h("span", { class: "bar-percent figures" }, percent(probability)));
  }

  end() {
    this.strings.end();
  }
}

/**
 * @param {unknown} value
 * @returns {value is number}
 */
function isCount(value) {
  return typeof value === "number" && Number.isInteger(value) && value >= 1;
}
