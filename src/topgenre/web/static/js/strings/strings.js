/**
 * Ten strings, a genre each: the page's picture of itself.
 *
 * They are plucked by a pointer that crosses them, shaken by a microphone, and sound as strongly
 * as genres are probable.
 */

import { lessMotion } from "../ui/dom.js";
import { genres, tone } from "../ui/genres.js";
import { LiveCanvas } from "../ui/live-canvas.js";
import { color } from "../ui/theme.js";
import { Motion } from "./motion.js";
import { SoundString, drawString } from "./sound-string.js";

const LIVE_PACE = 110; // milliseconds; drawing all the time should not take more than hearing

export class Strings {
  /** @type {SoundString[]} */
  strings = [];
  /** Where the pointer was last. */
  lastY = -1;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.live = new LiveCanvas(canvas, (context, width, height) =>
      this.draw(context, width, height));
    this.motion = new Motion(() => this.strings, () => this.live.redraw());
    this.restring();
    canvas.addEventListener("pointermove", (event) => this.cross(event));
    canvas.addEventListener("pointerleave", () => { this.lastY = -1; });
  }

  /** Take a string for each genre. */
  restring() {
    this.strings = genres().map((_, index) => new SoundString(index));
    this.motion.wake();
  }

  /** One after the other, from the first to the last. */
  strum() {
    if (lessMotion()) return;
    this.strings.forEach((string, i) => setTimeout(() => {
      string.pluck(0.28, 8);
      this.motion.wake();
    }, 300 + 55 * i));
  }

  /**
   * Let the strings sound as strongly as the genres are probable.
   *
   * @param {Map<string, number> | null} shares probabilities; null brings the strings to rest
   */
  sound(shares) {
    this.motion.pace = shares ? LIVE_PACE : 0;
    genres().forEach((genre, i) => {
      const string = this.strings[i];
      if (!string) return;
      string.aim = shares?.get(genre) ?? 0;
      string.restAim = shares ? 0 : 1;
      if (lessMotion()) [string.level, string.rest] = [string.aim, string.restAim];
      else if (shares) string.pluck(0.3, 2 + 10 * string.aim);
    });
    this.motion.wake();
  }

  /**
   * Shake all of them.
   *
   * @param {number} strength 0 to 1
   */
  shake(strength) {
    if (lessMotion()) return;
    for (const string of this.strings) string.pluck(0.2 + 0.6 * Math.random(), 12 * strength);
    this.motion.wake();
  }

  /**
   * Show how loud it is, before anybody knows what genre.
   *
   * @param {number | null} level 0 to 1; null when the sound ends
   */
  hear(level) {
    for (const string of this.strings) {
      string.aim = level ?? 0;
      string.restAim = level === null ? 1 : 0;
      if (lessMotion()) [string.level, string.rest] = [string.aim, string.restAim];
      else string.pluck(0.2 + 0.6 * Math.random(), 14 * (level ?? 0));
    }
    this.motion.wake();
  }

  /** @param {PointerEvent} event */
  cross(event) {
    const box = this.canvas.getBoundingClientRect();
    const row = box.height / this.strings.length;
    const [x, y] = [(event.clientX - box.left) / box.width, event.clientY - box.top];
    if (this.lastY >= 0 && !lessMotion()) {
      this.strings.forEach((string, i) => {
        const rest = (i + 0.5) * row;
        if ((this.lastY - rest) * (y - rest) < 0) string.pluck(x, row * 0.42);
      });
      this.motion.wake();
    }
    this.lastY = y;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} width
   * @param {number} height
   */
  draw(context, width, height) {
    const row = height / this.strings.length;
    const time = performance.now() / 1000;
    this.strings.forEach((string, i) => {
      const ink = color(tone(genres()[i] ?? ""));
      drawString(context, string, ink, { x: 0, y: (i + 0.5) * row, width, row }, time);
    });
  }
}
