/** Any file that the browser can decode, as mono sound to read from. */

import { openMp3 } from "./mp3.js";
import { nativeRate } from "./native-rate.js";
import { refusal } from "./refusals.js";
import { openWav } from "./wav.js";

/**
 * @typedef {object} Sound
 * @property {number} rate in Hz
 * @property {number} length samples that are there
 * @property {number} promised samples that the header promises
 * @property {(first: number, end: number) => Promise<Float32Array>} read some of it, mono
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Decoded
 * @property {number} length samples
 * @property {(first: number, end: number) => Promise<Float32Array>} read
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Decoder only the page itself can decode, not a worker
 * @property {(bytes: ArrayBuffer, rate: number) => Promise<Decoded>} decode
 * @property {(file: Blob) => Promise<number | null>} duration in seconds, without decoding
 */

const LONGEST = 45 * 60; // seconds that are decoded as a whole: 1 GB of memory
const ENCODED = 1 << 30; // bytes

/**
 * @param {Blob} file
 * @param {Decoder} decoder
 * @returns {Promise<Sound>}
 */
export async function openSound(file, decoder) {
  if (!file.size) throw refusal("empty");
  const sound = await openWav(file) ?? await openMp3(file, decoder);
  if (sound) return sound;
  const duration = await decoder.duration(file);
  if (duration && duration > LONGEST) throw refusal("too_long", duration / 60, LONGEST / 60);
  if (file.size > ENCODED) throw refusal("too_large");
  const rate = await nativeRate(file);
  const decoded = await decoder.decode(await bytesOf(file), rate).catch(async (error) => {
    throw await looksLikeSound(file) ? refusal("no_codec") : error;
  });
  const { length } = decoded;
  return { rate, length, promised: length, read: decoded.read, close: decoded.close };
}

/**
 * @param {Blob} file
 * @returns {Promise<ArrayBuffer>}
 */
async function bytesOf(file) {
  try {
    return await file.arrayBuffer();
  } catch {
    throw refusal("unreadable");
  }
}

const SIGNATURES = ["RIFF", "fLaC", "OggS", "ID3", "FORM", ".snd", "\x1aE\xdf\xa3", "caff",
  "0&\xb2u", "\xff\xf1", "\xff\xf9", "\xff\xfb", "wvpk", "MAC ", "TTA1"];

/**
 * @param {Blob} file
 * @returns {Promise<boolean>}
 */
async function looksLikeSound(file) {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 200).arrayBuffer()));
  return SIGNATURES.some((signature) => head.startsWith(signature)) ||
    head.slice(4, 8) === "ftyp" || (head[0] === "G" && head[188] === "G"); // MPEG-TS
}
