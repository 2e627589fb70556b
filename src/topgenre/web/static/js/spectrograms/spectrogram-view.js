/** The four spectrograms that the network read: tabs, a picture, and its numbers in a table. */

import { h } from "../ui/dom.js";
import { clock } from "../ui/format.js";
import { LiveCanvas } from "../ui/live-canvas.js";
import { MARGIN, drawChart } from "./spectrogram-chart.js";
import { Spectrogram } from "./spectrogram.js";
import { tabList } from "../ui/tabs.js";

/**
 * @typedef {import("../types.js").Spectrograms} Spectrograms
 * @typedef {import("../listen/transport.js").Transport} Transport
 */

/** @type {Record<string, [string, string]>} title and what one sees */
const WORDS = {
  full: ["Full", "All of the sound: how loud each frequency is at each moment."],
  harmonic: ["Harmonic", "What lasts: voices, strings, chords. Tones are horizontal lines."],
  percussive: ["Percussive", "What strikes: drums and plucks. Beats are vertical lines."],
  onset: ["Onsets", "Where something begins, in four ranges from bass to treble: the rhythm."],
};

export class SpectrogramView {
  /**
   * @param {Spectrograms} data
   * @param {Transport} transport
   * @param {boolean} isPart whether more was analysed than is shown
   */
  constructor(data, transport, isPart) {
    this.transport = transport;
    this.remark = isPart ? " This is the middle of the track." : "";
    this.time = { start: data.start, end: data.start + data.n_frames * data.hop_seconds };
    this.pictures = new Map(data.channels.map((channel) =>
      [channel.name, new Spectrogram(channel, data.n_frames)]));
    this.current = data.channels[0]?.name ?? "full";
    this.canvas = h("canvas", { role: "img" });
    this.playhead = h("div", { class: "playhead", "aria-hidden": "true", hidden: true });
    this.caption = h("p", { class: "quiet small" });
    this.numbers = h("div", { class: "hidden" });
    const tabs = tabList("Spectrograms", data.channels.map(({ name }) =>
      ({ id: name, words: WORDS[name]?.[0] ?? name })), "spectrogram", (id) => this.choose(id));
    const frame = h("div", { class: "chart" }, this.canvas, this.playhead);
    frame.addEventListener("pointerdown", (event) => this.seek(event));
    this.panel = h("div", { role: "tabpanel", id: "spectrogram", tabindex: 0 },
      this.caption, frame, this.numbers);
    this.element = h("section", { class: "spectrograms", "aria-labelledby": "spectrograms-title" },
      h("h3", { id: "spectrograms-title" }, "Spectrograms"),
      tabs, this.panel);
    this.live = new LiveCanvas(this.canvas, (context, width, height) => {
      const picture = this.pictures.get(this.current);
      if (picture) drawChart(context, width, height, picture, this.time);
    });
    transport.addEventListener("time", () => this.move());
    this.choose(this.current);
    this.move();
  }

  /** @param {string} name */
  choose(name) {
    this.current = /** @type {typeof this.current} */ (name);
    const [title, words] = WORDS[name] ?? [name, ""];
    const { start, end } = this.time;
    this.panel.setAttribute("aria-labelledby", `tab-${name}`);
    this.caption.textContent = words + this.remark;
    this.canvas.setAttribute("aria-label", `${title} spectrogram from ${clock(start)} to ` +
      `${clock(end)}. ${words} A table with its levels follows.`);
    this.numbers.replaceChildren(this.table(name));
    this.live.redraw();
  }

  /** @param {string} name */
  table(name) {
    const picture = this.pictures.get(/** @type {typeof this.current} */ (name));
    const head = ["Frequencies", "Mean", "Greatest"].map((title) =>
      h("th", { scope: "col" }, title));
    const rows = (picture?.summary() ?? []).map(({ band, mean, loudest }) =>
      h("tr", {}, h("th", { scope: "row" }, band), h("td", {}, mean), h("td", {}, loudest)));
    return h("table", {}, h("caption", {}, `${WORDS[name]?.[0] ?? name}: levels by frequency`),
      h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows));
  }

  /** @param {PointerEvent} event */
  seek(event) {
    const box = this.canvas.getBoundingClientRect();
    const width = box.width - MARGIN.left - MARGIN.right;
    const share = (event.clientX - box.left - MARGIN.left) / width;
    if (share < 0 || share > 1 || event.clientY - box.top > box.height - MARGIN.bottom) return;
    this.transport.seek(this.time.start + share * (this.time.end - this.time.start));
  }

  move() {
    const { start, end } = this.time;
    const share = (this.transport.position - start) / (end - start);
    this.playhead.hidden = share < 0 || share > 1 || this.transport.position === 0;
    const width = `(100% - ${MARGIN.left + MARGIN.right}px)`;
    this.playhead.style.left = `calc(${MARGIN.left}px + ${share.toFixed(5)} * ${width})`;
  }

  end() {
    this.live.end();
  }
}
