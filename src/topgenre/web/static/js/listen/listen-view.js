/** The player: a waveform to seek in, and for whole tracks the genres over time beneath it. */

import { toneOf } from "../result/verdict.js";
import { h } from "../ui/dom.js";
import { clock, moment, span } from "../ui/format.js";
import { icon } from "../ui/icons.js";
import { GenreStrip } from "./genre-strip.js";
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
  /** Whether another result has taken its place. */
  ended = false;

  /**
   * @param {Result} result
   * @param {Blob | null} file null where the file is gone
   * @param {Transport} transport
   */
  constructor(result, file, transport) {
    this.transport = transport;
    this.segment = result.segment;
    this.note = h("p", { class: "listen-note quiet small" });
    this.playButton = playButton(transport, "");
    this.time = h("span", { class: "figures" });
    this.partButton = h("button", { type: "button", class: "button slight", onclick: () =>
      transport.playPart(this.segment.start, this.segment.end) }, "Play the analysed part");
    this.partButton.hidden = result.mode === "whole";

    const canvas = h("canvas", { "aria-hidden": "true" });
    const wave = h("div", { class: "wave" }, canvas);
    this.waveform = new Waveform(canvas, this.segment, transport.duration,
      toneOf(result) || "quiet");
    seekSlider(wave, transport, {
      label: "Position in the song",
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
    const title = this.strip ? "Genres over time" : "Player";
    this.element = h("section", { class: "listen", "aria-labelledby": "listen-title" },
      h("h2", { id: "listen-title", class: "section-title" }, title),
      h("div", { class: "player" },
        h("div", { class: "player-controls", hidden: !file }, this.playButton, this.time,
          this.partButton),
        track, this.ruler()),
      this.note);
    if (this.strip) this.element.append(this.strip.element);

    transport.addEventListener("time", () => this.move());
    transport.addEventListener("state", () => this.refresh());
    this.move();
    this.refresh();
    if (file) void this.drawOutline(file);
    else this.note.textContent = "The file itself was not kept. Drop it again to play it.";
  }

  /** @param {Blob} file */
  async drawOutline(file) {
    try {
      const peaks = await outline(file, this.transport.duration);
      if (this.ended) return;
      this.transport.outline = peaks;
      this.waveform.show(peaks);
    } catch (error) {
      this.note.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  ruler() {
    const { start, end } = this.segment;
    const { duration } = this.transport;
    const last = moment(duration, duration < 10);
    if (end - start > 0.95 * duration) {
      return h("div", { class: "ruler figures", "aria-hidden": "true" },
        h("span", {}, "0:00"), h("span", {}, last));
    }
    const middle = ((start + end) / 2 / duration) * 100;
    const label = h("span", { class: "ruler-part" },
      `${span(start, end).replace(" to ", "–")} analysed`);
    label.style.setProperty("--at", `${Math.min(75, Math.max(25, middle))}%`);
    return h("div", { class: "ruler figures", "aria-hidden": "true" },
      h("span", {}, "0:00"), label, h("span", {}, last));
  }

  move() {
    const { position, duration } = this.transport;
    this.playhead.style.left = `${(100 * position) / duration}%`;
    const words = `${clock(position)} / ${clock(duration)}`;
    if (this.time.textContent !== words) this.time.textContent = words;
  }

  refresh() {
    const { playable } = this.transport;
    this.partButton.disabled = !playable;
    if (playable === false && !this.note.textContent) {
      this.note.textContent = "This browser cannot play the format.";
    }
  }

  end() {
    this.ended = true;
    this.waveform.end();
    this.strip?.end();
  }
}

/**
 * @param {Transport} transport
 * @param {string} what is played, for screen readers; may be empty
 * @param {string} [classes]
 * @returns {HTMLButtonElement} plays and pauses
 */
export function playButton(transport, what, classes = "button primary round") {
  const button = h("button", { type: "button", class: classes,
    onclick: () => transport.toggle() });
  const refresh = () => {
    const { playing, playable } = transport;
    const words = `${playing ? "Pause" : "Play"} ${what}`.trim();
    button.replaceChildren(icon(playing ? "pause" : "play"));
    button.setAttribute("aria-label", words);
    button.title = words;
    button.disabled = !playable;
  };
  transport.addEventListener("state", refresh);
  refresh();
  return button;
}
