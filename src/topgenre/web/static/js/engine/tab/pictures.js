/** The network's input as bytes to draw, as the server's topgenre/web/pictures.py has them. */

/**
 * @typedef {import("../../types.js").Spectrograms} Spectrograms
 * @typedef {import("../../types.js").SpectrogramChannel} SpectrogramChannel
 */

const ROWS = 128;
const BANDS = 4; // of the onset strength
const RANGE = 60; // dB below the mean at which they end
const HOP_SECONDS = 512 / 22_050;
/** @type {SpectrogramChannel["name"][]} */
const NAMES = ["full", "harmonic", "percussive", "onset"];

/**
 * @param {Float32Array} input of the network: 4 channels of 128 rows
 * @param {number} start seconds
 * @param {number} seconds of sound; what the input repeats is not shown
 * @returns {Spectrograms}
 */
export function pictures(input, start, seconds) {
  const width = input.length / (NAMES.length * ROWS);
  const frames = Math.min(width, 1 + Math.floor(seconds / HOP_SECONDS + 1e-6));
  const size = ROWS * width;
  const loudest = 20 * input.subarray(0, 3 * size).reduce((a, b) => Math.max(a, b), -3);
  const edges = melEdges();
  const channels = NAMES.map((name, i) => {
    const channel = input.subarray(i * size, (i + 1) * size);
    if (name !== "onset") {
      return { name, unit: /** @type {const} */ ("dB"), bands_hz: edges.slice(1, -1),
        ...drawn(channel, width, frames, 1, 20, -RANGE, loudest) };
    }
    const most = 10 * channel.reduce((a, b) => Math.max(a, b), 0);
    const bounds = [0, 32, 64, 96, 128].map((edge) => edges[edge] ?? 0);
    return { name, unit: /** @type {const} */ ("strength"), bands_hz: bounds,
      ...drawn(channel, width, frames, ROWS / BANDS, 10, 0, most) };
  });
  return { start, hop_seconds: HOP_SECONDS, n_frames: frames, channels };
}

/**
 * @param {Float32Array} channel
 * @param {number} width of a row
 * @param {number} frames of it to show
 * @param {number} each how many rows are the same
 * @param {number} unit
 * @param {number} low
 * @param {number} high
 */
function drawn(channel, width, frames, each, unit, low, high) {
  const rows = ROWS / each;
  const bytes = new Uint8ClampedArray(rows * frames);
  const scale = 255 / Math.max(high - low, 1e-6);
  for (let row = 0; row < rows; row += 1) {
    for (let frame = 0; frame < frames; frame += 1) {
      const value = channel[row * each * width + frame] ?? 0;
      bytes[row * frames + frame] = Math.floor((unit * value - low) * scale);
    }
  }
  return { low: round(low), high: round(high), rows, data: base64(bytes) };
}

/** @returns {number[]} Hz; see topgenre.spectrograms.mel_edges */
function melEdges() {
  const highest = 15 + 27 * Math.log(11.025) / Math.log(6.4);
  return Array.from({ length: ROWS + 2 }, (_, i) => {
    const mel = highest * i / (ROWS + 1);
    const hertz = mel < 15 ? mel * 200 / 3 : 1000 * 6.4 ** ((mel - 15) / 27);
    return Math.round(10 * hertz) / 10;
  });
}

/** @param {number} value */
function round(value) {
  return Math.round(100 * value) / 100;
}

/**
 * @param {Uint8ClampedArray} bytes
 * @returns {string}
 */
function base64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return btoa(text);
}
