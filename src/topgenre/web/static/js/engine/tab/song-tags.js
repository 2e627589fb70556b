/** Title, artist, album and cover, as far as a file's own tags say them. */

/** @typedef {import("../../types.js").Song} Song */

const HEAD = 1 << 20; // bytes at the beginning of a file that are searched
const LARGEST_COVER = 1 << 20; // bytes
const LARGEST_TAG = 16 << 20;

/**
 * @param {Blob} file
 * @returns {Promise<Song | null>}
 */
export async function songTags(file) {
  try {
    const head = await bytesOf(file, 0, HEAD);
    const start = latin(head.subarray(0, 4));
    const tags = start.startsWith("ID3") ? await ofId3(file, head)
      : start === "fLaC" ? await ofFlac(file)
      : start === "OggS" ? ofOgg(head)
      : latin(head.subarray(4, 8)) === "ftyp" ? await ofMp4(file) : new Tags();
    return tags.song;
  } catch {
    return null; // tags are damaged more often than sound, which does not need them
  }
}

/** What has been found so far. */
class Tags {
  /** @type {Song} */
  found = {};

  /**
   * @param {keyof Song} name
   * @param {string} value
   */
  add(name, value) {
    const text = value.split("\0")[0]?.trim();
    if (text) this.found[name] ??= text;
  }

  /**
   * @param {string} type
   * @param {Uint8Array} data
   */
  addCover(type, data) {
    const isPicture = /^image\/(jpeg|png|webp|gif)$/.test(type);
    if (!isPicture || !data.length || data.length > LARGEST_COVER) return;
    let text = "";
    for (let i = 0; i < data.length; i += 8192) text += latin(data.subarray(i, i + 8192));
    this.found.cover ??= `data:${type};base64,${btoa(text)}`;
  }

  /** @returns {Song | null} */
  get song() {
    return Object.keys(this.found).length ? this.found : null;
  }
}

/**
 * @param {Blob} file
 * @param {number} first
 * @param {number} end
 * @returns {Promise<Uint8Array>}
 */
