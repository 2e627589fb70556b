/** What can go wrong, in words. */

import { megabytes } from "../ui/format.js";

export class Problem extends Error {
  /**
   * @param {string} code of the server's problem types, or offline, unreachable, no_answer
   * @param {string} title a few words
   * @param {string} detail one line: what is wrong and what to do
   * @param {number | null} [retryAfter] seconds
   */
  constructor(code, title, detail, retryAfter = null) {
    super(detail);
    this.code = code;
    this.title = title;
    this.detail = detail;
    this.retryAfter = retryAfter;
  }

  /** Whether the same file may succeed a little later without anybody's help. */
  get passes() {
    return this.code === "busy" || this.code === "rate_limited";
  }

  /** Whether it is worth a button that tries again. */
  get mayTryAgain() {
    return !HOPELESS.has(this.code);
  }
}

const HOPELESS = new Set([
  "too_large", "empty", "unsupported_media_type", "no_audio_stream", "damaged_audio", "too_short",
  "silent",
]);

/** @type {Record<string, string>} */
const TITLES = {
  too_large: "Too large",
  unsupported_media_type: "Not a sound file",
  not_audio: "Not a sound file",
  no_audio_stream: "No sound in this file",
  damaged_audio: "The sound is damaged",
  too_short: "Too short",
  silent: "Silent",
  overrun: "Too much work for the server",
  crashed: "Could not be decoded safely",
  busy: "The server is busy",
  rate_limited: "Too many requests",
  unauthorized: "The server wants a key",
  storage: "The server has no room",
  upload_timeout: "The upload stalled",
  internal: "The server made a mistake",
};

/**
 * @param {number} status
 * @param {string} body
 * @param {string | null} retryAfter the header
 * @returns {Problem}
 */
export function fromAnswer(status, body, retryAfter) {
  /** @type {Record<string, unknown>} */
  let said = {};
  try {
    said = Object(JSON.parse(body));
  } catch {
    // A proxy in between may answer with a page of its own.
  }
  const byStatus = { 401: "unauthorized", 413: "too_large", 429: "rate_limited", 503: "busy" };
  const code = typeof said.type === "string" && said.type.startsWith("urn:topgenre:problem:")
    ? said.type.slice("urn:topgenre:problem:".length)
    : byStatus[/** @type {keyof typeof byStatus} */ (status)] ?? "internal";
  const title = TITLES[code] ?? String(said.title ?? "Something went wrong");
  const detail = String(said.detail ?? `the server answered ${status}`);
  const seconds = Number(said.retry_after ?? retryAfter ?? NaN);
  return new Problem(code, title, detail, Number.isFinite(seconds) ? seconds : null);
}

/** @returns {Problem} why no answer came at all */
export function noConnection() {
  return navigator.onLine
    ? new Problem("unreachable", "No connection", "The server cannot be reached; try again.")
    : new Problem("offline", "You are offline", "It goes on by itself when you are back online.");
}

/**
 * @param {number} size
 * @param {number} limit
 * @returns {Problem}
 */
export function tooLarge(size, limit) {
  return new Problem(
    "too_large",
    TITLES.too_large ?? "",
    `The file has ${megabytes(size)}; this server takes ${megabytes(limit)} at most. ` +
      "Send a compressed or a shorter one.",
  );
}

/** @returns {Problem} */
export function emptyFile() {
  return new Problem("empty", "Empty", "There is nothing in this file.");
}
