/** One spectrogram: its numbers, the picture of them, and where frequencies lie in it. */

import { PIXELS } from "./color-map.js";
import { frequency } from "../ui/format.js";

/** @typedef {import("../types.js").SpectrogramChannel} SpectrogramChannel */

const TICKS = [50, 100, 200, 500, 1000, 2000, 5000, 10_000];

export class Spectrogram {
  /**
   * @param {SpectrogramChannel} channel
   * @param {number} frames
   */
  constructor(channel, frames) {
    this.channel = channel;
    this.frames = frames;
    const text = atob(channel.data);
    this.bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    /** @type {HTMLCanvasElement | null} */
    this.canvas = null;
  }

  /** @returns {HTMLCanvasElement} a pixel for each value, the lowest frequency at the bottom */
  picture() {
    if (this.canvas) return this.canvas;
    const { frames, bytes, channel: { rows } } = this;
    this.canvas = document.createElement("canvas");
    this.canvas.width = frames;
    this.canvas.height = rows;
    const image = new ImageData(frames, rows);
    const pixels = new Uint32Array(image.data.buffer);
    for (let row = 0; row < rows; row += 1) {
      const line = bytes.subarray(row * frames, (row + 1) * frames);
      const begin = (rows - 1 - row) * frames;
      for (let frame = 0; frame < frames; frame += 1) {
        pixels[begin + frame] = PIXELS[line[frame] ?? 0] ?? 0;
      }
    }
    this.canvas.getContext("2d")?.putImageData(image, 0, 0);
    return this.canvas;
  }

  /** @returns {{at: number, words: string}[]} heights from the bottom, 0 to 1 */
  ticks() {
    const { rows, bands_hz: bands } = this.channel;
    if (bands.length > rows) {
      return bands.slice(0, rows).map((low, row) => ({
        at: (row + 0.5) / rows,
        words: `${frequency(low)}–${frequency(bands[row + 1] ?? low)}`,
      }));
    }
    return TICKS.flatMap((hertz) => {
      const above = bands.findIndex((centre) => centre >= hertz);
      if (above < 1) return [];
      const [low, high] = [bands[above - 1] ?? hertz, bands[above] ?? hertz];
      const share = high > low ? (hertz - low) / (high - low) : 0;
      return [{ at: (above - 0.5 + share) / rows, words: frequency(hertz) }];
    });
  }

  /** @returns {{band: string, mean: string, loudest: string}[]} what the picture says in numbers */
  summary() {
    const { rows, bands_hz: bands, unit } = this.channel;
    const isBands = bands.length > rows;
    const step = isBands ? 1 : Math.ceil(rows / 8);
    const parts = [];
    for (let row = 0; row < rows; row += step) {
      const last = Math.min(rows, row + step) - 1;
      const values = this.bytes.subarray(row * this.frames, (last + 1) * this.frames);
      const sum = values.reduce((a, b) => a + b, 0);
      const most = values.reduce((a, b) => Math.max(a, b), 0);
      const words = (/** @type {number} */ byte) =>
        `${this.value(byte).toFixed(1)}${unit === "dB" ? " dB" : ""}`;
      const top = bands[isBands ? row + 1 : last] ?? 0;
      parts.push({
        band: `${Math.round(bands[row] ?? 0)} to ${Math.round(top)} Hz`,
        mean: words(values.length ? sum / values.length : 0),
        loudest: words(most),
      });
    }
    return parts;
  }

  /**
   * @param {number} byte
   * @returns {number}
   */
  value(byte) {
    const { low, high } = this.channel;
    return low + (byte / 255) * (high - low);
  }
}
