/** Genres over time: a column for each window of a whole track, its genres stacked by share. */

import { h } from "../ui/dom.js";
import { clock, percent } from "../ui/format.js";
import { displayName, spoken, tone } from "../ui/genres.js";
import { LiveCanvas } from "../ui/live-canvas.js";
import { seekSlider } from "./seek-slider.js";
import { color } from "../ui/theme.js";

/**
 * @typedef {import("../types.js").TimelineWindow} TimelineWindow
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("./transport.js").Transport} Transport
 */

export class GenreStrip {
  /**
   * @param {Result} result of a whole track
   * @param {Transport} transport
   */
  constructor(result, transport) {
    this.windows = result.timeline ?? [];
    this.order = result.genres.map(({ genre }) => genre);
    this.transport = transport;
    const canvas = h("canvas", { "aria-hidden": "true" });
    this.slider = h("div", { class: "strip" }, canvas);
    this.readout = h("p", { class: "strip-readout figures" });
    this.element = h("div", { class: "strip-more" }, this.readout, this.legend(), this.table());
    this.live = new LiveCanvas(canvas, (context, width, height) =>
      this.draw(context, width, height));
    seekSlider(this.slider, transport, {
      label: "Genres over time",
      words: () => this.words(),
      step: (position, forward) => this.neighbour(position, forward),
    });
    transport.addEventListener("time", () => this.tell());
    this.tell();
  }

  /** @returns {TimelineWindow | undefined} */
  get window() {
    return this.transport.windowAt(this.windows);
  }

  /**
   * @param {number} position
   * @param {boolean} forward
   * @returns {number} where the next or the last window begins
   */
  neighbour(position, forward) {
    const starts = this.windows.map(({ start }) => start);
    const there = forward
      ? starts.find((start) => start > position + 0.1)
      : starts.findLast((start) => start < position - 0.1);
    return there ?? position;
  }

  /** @returns {string} */
  words() {
    const { window } = this;
    if (!window) return `${clock(this.transport.position)}: not analysed`;
    const best = ranked(window).slice(0, 3);
    return `${clock(window.start)} to ${clock(window.end)}: ` +
      best.map(([genre, share]) => `${spoken(genre)} ${percent(share)}`).join(", ");
  }

  tell() {
    const words = this.words();
    if (this.readout.textContent !== words) this.readout.textContent = words;
  }

  legend() {
    const shown = this.order.filter((genre) =>
      this.windows.some(({ probabilities }) => (probabilities[genre] ?? 0) >= 0.1));
    return h("ul", { class: "legend", "aria-label": "Colours of the genres" },
      ...shown.map((genre) => h("li", {},
        h("span", { class: `dot ${tone(genre)}`, "aria-hidden": "true" }), displayName(genre))));
  }

  table() {
    const rows = this.windows.map((window) => h("tr", {},
      h("th", { scope: "row" }, `${clock(window.start)} to ${clock(window.end)}`),
      ...ranked(window).slice(0, 3).map(([genre, share]) =>
        h("td", {}, `${spoken(genre)} ${percent(share)}`))));
    return h("div", { class: "hidden" }, h("table", {},
      h("caption", {}, "The three most probable genres over time"),
      h("thead", {}, h("tr", {}, ...["Time", "First", "Second", "Third"].map((title) =>
        h("th", { scope: "col" }, title)))),
      h("tbody", {}, ...rows)));
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} width
   * @param {number} height
   */
  draw(context, width, height) {
    const scale = width / this.transport.duration;
    context.fillStyle = color("well");
    context.fillRect(0, 0, width, height);
    this.windows.forEach((window, i) => {
      // Windows may overlap a little; each is shown until the next one begins.
      const end = Math.min(window.end, this.windows[i + 1]?.start ?? Infinity);
      const [left, right] = [window.start * scale, end * scale];
      const gap = right - left > 6 ? 1 : 0;
      let floor = height;
      for (const genre of this.order) {
        const tall = (window.probabilities[genre] ?? 0) * height;
        context.fillStyle = color(tone(genre));
        context.fillRect(left, floor - tall, right - left - gap, Math.max(0, tall - 0.75));
        floor -= tall;
      }
    });
  }

  end() {
    this.live.end();
  }
}

/**
 * @param {TimelineWindow} window
 * @returns {[string, number][]}
 */
function ranked(window) {
  return Object.entries(window.probabilities).sort((a, b) => b[1] - a[1]);
}
