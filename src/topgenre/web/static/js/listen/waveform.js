/** The outline of a sound: decoded by the browser, drawn with the analysed part marked. */

import { LiveCanvas } from "../ui/live-canvas.js";
import { color } from "../ui/theme.js";

const POINTS = 1600; // of the outline
const RATE = 11_025; // the browser resamples to it, which saves memory
const LONGEST = 1800; // seconds; a decoded sound lies in memory as a whole
const LARGEST = 120e6; // bytes
const PARTS_AT_ONCE = 100; // between which the page may do something else

/**
 * @param {Blob} file
 * @param {number} duration seconds
 * @returns {Promise<Float32Array>} greatest magnitude in each of equal parts, 0 to 1
 * @throws {Error} in words for the visitor
 */
export async function outline(file, duration) {
  if (duration > LONGEST || file.size > LARGEST) {
    throw new Error("The file is too long to draw its waveform here.");
  }
  /** @type {AudioBuffer} */
  let sound;
  try {
    const context = new OfflineAudioContext(1, 1, RATE);
    sound = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error("This browser cannot decode the format, so there is no waveform.");
  }
  const samples = sound.getChannelData(0);
  const peaks = new Float32Array(POINTS);
  const part = (duration * RATE) / POINTS; // on the engine's clock, not the decoder's
  for (let begin = 0, at = 0; at < POINTS; at += 1) {
    const end = Math.min(samples.length, Math.round((at + 1) * part));
    let peak = 0;
    for (let i = begin; i < end; i += 1) {
      const height = Math.abs(samples[i] ?? 0);
      if (height > peak) peak = height;
    }
    peaks[at] = peak;
    begin = end;
    if (at % PARTS_AT_ONCE === 0) await pause();
  }
  const loudest = peaks.reduce((a, b) => Math.max(a, b), 1e-6);
  return peaks.map((peak) => peak / loudest);
}

/** @returns {Promise<void>} */
function pause() {
  return new Promise((resolve) => setTimeout(resolve));
}

export class Waveform {
  /** @type {Float32Array | null} */
  peaks = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{start: number, end: number}} segment the analysed part, in seconds
   * @param {number} duration
   * @param {string} tone of the analysed part
   */
  constructor(canvas, segment, duration, tone) {
    this.from = segment.start / duration;
    this.to = Math.min(1, segment.end / duration);
    this.tone = tone;
    this.live = new LiveCanvas(canvas, (context, width, height) =>
      this.draw(context, width, height));
  }

  /** @param {Float32Array} peaks */
  show(peaks) {
    this.peaks = peaks;
    this.live.redraw();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} width
   * @param {number} height
   */
  draw(context, width, height) {
    const middle = height / 2;
    const left = this.from * width;
    const right = Math.max(left + 2, this.to * width);
    context.fillStyle = color(this.tone);
    if (this.to - this.from < 0.95) {
      context.globalAlpha = 0.14;
      context.fillRect(left, 0, right - left, height);
      context.globalAlpha = 1;
      context.fillRect(left, 0, right - left, 3);
      context.fillRect(left, height - 3, right - left, 3);
    }
    const step = 3;
    for (let x = 0; x < width; x += step) {
      const inside = x + 1 >= left && x + 1 <= right;
      context.fillStyle = color(inside ? this.tone : "edge");
      const half = Math.max(0.5, this.peak(x / width, (x + step) / width) * (middle - 8));
      context.fillRect(x, middle - half, step - 1, 2 * half);
    }
  }

  /**
   * @param {number} from
   * @param {number} to
   * @returns {number}
   */
  peak(from, to) {
    if (!this.peaks) return 0;
    const [first, last] = [Math.floor(from * POINTS), Math.ceil(to * POINTS)];
    return this.peaks.subarray(first, last).reduce((a, b) => Math.max(a, b), 0);
  }

  end() {
    this.live.end();
  }
}
