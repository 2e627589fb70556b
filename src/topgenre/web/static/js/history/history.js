/** Past results, kept in this browser alone and without sound. */

import { plain } from "../result/exports.js";
import { onChangeElsewhere, recall, remember } from "../ui/storage.js";

/**
 * @typedef {import("../types.js").HistoryEntry} HistoryEntry
 * @typedef {import("../types.js").Result} Result
 */

const NAME = "history";
const MOST = 50;

/** Dispatches "change". */
export class History extends EventTarget {
  /** @type {HistoryEntry[]} newest first */
  entries = load();
  /** @type {HistoryEntry[]} what the last clearing took away */
  cleared = [];

  constructor() {
    super();
    onChangeElsewhere(NAME, () => {
      this.entries = load();
      this.dispatchEvent(new Event("change"));
    });
  }

  /**
   * @param {Result} result
   * @returns {string} id of the new entry
   */
  add(result) {
    const entry = { id: crypto.getRandomValues(new Uint32Array(2)).join("-"),
      when: new Date().toISOString(), result: plain(result) };
    this.cleared = [];
    this.set([entry, ...this.entries].slice(0, MOST));
    return entry.id;
  }

  clear() {
    this.cleared = this.entries;
    this.set([]);
  }

  undoClear() {
    this.set(this.cleared);
    this.cleared = [];
  }

  /** @param {HistoryEntry[]} entries */
  set(entries) {
    this.entries = entries;
    // Storage has its limits: give up the oldest rather than the newest.
    let kept = entries.length;
    while (!remember(NAME, entries.slice(0, kept)) && kept > 1) kept = Math.floor(kept / 2);
    this.dispatchEvent(new Event("change"));
  }
}

/** @returns {HistoryEntry[]} */
function load() {
  const isList = (/** @type {unknown} */ value) => Array.isArray(value);
  return recall(NAME, /** @type {unknown[]} */ ([]), isList).filter(isEntry);
}

/**
 * @param {unknown} value
 * @returns {value is HistoryEntry}
 */
function isEntry(value) {
  const { id, when, result } = Object(value);
  return typeof id === "string" && typeof when === "string" && typeof result?.path === "string" &&
    typeof result.segment?.start === "number" && typeof result.segment.end === "number" &&
    Array.isArray(result.notices) && Array.isArray(result.genres) && result.genres.length > 0 &&
    result.genres.every((/** @type {unknown} */ best) =>
      typeof Object(best).genre === "string" && typeof Object(best).probability === "number");
}
