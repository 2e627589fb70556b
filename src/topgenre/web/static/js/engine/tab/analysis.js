/** From a sound to a result: which samples are heard, and what is said about them. */

import { judge } from "./judge.js";
import { pictures } from "./pictures.js";
import { refusal } from "./refusals.js";
import { RATE, Resampler } from "./resample.js";

/**
 * @typedef {import("../../types.js").Mode} Mode
 * @typedef {import("../../types.js").Result} Result
 * @typedef {import("./judge.js").Prediction} Prediction
 * @typedef {import("./sound.js").Sound} Sound
 * @typedef {Prediction & {input: Float32Array}} Heard
 * @typedef {import("./network.js").Model} Model
 */

const WINDOW = 10 * RATE; // samples
const LEAST = RATE;
const LONGEST_WHOLE = 1800; // seconds
const SILENCE_PEAK = 1e-4;
const MAX_AMPLITUDE = 1000;

/**
 * @param {Sound} sound
 * @param {Mode} mode
 * @param {Model} model
 * @param {(share: number) => void} onProgress
 * @returns {Promise<Omit<Result, "path" | "song">>}
 */
export async function analyse(sound, mode, model, onProgress) {
  const { info } = model;
  const total = Math.floor(sound.length * RATE / sound.rate);
  if (total < LEAST) throw refusal("too_short", total / RATE);
  const length = Math.min(total, mode === "whole" ? LONGEST_WHOLE * RATE : WINDOW);
  const begin = Math.floor((total - length) / 2);
  const resampler = new Resampler(sound.rate);
  const windows = windowsOf(begin, length);
  /** @type {Heard[]} */
  const heard = [];
  const times = [];
  /** @type {import("../../types.js").Spectrograms | null} */
  let spectrograms = null;
  const middle = windows[Math.floor(windows.length / 2)];
  for (const [i, first] of windows.entries()) {
    const size = Math.min(WINDOW, length);
    const samples = await read(sound, resampler, first, size, model.multiply);
    if (peak(samples) >= SILENCE_PEAK) {
      const { input, ...prediction } = await model.hear(samples);
      heard.push({ ...prediction, input: input.subarray(0, 0) });
      times.push({ start: round(first / RATE), end: round((first + size) / RATE) });
      if (first === middle) spectrograms = pictures(input, round(first / RATE), size / RATE);
    }
    onProgress((i + 1) / windows.length);
  }
  if (!heard.length) throw refusal("silent", length / RATE);
  const { windows: timeline, sections, ...judgement } =
    judge(info, heard, mode === "whole" ? times : []);
  return {
    ...judgement,
    segment: { start: round(begin / RATE), end: round((begin + length) / RATE) },
    duration: round(total / RATE),
    model: info.name,
    notices: notices(sound, total, mode),
    mode,
    ...mode === "whole" && {
      timeline: timeline.map(({ start, end, genres }) => ({ start, end, probabilities:
        Object.fromEntries(genres.map(({ genre, probability }) => [genre, probability])) })),
      sections,
    },
    spectrograms,
  };
}

/**
 * @param {number} begin
 * @param {number} length
 * @returns {number[]} where windows of 10 s begin: evenly, the last one ending with the sound
 */
function windowsOf(begin, length) {
  const count = Math.ceil(length / Math.min(WINDOW, length));
  const room = Math.max(0, length - WINDOW);
  return Array.from({ length: count }, (_, i) =>
    begin + (count > 1 ? Math.floor(room * i / (count - 1)) : 0));
}

/**
 * @param {Sound} sound
 * @param {Resampler} resampler
 * @param {number} first
 * @param {number} count
 * @param {Model["multiply"]} multiply
 * @returns {Promise<Float32Array>}
 */
async function read(sound, resampler, first, count, multiply) {
  const [from, to] = resampler.range(first, count);
  const part = await sound.read(Math.max(0, from), Math.min(sound.length, to));
  for (let i = 0; i < part.length; i += 1) {
    // Not a number, or more than damaged codecs produce.
    if (!(Math.abs(part[i] ?? 0) <= MAX_AMPLITUDE)) part[i] = 0;
  }
  const padded = new Float32Array(to - from);
  padded.set(part, Math.max(0, -from));
  return resampler.resampleMany(padded, first, count, multiply);
}

/**
 * @param {Sound} sound
 * @param {number} total
 * @param {Mode} mode
 * @returns {string[]}
 */
function notices(sound, total, mode) {
  const said = [];
  const seconds = total / RATE;
  if (total < WINDOW) {
    said.push(`only ${seconds.toFixed(1)} s of sound; answers are more reliable with 10 s`);
  }
  const missing = (sound.promised - sound.length) / sound.rate;
  if (missing > 1) {
    said.push(`the file is cut off: ${missing.toFixed(1)} s that its header promises are missing`);
  }
  if (mode === "whole" && seconds > LONGEST_WHOLE) {
    said.push(`of this long track, the middle ${LONGEST_WHOLE / 60} min were analysed`);
  }
  return said;
}

/**
 * @param {Float32Array} samples
 * @returns {number}
 */
export function peak(samples) {
  return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
}

/**
 * @param {number} seconds
 * @returns {number} to a thousandth
 */
function round(seconds) {
  return Math.round(1000 * seconds) / 1000;
}
