/**
 * The sample rate that a file has. The browser resamples what it decodes to the rate that it is
 * asked for, so it is asked for this one, and resampled here, at a known quality.
 */

const HEAD = 1 << 16; // bytes to look at
const TAIL = 1 << 20; // an MP4 file's tables may be at its end
const USUAL = 44_100; // Hz

/**
 * @param {Blob} file
 * @returns {Promise<number>} in Hz; a usual one if it cannot be found
 */
export async function nativeRate(file) {
  const head = await bytesOf(file, 0, HEAD);
  const rate = ofFlac(head) ?? ofOgg(head) ?? ofMp4(head) ?? ofMatroska(head) ??
    ofWav(head) ?? ofAdts(head) ?? (find(head, "ftyp") === 4
    ? ofMp4(await bytesOf(file, file.size - TAIL, file.size)) : null);
  return rate && rate >= 3000 && rate <= 768_000 ? rate : USUAL;
}

/**
 * @param {Blob} file
 * @param {number} first
 * @param {number} end
 * @returns {Promise<DataView>}
 */
async function bytesOf(file, first, end) {
  return new DataView(await file.slice(Math.max(0, first), end).arrayBuffer());
}

/**
 * @param {DataView} view
 * @param {string} word
 * @returns {number} where it is, or -1
 */
function find(view, word) {
  const codes = [...word].map((letter) => letter.charCodeAt(0));
  const bytes = new Uint8Array(view.buffer);
  for (let at = bytes.indexOf(codes[0] ?? 0); at >= 0; at = bytes.indexOf(codes[0] ?? 0, at + 1)) {
    if (codes.every((code, i) => bytes[at + i] === code)) return at;
  }
  return -1;
}

/**
 * @param {DataView} view
 * @param {number} at
 * @returns {number} 0 behind the end
 */
function uint32(view, at) {
  return at + 4 <= view.byteLength ? view.getUint32(at) : 0;
}

/** @param {DataView} view */
function ofFlac(view) {
  const at = find(view, "fLaC");
  return at >= 0 ? uint32(view, at + 18) >>> 12 || null : null;
}

/** @param {DataView} view */
function ofOgg(view) {
  if (find(view, "OggS") !== 0) return null;
  if (find(view, "OpusHead") >= 0) return 48_000;
  const at = find(view, "\x01vorbis");
  return at >= 0 && at + 16 <= view.byteLength ? view.getUint32(at + 12, true) : null;
}

/** @param {DataView} view */
function ofMp4(view) {
  const at = Math.max(find(view, "mp4a"), find(view, "alac"), find(view, "fLaC"));
  const opus = find(view, "Opus");
  if (opus >= 0 && find(view, "stsd") >= 0) return 48_000;
  if (at < 0 || find(view, "stsd") < 0) return null;
  // A box's type, 24 bytes, then the rate in 16.16.
  return uint32(view, at + 28) >>> 16 || null;
}

/** @param {DataView} view */
function ofMatroska(view) {
  if (uint32(view, 0) !== 0x1a45dfa3) return null;
  if (find(view, "A_OPUS") >= 0) return 48_000;
  const at = find(view, "\xb5\x88"); // the element SamplingFrequency, of 8 bytes
  if (at >= 0 && at + 10 <= view.byteLength) return view.getFloat64(at + 2);
  const short = find(view, "\xb5\x84");
  return short >= 0 && short + 6 <= view.byteLength ? view.getFloat32(short + 2) : null;
}

/** @param {DataView} view */
function ofWav(view) {
  const at = find(view, "RIFF") === 0 ? find(view, "fmt ") : -1;
  return at >= 0 && at + 16 <= view.byteLength ? view.getUint32(at + 12, true) : null;
}

const ADTS_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000,
];

/** @param {DataView} view */
function ofAdts(view) {
  const word = uint32(view, 0);
  return (word >>> 16 & 0xfff6) === 0xfff0 ? ADTS_RATES[word >>> 10 & 15] ?? null : null;
}
