/** Samples as a WAV file. */

/**
 * @param {Float32Array} samples -1 to 1
 * @param {number} rate samples per second
 * @returns {Blob} mono, 16 bits
 */
export function wavFile(samples, rate) {
  const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (/** @type {number} */ at, /** @type {string} */ letters) =>
    [...letters].forEach((letter, i) => bytes.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  bytes.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true);
  bytes.setUint16(22, 1, true);
  bytes.setUint32(24, rate, true);
  bytes.setUint32(28, 2 * rate, true);
  bytes.setUint16(32, 2, true);
  bytes.setUint16(34, 16, true);
  text(36, "data");
  bytes.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, i) =>
    bytes.setInt16(44 + 2 * i, Math.round(32_767 * Math.max(-1, Math.min(1, value))), true));
  return new Blob([bytes], { type: "audio/wav" });
}
