/**
 * MP3 files: the frames are indexed, and the browser decodes only those that are wanted. So a mix
 * of three hours takes the memory of ten seconds.
 */

/**
 * @typedef {import("./sound.js").Decoder} Decoder
 * @typedef {import("./sound.js").Sound} Sound
 */

const PIECE = 1 << 22; // bytes that are read at once
const WARM_UP = 12; // frames before the wanted ones: their bits may lie in earlier frames
const DECODER_DELAY = 529; // samples
const LEAST_FRAMES = 8; // in a row, for this to be an MP3 file
const MOST_GARBAGE = 1 << 16; // bytes between frames
const BIT_RATES = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320], // MPEG-1
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160], // MPEG-2 and 2.5
];
/** @type {Tag} */
const NOTHING = { delay: 0, padding: 0, frames: 0 };
const RATES = [44_100, 48_000, 32_000];

/**
 * @param {Blob} file
 * @param {Decoder} decoder
 * @returns {Promise<Sound | null>} null if this is not such a file
 */
export async function openMp3(file, decoder) {
  const begin = await behindTags(file);
  /** @type {number[]} */
  const places = [];
  let head = null;
  let tag = NOTHING;
  let bytes = new Uint8Array();
  let offset = begin; // of `bytes` in the file
  let at = begin;
  let garbage = 0;
  while (at + 4 <= file.size) {
    if (at + 4 > offset + bytes.length) {
      bytes = new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
      offset = at;
    }
    const frame = frameAt(bytes, at - offset);
    if (!frame || (head && frame.rate !== head.rate)) {
      if (places.length < LEAST_FRAMES) {
        [places.length, head, tag] = [0, null, NOTHING];
      }
      garbage += 1;
      if (garbage > MOST_GARBAGE && !places.length) return null;
      at += 1;
      continue;
    }
    if (!head) {
      head = frame;
      const info = await file.slice(at, at + frame.size).arrayBuffer();
      const found = infoTag(new DataView(info), frame);
      if (found) {
        tag = found;
        at += frame.size;
        continue;
      }
    }
    garbage = 0;
    places.push(at);
    at += frame.size;
  }
  if (!head || places.length < LEAST_FRAMES) return null;
  places.push(Math.min(at, file.size));
  return new Mp3(file, decoder, places, head, tag);
}

/**
 * @typedef {{rate: number, size: number, samples: number, mono: boolean}} Frame
 *
 * @typedef {object} Tag what an encoder says in place of the first frame
 * @property {number} delay samples that it put in front of the sound
 * @property {number} padding and behind it
 * @property {number} frames how many there are
 */

/** @implements {Sound} */
class Mp3 {
  /**
   * @param {Blob} file
   * @param {Decoder} decoder
   * @param {number[]} places of the frames, and where the last one ends
   * @param {Frame} head
   * @param {Tag} tag
   */
  constructor(file, decoder, places, head, { delay, padding, frames }) {
    this.file = file;
    this.decoder = decoder;
    this.places = places;
    this.rate = head.rate;
    this.frame = head.samples;
    this.skip = delay ? delay + DECODER_DELAY : 0;
    // The padding of a file that was cut off has gone with its end.
    const behind = places.length > frames ? Math.max(0, padding - DECODER_DELAY) : 0;
    this.length = (places.length - 1) * head.samples - this.skip - behind;
    this.promised = this.length;
  }

  /**
   * @param {number} first
   * @param {number} end
   * @returns {Promise<Float32Array>} mono
   */
  async read(first, end) {
    const { frame, places, skip } = this;
    const from = Math.max(0, Math.floor((first + skip) / frame) - WARM_UP);
    // The decoder gives a frame out when it has the one behind it.
    const to = Math.min(places.length - 1, Math.ceil((end + skip) / frame) + 2);
    const bytes = await this.file.slice(places[from], places[to]).arrayBuffer();
    const decoded = await this.decoder.decode(bytes, this.rate);
    try {
      // Frames that could not be decoded for want of earlier ones are missing at the beginning.
      const missing = Math.max(0, (to - from) * frame - decoded.length);
      const start = first + skip - from * frame - missing;
      const sound = await decoded.read(Math.max(0, start),
        Math.min(decoded.length, start + end - first));
      const mono = new Float32Array(end - first);
      mono.set(sound, Math.max(0, -start));
      return mono;
    } finally {
      await decoded.close();
    }
  }

  async close() {}
}

/**
 * @param {Blob} file
 * @returns {Promise<number>} where the tags at its beginning end
 */
async function behindTags(file) {
  let at = 0;
  for (;;) {
    const head = new Uint8Array(await file.slice(at, at + 10).arrayBuffer());
    if (String.fromCharCode(...head.subarray(0, 3)) !== "ID3") return at;
    const size = head.subarray(6).reduce((sum, byte) => sum * 128 + (byte & 127), 0);
    at += 10 + size + ((head[5] ?? 0) & 16 ? 10 : 0);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @returns {Frame | null}
 */
function frameAt(bytes, at) {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(at, at + 4);
  if (a !== 0xff || (b & 0xe0) !== 0xe0 || (b & 0x06) !== 0x02) return null; // layer III
  const version = b >> 3 & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
  const bitRate = BIT_RATES[version === 3 ? 0 : 1]?.[c >> 4];
  const rate = RATES[c >> 2 & 3];
  if (version === 1 || !bitRate || !rate) return null;
  const divided = version === 3 ? rate : version === 2 ? rate / 2 : rate / 4;
  const samples = version === 3 ? 1152 : 576;
  const size = Math.floor(samples / 8 * bitRate * 1000 / divided) + (c >> 1 & 1);
  return { rate: divided, size, samples, mono: d >> 6 === 3 };
}

/**
 * @param {DataView} frame
 * @param {Frame} head
 * @returns {Tag | null}
 */
function infoTag(frame, head) {
  const side = head.samples === 1152 ? (head.mono ? 17 : 32) : head.mono ? 9 : 17;
  const at = 4 + side;
  const name = letters(frame, at);
  if (name !== "Xing" && name !== "Info") return letters(frame, 36) === "VBRI" ? NOTHING : null;
  const flags = frame.byteLength >= at + 8 ? frame.getUint32(at + 4) : 0;
  const sizes = [4, 4, 100, 4];
  const encoder = at + 8 + sizes.reduce((sum, size, bit) => sum + (flags >> bit & 1 ? size : 0), 0);
  if (!["LAME", "Lavf", "Lavc"].includes(letters(frame, encoder))) return NOTHING;
  if (frame.byteLength < encoder + 24) return NOTHING;
  const [a, b, c] = [21, 22, 23].map((i) => frame.getUint8(encoder + i));
  const both = (a ?? 0) << 16 | (b ?? 0) << 8 | (c ?? 0);
  const frames = flags & 1 ? frame.getUint32(at + 8) : 0;
  return { delay: both >> 12, padding: both & 4095, frames };
}



/**
 * @param {DataView} view
 * @param {number} at
 * @returns {string} four letters
 */
function letters(view, at) {
  return view.byteLength < at + 4 ? ""
    : String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}
