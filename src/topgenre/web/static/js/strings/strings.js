/**
 * Ten strings, a genre each: the page's picture of itself.
 *
 * They are plucked by a pointer that crosses them, shaken by a microphone, and come to sound as
 * strongly as a result is sure.
 */

import { lessMotion } from "../ui/dom.js";
import { genres, tone } from "../ui/genres.js";
import { LiveCanvas } from "../ui/live-canvas.js";
import { SoundString, drawString } from "./sound-string.js";
import { color } from "../ui/theme.js";

export class Strings {
  /** @type {SoundString[]} */
  strings = [];
  /** Where the pointer was last. */
  lastY = -1;
  lastFrame = 0;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.restring();
    this.live = new LiveCanvas(canvas, (context, width, height) =>
      this.draw(context, width, height));
    canvas.addEventListener("pointermove", (event) => this.cross(event));
    canvas.addEventListener("pointerleave", () => { this.lastY = -1; });
  }

  /** Take a string for each genre that there is now. */
  restring() {
    this.strings = genres().map((_, index) => new SoundString(index));
    this.wake();
  }

  /** One after the other, from the first to the last. */
  strum() {
    if (lessMotion()) return;
    this.strings.forEach((string, i) => setTimeout(() => {
      string.pluck(0.28, 8);
      this.wake();
    }, 300 + 55 * i));
  }

  /**
   * Let the strings sound as strongly as the genres are probable.
   *
   * @param {Map<string, number> | null} shares probabilities; null brings the strings to rest
   */
  sound(shares) {
    genres().forEach((genre, i) => {
      const string = this.strings[i];
      if (!string) return;
      string.aim = shares?.get(genre) ?? 0;
      string.restAim = shares ? 0 : 1;
      if (lessMotion()) [string.level, string.rest] = [string.aim, string.restAim];
      else string.pluck(0.3, 2 + 10 * string.aim);
    });
    this.wake();
  }

  /**
   * Shake all of them.
   *
   * @param {number} strength 0 to 1
   */
  shake(strength) {
    if (lessMotion()) return;
    for (const string of this.strings) string.pluck(0.2 + 0.6 * Math.random(), 12 * strength);
    this.wake();
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
      this.wake();
    }
    this.lastY = y;
  }

  wake() {
    if (!this.lastFrame) {
      this.lastFrame = performance.now();
      requestAnimationFrame((now) => this.frame(now));
    }
  }

  /** @param {number} now milliseconds */
  frame(now) {
    const seconds = Math.min(0.05, Math.max(0, now - this.lastFrame) / 1000);
    for (const string of this.strings) string.step(seconds);
    this.live.redraw();
    const moves = this.strings.some((string) => string.moves);
    this.lastFrame = moves ? now : 0;
    if (moves) requestAnimationFrame((next) => this.frame(next));
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