async function bytesOf(file, first, end) {
  return new Uint8Array(await file.slice(first, end).arrayBuffer());
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
function latin(bytes) {
  return String.fromCharCode(...bytes);
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} [bits] of each byte that count
 * @returns {number}
 */
function uint32(bytes, at, bits = 8) {
  return [0, 1, 2, 3].reduce((sum, i) => sum * 2 ** bits + (bytes[at + i] ?? 0), 0);
}

/** @type {Record<string, keyof Song>} */
const ID3_FRAMES = { TIT2: "title", TPE1: "artist", TALB: "album", TT2: "title", TP1: "artist",
  TAL: "album" };
const ENCODINGS = ["latin1", "utf-16le", "utf-16be", "utf-8"];

/**
 * @param {Blob} file
 * @param {Uint8Array} head
 * @returns {Promise<Tags>}
 */
async function ofId3(file, head) {
  const tags = new Tags();
  const version = head[3] ?? 0;
  const end = 10 + Math.min(uint32(head, 6, 7), LARGEST_TAG);
  const tag = end > head.length ? await bytesOf(file, 0, end) : head;
  const [name, size, flags] = version === 2 ? [3, 3, 0] : [4, 4, 2];
  for (let at = 10; at + name + size + flags < end;) {
    const id = latin(tag.subarray(at, at + name));
    if (!/^[A-Z0-9]+$/.test(id)) break;
    const length = size === 3 ? uint32(tag, at + 2) & 0xff_ffff
      : uint32(tag, at + 4, version === 4 ? 7 : 8);
    at += name + size + flags;
    const body = tag.subarray(at, at + length);
    const field = ID3_FRAMES[id];
    if (field) tags.add(field, decoded(body[0] ?? 0, body.subarray(1)));
    if (id === "APIC") addApic(tags, body);
    at += length;
  }
  return tags;
}

/**
 * @param {number} encoding
 * @param {Uint8Array} bytes
 * @returns {string}
 */
function decoded(encoding, bytes) {
  const isBigEndian = encoding === 1 && bytes[0] === 0xfe && bytes[1] === 0xff;
  return new TextDecoder(isBigEndian ? "utf-16be" : ENCODINGS[encoding] ?? "latin1").decode(bytes);
}

/**
 * @param {Tags} tags
 * @param {Uint8Array} body
 */
function addApic(tags, body) {
  const type = body.indexOf(0, 1);
  let at = type + 2; // behind the kind of picture
  if (body[0] === 1 || body[0] === 2) {
    while (at < body.length && (body[at] || body[at + 1])) at += 2;
    at += 2;
  } else {
    at = body.indexOf(0, at) + 1;
  }
  tags.addCover(latin(body.subarray(1, type)).replace("jpg", "jpeg"), body.subarray(at));
}

/**
 * @param {Blob} file
 * @returns {Promise<Tags>}
 */
async function ofFlac(file) {
  const tags = new Tags();
  for (let at = 4; ;) {
    const head = await bytesOf(file, at, at + 4);
    const kind = (head[0] ?? 0x80) & 0x7f;
    const end = at + 4 + (uint32(head, 0) & 0xff_ffff);
    if (kind === 4) addComments(tags, await bytesOf(file, at + 4, end));
    if (kind === 6 && end - at < 2 * LARGEST_COVER) {
      const block = await bytesOf(file, at + 4, end);
      const type = uint32(block, 4);
      const data = 8 + type + 4 + uint32(block, 8 + type) + 16;
      const length = uint32(block, data);
      tags.addCover(latin(block.subarray(8, 8 + type)), block.subarray(data + 4, data + 4 + length));
    }
    if ((head[0] ?? 0x80) & 0x80) return tags;
    at = end;
  }
}

/**
 * Vorbis comments: lines such as "TITLE=Blue".
 *
 * @param {Tags} tags
 * @param {Uint8Array} bytes
 */
function addComments(tags, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 4 + view.getUint32(0, true);
  const count = view.getUint32(at, true);
  at += 4;
  for (let i = 0; i < count && at + 4 <= bytes.length; i += 1) {
    const length = view.getUint32(at, true);
    const line = new TextDecoder().decode(bytes.subarray(at + 4, at + 4 + Math.min(length, 4096)));
    const name = line.slice(0, line.indexOf("=")).toLowerCase();
    if (name === "title" || name === "artist" || name === "album") {
      tags.add(name, line.slice(name.length + 1));
    }
    at += 4 + length;
  }
}

/**
 * @param {Uint8Array} head
 * @returns {Tags}
 */
function ofOgg(head) {
  const tags = new Tags();
  const text = latin(head.subarray(0, 1 << 14));
  const at = Math.max(text.indexOf("\x03vorbis") + 7, text.indexOf("OpusTags") + 8);
  if (at > 7) addComments(tags, head.subarray(at));
  return tags;
}

/** @type {Record<string, keyof Song>} */
const MP4_ATOMS = { "\xa9nam": "title", "\xa9ART": "artist", "\xa9alb": "album" };

/**
 * @param {Blob} file
 * @returns {Promise<Tags>}
 */
async function ofMp4(file) {
  const tags = new Tags();
  for (let at = 0; at + 8 <= file.size;) {
    const head = await bytesOf(file, at, at + 16);
    const size = uint32(head, 0) === 1 ? uint32(head, 8) * 2 ** 32 + uint32(head, 12) : uint32(head, 0);
    if (latin(head.subarray(4, 8)) === "moov" && size < LARGEST_TAG) {
      addAtoms(tags, await bytesOf(file, at + 8, at + size), "");
    }
    if (size < 8) break;
    at += size;
  }
  return tags;
}

/**
 * @param {Tags} tags
 * @param {Uint8Array} bytes
 * @param {string} parent
 */
function addAtoms(tags, bytes, parent) {
  for (let at = 0; at + 8 <= bytes.length;) {
    const size = uint32(bytes, at);
    const name = latin(bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + size);
    if (name === "udta" || name === "ilst") addAtoms(tags, body, name);
    if (name === "meta") addAtoms(tags, body.subarray(4), name);
    if (parent === "ilst") {
      const data = body.subarray(16); // behind the head of an atom "data"
      const field = MP4_ATOMS[name];
      if (field) tags.add(field, new TextDecoder().decode(data));
      if (name === "covr") tags.addCover(uint32(body, 8) === 14 ? "image/png" : "image/jpeg", data);
    }
    if (size < 8) return;
    at += size;
  }
}
