/** WAV files without compression: only the part that is wanted is read. */

/** @typedef {import("./sound.js").Sound} Sound */

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const HEAD = 64; // bytes; larger chunks before the data, such as covers, are skipped

/**
 * @param {Blob} file
 * @returns {Promise<Sound | null>} null if this is not such a file
 */
export async function openWav(file) {
  if (await text(file, 0) !== "RIFF" || await text(file, 8) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= file.size;) {
    const head = new DataView(await file.slice(at, at + HEAD).arrayBuffer());
    const size = head.getUint32(4, true);
    const name = await text(file, at);
    if (name === "fmt " && head.byteLength >= 24) format = readFormat(head);
    if (name === "data") return format && new Wav(file, at + 8, size, format);
    at += 8 + size + size % 2;
  }
  return null;
}

/** @typedef {{rate: number, channels: number, bytes: number, isFloat: boolean}} Format */

/**
 * @param {DataView} head of the chunk
 * @returns {Format | null} null if it is compressed
 */
function readFormat(head) {
  let kind = head.getUint16(8, true);
  if (kind === EXTENSIBLE && head.byteLength >= 34) kind = head.getUint16(32, true);
  const [channels, rate] = [head.getUint16(10, true), head.getUint32(12, true)];
  const bytes = head.getUint16(20, true) / channels;
  const isFloat = kind === FLOAT;
  const sizes = isFloat ? [4, 8] : kind === PCM ? [1, 2, 3, 4] : [];
  return channels && sizes.includes(bytes) && rate ? { rate, channels, bytes, isFloat } : null;
}

/** @implements {Sound} */
class Wav {
  /**
   * @param {Blob} file
   * @param {number} at where the samples begin
   * @param {number} size of them in bytes, as the header says
   * @param {Format} format
   */
  constructor(file, at, size, format) {
    this.file = file;
    this.at = at;
    this.format = format;
    this.rate = format.rate;
    this.frame = format.bytes * format.channels;
    const room = file.size - at;
    // A header that was written before the sound, as streams do, knows no size.
    const known = size > 0 && size < 0xffff_ff00;
    this.length = Math.floor((known ? Math.min(size, room) : room) / this.frame);
    this.promised = known ? Math.floor(size / this.frame) : this.length;
  }

  /**
   * @param {number} first
   * @param {number} end
   * @returns {Promise<Float32Array>} mono
   */
  async read(first, end) {
    const { format: { channels, bytes, isFloat }, frame, at } = this;
    const part = await this.file.slice(at + first * frame, at + end * frame).arrayBuffer();
    const sample = reader(new DataView(part), bytes, isFloat);
    const mono = new Float32Array(end - first);
    for (let i = 0, place = 0; i < mono.length; i += 1) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel += 1, place += bytes) sum += sample(place);
      mono[i] = sum / channels;
    }
    return mono;
  }

  async close() {}
}

/**
 * @param {DataView} view
 * @param {number} bytes of a sample
 * @param {boolean} isFloat
 * @returns {(place: number) => number} full scale is 1
 */
function reader(view, bytes, isFloat) {
  if (isFloat) {
    return bytes === 4 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
  }
  switch (bytes) {
    case 1: return (at) => (view.getUint8(at) - 128) / 128;
    case 2: return (at) => view.getInt16(at, true) / 2 ** 15;
    case 3: return (at) => (view.getInt16(at + 1, true) * 256 + view.getUint8(at)) / 2 ** 23;
    default: return (at) => view.getInt32(at, true) / 2 ** 31;
  }
}

/**
 * @param {Blob} file
 * @param {number} at
 * @returns {Promise<string>} four letters
 */
async function text(file, at) {
  return String.fromCharCode(...new Uint8Array(await file.slice(at, at + 4).arrayBuffer()));
}
