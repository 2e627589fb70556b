/**
 * Ember: from near black through violet and red to pale yellow.
 *
 * Ten anchors at equal steps of CIELAB lightness (4 to 96), their hue turning one way; between
 * neighbours that close, straight lines in sRGB keep the steps even.
 */

const ANCHORS = [
  [0x14, 0x07, 0x26], [0x35, 0x0b, 0x5b], [0x65, 0x01, 0x7b], [0x9c, 0x02, 0x71],
  [0xc9, 0x24, 0x5b], [0xe2, 0x54, 0x48], [0xf1, 0x7f, 0x3e], [0xf3, 0xab, 0x58],
  [0xf2, 0xd3, 0x88], [0xfc, 0xf4, 0xc6],
];

/**
 * @param {number} value 0 to 1
 * @returns {[number, number, number]} red, green and blue, 0 to 255
 */
export function ember(value) {
  const at = Math.min(1, Math.max(0, value)) * (ANCHORS.length - 1);
  const first = Math.min(Math.floor(at), ANCHORS.length - 2);
  const [below, above] = [ANCHORS[first] ?? [], ANCHORS[first + 1] ?? []];
  const part = (/** @type {number} */ i) =>
    Math.round((below[i] ?? 0) + (at - first) * ((above[i] ?? 0) - (below[i] ?? 0)));
  return [part(0), part(1), part(2)];
}

const bytes = new Uint8ClampedArray(256 * 4);
for (let i = 0; i < 256; i += 1) bytes.set([...ember(i / 255), 255], 4 * i);

/** All 256 colours as pixels of ImageData. */
export const PIXELS = new Uint32Array(bytes.buffer);
