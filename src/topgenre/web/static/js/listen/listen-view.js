/** The player: a waveform to seek in, and for whole tracks the genres over time beneath it. */

import { h } from "../ui/dom.js";
import { clock } from "../ui/format.js";
import { GenreStrip } from "./genre-strip.js";
import { tone } from "../ui/genres.js";
import { icon } from "../ui/icons.js";
import { seekSlider } from "./seek-slider.js";
import { Waveform, outline } from "./waveform.js";

/**
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("./transport.js").Transport} Transport
 */

const ARROW_SECONDS = 5;

export class ListenView {
  /** @type {GenreStrip | null} */
  strip = null;

  /**
   * @param {Result} result
   * @param {Blob | null} file null where the sound is gone
   * @param {Transport} transport
   */
  constructor(result, file, transport) {
    this.transport = transport;
    this.segment = result.segment;
    this.note = h("p", { class: "listen-note quiet small" });
    this.playButton = h("button", { type: "button", class: "button primary round",
      onclick: () => transport.toggle() });
    this.time = h("span", { class: "figures" });
    this.partButton = h("button", { type: "button", class: "button slight", onclick: () =>
      transport.playPart(this.segment.start, this.segment.end) }, "Play the analysed part");
    this.partButton.hidden = result.mode === "whole";

    const best = result.genres[0]?.genre ?? "";
    const canvas = h("canvas", { "aria-hidden": "true" });
    const wave = h("div", { class: "wave" }, canvas);
    const ink = result.uncertain ? "quiet" : tone(best);
    this.waveform = new Waveform(canvas, this.segment, transport.duration, ink);
    seekSlider(wave, transport, {
      label: "Position in the sound",
      words: () => `${clock(transport.position)} of ${clock(transport.duration)}`,
      step: (position, forward) => position + (forward ? ARROW_SECONDS : -ARROW_SECONDS),
    });
    this.playhead = h("div", { class: "playhead", "aria-hidden": "true" });
    const track = h("div", { class: "track" }, wave);
    if (result.timeline?.length) {
      this.strip = new GenreStrip(result, transport);
      track.append(this.strip.slider);
    }
    track.append(this.playhead);
    this.element = h("section", { class: "listen", "aria-labelledby": "listen-title" },
      h("h3", { id: "listen-title", class: "section-title" }, result.mode === "whole" ? "Listen through it" : "Listen"),
      h("div", { class: "player", hidden: !file }, this.playButton, this.time, this.partButton),
      track, this.ruler(), this.note);
    if (this.strip) this.element.append(this.strip.element);

    transport.addEventListener("time", () => this.move());
    transport.addEventListener("state", () => this.refresh());
    this.move();
    this.refresh();
    if (file) void this.drawOutline(file);
    else this.note.textContent = "The sound itself was not kept; drop the file again to hear it.";
  }

  /** @param {Blob} file */
  async drawOutline(file) {
    try {
      this.waveform.show(await outline(file, this.transport.duration));
    } catch (error) {
      this.note.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  ruler() {
    const { start, end } = this.segment;
    const { duration } = this.transport;
    if (end - start > 0.95 * duration) {
      return h("div", { class: "ruler figures", "aria-hidden": "true" },
        h("span", {}, "0:00"), h("span", {}, clock(duration)));
    }
    const middle = ((start + end) / 2 / duration) * 100;
    const label = h("span", { class: "ruler-part" },
      `${clock(start)}–${clock(end)} analysed`);
    label.style.setProperty("--at", `${Math.min(80, Math.max(20, middle))}%`);
    return h("div", { class: "ruler figures", "aria-hidden": "true" },
      h("span", {}, "0:00"), label, h("span", {}, clock(duration)));
  }

  move() {
    const { position, duration } = this.transport;
    this.playhead.style.left = `${(100 * position) / duration}%`;
    const words = `${clock(position)} / ${clock(duration)}`;
    if (this.time.textContent !== words) this.time.textContent = words;
  }

  refresh() {
    const { playing, playable } = this.transport;
    const words = playing ? "Pause" : "Play";
    this.playButton.replaceChildren(icon(playing ? "pause" : "play"));
    this.playButton.setAttribute("aria-label", words);
    this.playButton.title = words;
    this.playButton.disabled = this.partButton.disabled = !playable;
    if (playable === false && !this.note.textContent) {
      this.note.textContent = "This browser cannot play the format; you see the time range only.";
    }
  }

  end() {
    this.waveform.end();
    this.strip?.end();
  }
}
