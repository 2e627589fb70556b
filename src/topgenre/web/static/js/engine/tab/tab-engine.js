/** This tab as an engine: nothing leaves it, and once loaded it works offline. */

import { Problem, noConnection } from "../problem.js";
import { searchLinks } from "../../recommend/search-links.js";
import { Host } from "./host.js";

/**
 * @typedef {import("../../types.js").AnalyseOptions} AnalyseOptions
 * @typedef {import("../../types.js").Backend} Backend
 * @typedef {import("../../types.js").Info} Info
 * @typedef {import("../../types.js").Result} Result
 */

const SUFFIXES = [".mp3", ".wav", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".webm", ".mp4"];

/** @returns {Promise<Backend>} */
export async function open() {
  const host = new Host();
  // The page comes first: what is loaded for later must not hold it up.
  const idle = window.requestIdleCallback ?? ((/** @type {() => void} */ then) => setTimeout(then, 200));
  addEventListener("load", () => idle(() => host.load()), { once: true });
  if (document.readyState === "complete") idle(() => host.load());
  // Only then is all of it kept for later: what the page needs first comes first.
  host.addEventListener("loaded", () => void keepForLater(), { once: true });
  return {
    info,
    analyser: { atOnce: 1, analyse: (file, options) => analyse(host, file, options) },
    recommender: { recommend: async (wish) => [searchLinks(wish)] },
    library: { similar: async () => [] },
    corrections: { correct: async () => { throw new Error("a tab learns nothing"); } },
    listener: host,
    privacy: "Your file never leaves this tab: it is analysed here.",
    apiDocs: null,
  };
}

/** From now on the page works offline. */
async function keepForLater() {
  try {
    await navigator.serviceWorker?.register("sw.js");
  } catch {
    // Not every host or browser allows it; the page works online all the same.
  }
}

/** @returns {Promise<Info>} */
async function info() {
  const answer = await fetch("engine/info.json");
  return {
    ...await answer.json(),
    max_upload_bytes: null,
    suffixes: SUFFIXES,
    recommendation_providers: [
      { name: "search-links", label: "Search on Spotify", kind: "search" },
    ],
    needs_api_key: false,
    library: false,
    corrections: false,
  };
}

/**
 * @param {Host} host
 * @param {Blob} file
 * @param {AnalyseOptions} options
 * @returns {Promise<Result>}
 */
async function analyse(host, file, { name, mode, onProgress, signal }) {
  onProgress({ stage: "analysing", share: null });
  const begin = performance.now();
  try {
    const result = await host.analyse(file, mode, signal, (share) =>
      onProgress({ stage: "analysing", share }));
    performance.measure("topgenre: analyse", { start: begin });
    return { path: name, ...result };
  } catch (error) {
    const { code, title, message } = /** @type {Error & {code?: string, title?: string}} */ (error);
    if (code === "unreachable" && !navigator.onLine) throw noConnection();
    if (code && title) throw new Problem(code, title, message);
    throw error;
  }
}
