/** The server as an engine. Addresses are relative to the page, so it may live under any path. */

import { key, needKey, withKey } from "./api-key.js";
import { fromAnswer, noConnection } from "./problem.js";

/**
 * @typedef {import("../types.js").AnalyseOptions} AnalyseOptions
 * @typedef {import("../types.js").Backend} Backend
 * @typedef {import("../types.js").Info} Info
 * @typedef {import("../types.js").Neighbour} Neighbour
 * @typedef {import("../types.js").RecommendationSection} RecommendationSection
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("../types.js").Wish} Wish
 */

const AT_ONCE = 2;
const LIMIT = 10; // recommendations of a provider
const LINES = "application/x-ndjson";

/** @returns {Promise<Backend>} */
export async function open() {
  return {
    info,
    analyser: {
      atOnce: AT_ONCE,
      analyse: (file, options) => withKey(() => upload(file, options)),
    },
    recommender: { recommend },
    library: { similar },
    corrections: { correct },
    privacy: "Your file is deleted from this server as soon as it has been analysed.",
    apiDocs: "docs",
  };
}

/** @returns {Promise<Info>} */
async function info() {
  const said = /** @type {Info} */ (await ask("v1/info"));
  if (said.needs_api_key) needKey();
  return said;
}

/**
 * @param {Wish} wish
 * @param {AbortSignal} signal
 * @returns {Promise<RecommendationSection[]>}
 */
async function recommend({ weights, artist, title, provider }, signal) {
  const query = new URLSearchParams({ limit: String(LIMIT) });
  for (const { genre, probability } of weights) {
    query.append("genre", `${genre}:${probability.toFixed(4)}`);
  }
  if (artist) query.append("artist", artist);
  if (title) query.append("title", title);
  if (provider) query.append("provider", provider);
  const answer = await withKey(() => ask(`v1/recommendations?${query}`, { signal }));
  return /** @type {{sections: RecommendationSection[]}} */ (answer).sections;
}

/**
 * @param {Result} result
 * @param {Blob | null} file
 * @param {AbortSignal} signal
 * @returns {Promise<Neighbour[]>}
 */
async function similar(result, file, signal) {
  if (!file) return [];
  const body = new FormData();
  body.append("file", file, result.path);
  const answer = await withKey(() => ask("v1/similar", { method: "POST", body, signal }));
  return /** @type {{songs: Neighbour[]}} */ (answer).songs;
}

/**
 * @param {Result} result
 * @param {string} genre
 */
async function correct(result, genre) {
  const body = JSON.stringify({ id: result.id, genre });
  const headers = { "Content-Type": "application/json" };
  await withKey(() => ask("v1/corrections", { method: "POST", body, headers }));
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<unknown>}
 */
async function ask(path, options = {}) {
  /** @type {Response} */
  let response;
  try {
    const headers = { ...key(), ...options.headers };
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw noConnection();
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  throw fromAnswer(response.status, await response.text(), response.headers.get("Retry-After"));
}

/**
 * Send a file and wait for its result. fetch() does not report the progress of an upload, so this
 * is an XMLHttpRequest. The server may report its own progress as lines before the result.
 *
 * @param {Blob} file
 * @param {AnalyseOptions} options
 * @returns {Promise<Result>}
 */
function upload(file, { name, mode, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new DOMException("cancelled", "AbortError"));
      return;
    }
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const lines = new Lines();
    request.open("POST", `v1/classify?mode=${mode}&spectrograms=true&cover=1`);
    request.setRequestHeader("Accept", `${LINES}, application/json`);
    for (const [header, value] of Object.entries(key())) request.setRequestHeader(header, value);
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable) return;
      onProgress({ stage: "sending", share: event.loaded / event.total });
    };
    request.upload.onload = () => onProgress({ stage: "analysing", share: null });
    request.onprogress = () => {
      if (!request.getResponseHeader("Content-Type")?.startsWith(LINES)) return;
      const share = lines.progress(request.responseText);
      if (share !== null) onProgress({ stage: "analysing", share });
    };
    request.onload = () => {
      const { status } = request;
      const text = lastLine(request.responseText);
      const result = status === 200 ? parsed(text) : null;
      if (result && Array.isArray(result.genres)) {
        resolve(/** @type {Result} */ (/** @type {unknown} */ (result)));
      } else {
        // An answer that was cut short is reported like any other fault of the server.
        reject(fromAnswer(status, text, request.getResponseHeader("Retry-After")));
      }
    };
    request.onerror = () => reject(noConnection());
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop);
    const form = new FormData();
    form.append("file", file, name);
    request.send(form);
  });
}

/** Reads progress from an answer that grows, looking at each line once. */
class Lines {
  read = 0;

  /**
   * @param {string} text so far
   * @returns {number | null} the last share that it reports since the call before
   */
  progress(text) {
    const end = text.lastIndexOf("\n") + 1;
    const lines = text.slice(this.read, end).split("\n");
    this.read = end;
    const shares = lines.map((line) => parsed(line)?.progress);
    const last = shares.findLast((share) => typeof share === "number");
    return typeof last === "number" ? Math.min(1, Math.max(0, last)) : null;
  }
}

/**
 * @param {string} text
 * @returns {string}
 */
function lastLine(text) {
  const trimmed = text.trimEnd();
  return trimmed.slice(trimmed.lastIndexOf("\n{") + 1);
}

/**
 * @param {string} text
 * @returns {Record<string, unknown> | null}
 */
function parsed(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return null;
  }
}

