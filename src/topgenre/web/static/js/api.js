/** Talking to the server: everything relative to the page, so that it may live under any path. */

import { key, withKey } from "./api-key.js";
import { fromAnswer, noConnection } from "./problem.js";

/**
 * @typedef {import("./types.js").Info} Info
 * @typedef {import("./types.js").Mode} Mode
 * @typedef {import("./types.js").Result} Result
 * @typedef {import("./types.js").RecommendationSection} RecommendationSection
 */

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<unknown>}
 */
async function get(path, signal) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, { headers: key(), signal, cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw noConnection();
  }
  if (response.ok) return response.json();
  throw fromAnswer(response.status, await response.text(), response.headers.get("Retry-After"));
}

/** @returns {Promise<Info>} */
export async function getInfo() {
  return /** @type {Info} */ (await get("v1/info"));
}

/**
 * @param {{genre: string, probability: number}[]} weights
 * @param {AbortSignal} signal
 * @param {string} [provider] by default those that the server thinks best
 * @returns {Promise<RecommendationSection[]>}
 */
export async function getRecommendations(weights, signal, provider) {
  const query = new URLSearchParams({ limit: "10" });
  for (const { genre, probability } of weights) {
    query.append("genre", `${genre}:${probability.toFixed(4)}`);
  }
  if (provider) query.append("provider", provider);
  const answer = await withKey(() => get(`v1/recommendations?${query}`, signal));
  return /** @type {{sections: RecommendationSection[]}} */ (answer).sections;
}

/**
 * Send a file to be classified.
 *
 * @param {Blob} file
 * @param {string} name
 * @param {Mode} mode
 * @param {AbortSignal} signal
 * @param {(share: number) => void} onProgress share of the upload that is done, 0 to 1
 * @returns {Promise<Result>}
 */
export function classify(file, name, mode, signal, onProgress) {
  return withKey(() => upload(file, name, mode, signal, onProgress));
}

/**
 * fetch() tells nothing of an upload's progress, so this is an XMLHttpRequest.
 *
 * @param {Blob} file
 * @param {string} name
 * @param {Mode} mode
 * @param {AbortSignal} signal
 * @param {(share: number) => void} onProgress
 * @returns {Promise<Result>}
 */
function upload(file, name, mode, signal, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    if (signal.aborted) {
      reject(new DOMException("cancelled", "AbortError"));
      return;
    }
    request.open("POST", `v1/classify?mode=${mode}&spectrograms=true`);
    for (const [header, value] of Object.entries(key())) request.setRequestHeader(header, value);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.upload.onload = () => onProgress(1);
    request.onload = () => {
      if (request.status === 200) {
        try {
          resolve(JSON.parse(request.responseText));
          return;
        } catch {
          // An answer that is cut off is told like any other fault of the server.
        }
      }
      const retryAfter = request.getResponseHeader("Retry-After");
      reject(fromAnswer(request.status, request.responseText, retryAfter));
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
