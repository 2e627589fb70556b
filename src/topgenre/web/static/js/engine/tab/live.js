/** Listening live: the genres of the last ten seconds, every second, smoothed. */

import { peak } from "./analysis.js";
import { judge } from "./judge.js";
import { RATE, Resampler } from "./resample.js";

/**
 * @typedef {import("./judge.js").Prediction} Prediction
 * @typedef {import("./network.js").Model} Model
 * @typedef {import("./judge.js").Judgement} Judgement
 *
 * @typedef {object} Said each second
 * @property {number} seconds listened so far
 * @property {boolean} silent
 * @property {Judgement | null} judgement null until there is enough sound
 */

const WINDOW = 10 * RATE; // samples that are heard at once
const STEP = RATE; // between two answers
const LEAST = 3 * RATE; // before the first answer
const SILENCE_PEAK = 1e-3;
const SMOOTHING = 0.5; // weight of the newest answer

export class LiveListener {
  /**
   * @param {number} rate of the sound in Hz
   * @param {() => Promise<Model>} model
   * @param {(said: Said) => void} tell
   * @param {(error: unknown) => void} fail
   */
  constructor(rate, model, tell, fail) {
    this.resampler = new Resampler(rate);
    this.model = model;
    this.tell = tell;
    this.fail = fail;
    this.window = new Float32Array(WINDOW); // the last ten seconds, the newest at the end
    this.done = 0; // output samples so far
    this.asked = 0; // and at the last answer
    /** @type {Float32Array} */
    this.pending = new Float32Array(this.resampler.reach); // silence before the beginning
    this.pendingFrom = -this.resampler.reach; // input position of its first sample
    this.busy = false;
    this.ended = false;
    /** @type {Prediction | null} */
    this.smooth = null;
  }

  /** @param {Float32Array} samples mono */
  add(samples) {
    const joined = new Float32Array(this.pending.length + samples.length);
    joined.set(this.pending);
    joined.set(samples, this.pending.length);
    const end = this.pendingFrom + joined.length;
    const { resampler, done } = this;
    const ready = Math.floor((end - resampler.reach - 2) / resampler.step) - done;
    this.pending = joined;
    if (ready < 1) return;
    const [first, behind] = resampler.range(done, ready);
    const from = first - this.pendingFrom;
    const sound = resampler.resample(joined.subarray(from, from + behind - first), done, ready);
    this.window.copyWithin(0, Math.min(sound.length, WINDOW));
    this.window.set(sound.subarray(-WINDOW), WINDOW - Math.min(sound.length, WINDOW));
    this.done += ready;
    const keep = resampler.range(this.done, 1)[0] - this.pendingFrom;
    this.pending = joined.slice(keep);
    this.pendingFrom += keep;
    void this.answer();
  }

  /** Say nothing any more. */
  end() {
    this.ended = true;
  }

  async answer() {
    // If the last answer still takes its time, this one is left out: nothing queues up.
    if (this.busy || this.done < LEAST || this.done - this.asked < STEP) return;
    this.busy = true;
    try {
      const { info, hear } = await this.model();
      // To hear blocks this worker. On a slow machine, sound of many seconds may have come while it
      // did, and behind that the end of listening and a file: all of it would wait for an answer a
      // second.
      await messages();
      if (this.ended) return;
      this.asked = this.done;
      const samples = this.window.slice(-Math.min(WINDOW, this.done));
      const silent = peak(samples.subarray(-2 * RATE)) < SILENCE_PEAK;
      if (silent) this.smooth = null;
      else this.smooth = blended(this.smooth, await hear(samples));
      this.tell({ seconds: this.asked / RATE, silent,
        judgement: this.smooth && judge(info, [this.smooth]) });
    } catch (error) {
      this.fail(error);
    } finally {
      this.busy = false;
    }
  }
}

/** @returns {Promise<void>} kept when the messages that have come are worked through */
function messages() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/**
 * @param {Prediction | null} before
 * @param {Prediction} now
 * @returns {Prediction}
 */
function blended(before, now) {
  const mix = (/** @type {number} */ old, /** @type {number} */ fresh) =>
    old + SMOOTHING * (fresh - old);
  const each = (/** @type {ArrayLike<number>} */ old, /** @type {ArrayLike<number>} */ fresh) =>
    Array.from(fresh, (value, i) => mix(old[i] ?? value, value));
  return {
    probabilities: each(before?.probabilities ?? [], now.probabilities),
    music: mix(before?.music ?? now.music, now.music),
    tags: each(before?.tags ?? [], now.tags),
  };
}
