/** One file of this visit, and where it stands. */

/**
 * @typedef {import("../types.js").Mode} Mode
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("../engine/problem.js").Problem} Problem
 * @typedef {"waiting" | "sending" | "analysing" | "pausing" | "done" | "failed" | "cancelled"}
 *   State pausing: the server was busy, and it is tried again by itself
 */

let lastId = 0;

export class Item {
  id = ++lastId;
  /** @type {State} */
  state = "waiting";
  /** Share of the stage that is done; null if unknown. */
  /** @type {number | null} */
  progress = null;
  /** @type {Problem | null} */
  problem = null;
  /** When a pause ends, in milliseconds since 1970. */
  resumesAt = 0;
  tries = 0;
  /** @type {Partial<Record<Mode, Result>>} */
  results = {};
  abort = new AbortController();

  /**
   * @param {Blob} file
   * @param {string} name
   * @param {Mode} mode
   */
  constructor(file, name, mode) {
    this.file = file;
    this.name = name;
    this.mode = mode;
  }

  /** Whether it holds one of the places at the server. */
  get active() {
    return this.state === "sending" || this.state === "analysing";
  }

  /** Whether something can still come of it by itself. */
  get pending() {
    return this.active || this.state === "waiting" || this.state === "pausing";
  }

  /** Whether it failed, and has no result of another mode either. */
  get hopeless() {
    return this.state === "failed" && !this.result;
  }

  /** @returns {Result | undefined} in the mode it was last asked for, or else in the other */
  get result() {
    return this.results[this.mode] ?? this.results.middle ?? this.results.whole;
  }
}
