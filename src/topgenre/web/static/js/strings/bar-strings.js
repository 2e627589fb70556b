/**
 * The bars of the ranking as strings: while the song plays, each moves with its genre's
 * probability at that moment and with how loud the song is.
 */

import { h, lessMotion } from "../ui/dom.js";
import { tone } from "../ui/genres.js";
import { LiveCanvas } from "../ui/live-canvas.js";
import { color } from "../ui/theme.js";
import { Motion } from "./motion.js";
import { SoundString, drawString } from "./sound-string.js";

/**
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("../listen/transport.js").Transport} Transport
 */

export class BarStrings {
  /** A canvas for each bar, in the order of the ranking. */
  /** @type {HTMLCanvasElement[]} */
  canvases;
  playing = false;

  /**
   * @param {Result} result
   * @param {Transport} transport
   */
  constructor(result, transport) {
    this.result = result;
    this.transport = transport;
    this.strings = result.genres.map((_, index) => {
      const string = new SoundString(index);
      string.rest = string.restAim = 0;
      return string;
    });
    this.canvases = result.genres.map(() => h("canvas", { class: "bar-string",
      "aria-hidden": "true" }));
    this.live = this.canvases.map((canvas, i) => new LiveCanvas(canvas,
      (context, width, height) => this.draw(i, context, width, height)));
    this.motion = new Motion(() => this.strings, () => {
      for (const live of this.live) live.redraw();
    });
    transport.addEventListener("state", () => this.follow());
    transport.addEventListener("time", () => this.sound());
  }

  /** @returns {(genre: string) => number} the probability of a genre at this moment */
  get now() {
    const window = this.transport.windowAt(this.result.timeline ?? []);
    const overall = new Map(this.result.genres.map((best) => [best.genre, best.probability]));
    return (genre) => window?.probabilities[genre] ?? overall.get(genre) ?? 0;
  }

  follow() {
    const { playing } = this.transport;
    if (playing === this.playing) return;
    this.playing = playing;
    if (!playing) for (const string of this.strings) string.aim = 0;
    this.sound();
    this.motion.wake();
  }

  sound() {
    if (!this.playing) return;
    const { now } = this;
    const loudness = this.transport.loudness();
    this.strings.forEach((string, i) => {
      string.aim = now(this.result.genres[i]?.genre ?? "");
      if (!lessMotion()) string.pluck(0.3, 9 * string.aim * loudness);
    });
    this.motion.wake();
  }

  /**
   * @param {number} index
   * @param {CanvasRenderingContext2D} context
   * @param {number} width
   * @param {number} height
   */
  draw(index, context, width, height) {
    const string = this.strings[index];
    if (!string || (!this.playing && !string.moves)) return;
    const ink = color(tone(this.result.genres[index]?.genre ?? ""));
    drawString(context, string, ink, { x: 0, y: height / 2, width, row: height },
      performance.now() / 1000);
  }

  end() {
    for (const live of this.live) live.end();
  }
}
