/** Why a file is refused, in words. The codes are those of the server's problem types. */

export class Refusal extends Error {
  /**
   * @param {string} code
   * @param {string} title
   * @param {string} detail
   */
  constructor(code, title, detail) {
    super(detail);
    this.code = code;
    this.title = title;
  }
}

/** @type {Record<string, [code: string, title: string, words: (...n: number[]) => string]>} */
const WORDS = {
  empty: ["empty", "Empty", () => "There is nothing in this file."],
  unreadable: ["unreadable", "Cannot be read",
    () => "The browser can no longer read this file; it may have moved. Choose it again."],
  not_audio: ["not_audio", "Not a sound file",
    () => "This browser cannot decode this format. Choose another file."],
  no_codec: ["unsupported_media_type", "Cannot be decoded here",
    () => "This browser cannot decode it: it lacks the codec, or the file is damaged or has no " +
      "sound. Convert it to mp3, wav or flac, or use the command topgenre."],
  too_short: ["too_short", "Too short",
    (seconds = 0) => `Only ${seconds.toFixed(2)} s of sound; at least 1 s is needed.`],
  silent: ["silent", "Silent",
    (seconds = 0) => `The middle ${seconds.toFixed(1)} s are silent. Cut out a part with sound.`],
  too_long: ["too_large", "Too long for a browser",
    (minutes = 0, most = 0) => `It lasts ${Math.round(minutes)} minutes, and in this format a ` +
      `browser must decode all of it: ${most} minutes at most. As mp3 or wav it may be as long ` +
      "as you like."],
  too_large: ["too_large", "Too large for a browser",
    () => "In this format the whole file must fit into memory. As mp3 or wav it may be as " +
      "large as you like."],
  memory: ["memory", "Not enough memory",
    () => "The browser ran out of memory. Close other tabs and try again."],
  crashed: ["internal", "Something went wrong",
    () => "The analyser stopped. Try again, or load the page anew."],
  no_wasm: ["no_wasm", "This browser is too old",
    () => "Analysing in the browser takes WebAssembly with SIMD: Chrome or Edge 91, Firefox 89, " +
      "Safari 16.4, or newer."],
  no_engine: ["unreachable", "The analyser could not be loaded",
    () => "Check the connection and try again. Once loaded, it works offline."],
};

/**
 * @param {keyof typeof WORDS} kind
 * @param {...number} numbers
 * @returns {Refusal}
 */
export function refusal(kind, ...numbers) {
  const [code, title, words] = /** @type {typeof WORDS[string]} */ (WORDS[kind]);
  return new Refusal(code, title, words(...numbers));
}
