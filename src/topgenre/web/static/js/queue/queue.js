/** The files of this visit: which wait, which are under way, and what came of them. */

import { Problem, emptyFile, tooLarge } from "../engine/problem.js";
import { Item } from "./queue-item.js";

/**
 * @typedef {import("../types.js").Analyser} Analyser
 * @typedef {import("../types.js").Mode} Mode
 */

const TRIES = 20; // by itself, against a busy server
const LONGEST_PAUSE = 60; // seconds
const SAMPLE = 65_536; // bytes at both ends by which files are told apart

/** Dispatches "change" when the list has, and "item" (its detail) when one of its items has. */
export class Queue extends EventTarget {
  /** @type {Item[]} */
  items = [];
  maxBytes = Infinity;
  timer = 0;

  /** @param {Analyser} analyser */
  constructor(analyser) {
    super();
    this.analyser = analyser;
    addEventListener("online", () => {
      for (const item of this.items) if (item.problem?.code === "offline") this.analyse(item);
    });
  }

  /** Take files in, one after the other: a file that is in the list already gets no second row. */
  /** @type {Promise<unknown>} */
  adding = Promise.resolve();

  /**
   * @param {{file: Blob, name: string}[]} files
   * @param {Mode} mode
   * @returns {Promise<Item[]>} an item for each file
   */
  add(files, mode) {
    const adding = this.adding.then(() => this.take(files, mode));
    this.adding = adding.catch(() => undefined);
    return adding;
  }

  /**
   * @param {{file: Blob, name: string}[]} files
   * @param {Mode} mode
   * @returns {Promise<Item[]>}
   */
  async take(files, mode) {
    /** @type {Set<Item>} */
    const taken = new Set();
    for (const { file, name } of files) {
      const known = await this.known(file, name);
      if (known) {
        taken.add(known);
        if (!known.result && !known.pending) this.analyse(known, mode);
        continue;
      }
      const item = new Item(file, name, mode);
      if (file.size > this.maxBytes) fail(item, tooLarge(file.size, this.maxBytes));
      else if (file.size === 0) fail(item, emptyFile());
      this.items.push(item);
      taken.add(item);
    }
    this.dispatchEvent(new Event("change"));
    this.fill();
    return [...taken];
  }

  /**
   * @param {Blob} file
   * @param {string} name
   * @returns {Promise<Item | undefined>} the item that has this file
   */
  async known(file, name) {
    for (const item of this.items) {
      if (item.name === name && item.file.size === file.size && await alike(item.file, file)) {
        return item;
      }
    }
    return undefined;
  }

  /**
   * Analyse again, or in another mode.
   *
   * @param {Item} item
   * @param {Mode} [mode]
   */
  analyse(item, mode = item.mode) {
    if (item.active) item.abort.abort();
    item.mode = mode;
    item.problem = null;
    item.tries = 0;
    item.state = item.results[mode] ? "done" : "waiting";
    this.tell(item);
    this.fill();
  }

  /**
   * Files that still wait are analysed in this mode.
   *
   * @param {Mode} mode
   */
  setMode(mode) {
    for (const item of this.items) if (item.state === "waiting" && !item.result) item.mode = mode;
  }

  /** @param {Item} item */
  cancel(item) {
    item.abort.abort();
    if (item.pending) item.state = item.result ? "done" : "cancelled";
    if (item.result) item.mode = item.result.mode;
    this.tell(item);
    this.fill();
  }

  /** @param {Item[]} items */
  remove(items) {
    const gone = new Set(items);
    for (const item of gone) item.abort.abort();
    this.items = this.items.filter((item) => !gone.has(item));
    this.dispatchEvent(new Event("change"));
    this.fill();
  }

  /** Start what may start, and wake up when the next pause ends. */
  fill() {
    const now = Date.now();
    let free = this.analyser.atOnce - this.items.filter((item) => item.active).length;
    for (const item of this.items) {
      if (free <= 0) break;
      if (item.state === "waiting" || (item.state === "pausing" && item.resumesAt <= now)) {
        free -= 1;
        void this.run(item);
      }
    }
    const pauses = this.items.filter((item) => item.state === "pausing").map((i) => i.resumesAt);
    clearTimeout(this.timer);
    if (pauses.length && free > 0) {
      this.timer = setTimeout(() => this.fill(), Math.max(0, Math.min(...pauses) - now) + 5);
    }
  }

  /** @param {Item} item */
  async run(item) {
    const abort = new AbortController();
    const { signal } = abort;
    const { mode, name } = item;
    Object.assign(item, { abort, state: "sending", progress: null, problem: null });
    this.tell(item);
    try {
      const result = await this.analyser.analyse(item.file, { name, mode, signal,
        onProgress: ({ stage, share }) => {
          if (signal.aborted) return;
          item.progress = share;
          item.state = stage;
          this.tell(item);
        } });
      if (signal.aborted) return;
      item.results[mode] = result;
      item.state = "done";
    } catch (error) {
      if (signal.aborted) return;
      const problem = error instanceof Problem ? error : unexpected(error);
      if (problem.passes && ++item.tries < TRIES) pause(item, problem);
      else fail(item, problem);
    }
    this.tell(item);
    this.fill();
  }

  /** @param {Item} item */
  tell(item) {
    this.dispatchEvent(new CustomEvent("item", { detail: item }));
  }
}

/**
 * @param {Blob} one
 * @param {Blob} other of the same size
 * @returns {Promise<boolean>} whether both begin and end with the same bytes
 */
async function alike(one, other) {
  if (one === other) return true;
  try {
    const ends = await Promise.all([one, other].flatMap((file) =>
      [file.slice(0, SAMPLE), file.slice(-SAMPLE)].map((part) => part.arrayBuffer())));
    const [a, b, c, d] = ends.map((bytes) => new Uint8Array(bytes));
    return same(a, c) && same(b, d);
  } catch {
    return false; // One of them cannot be read any more; its analysis says so.
  }
}

/**
 * @param {Uint8Array} [a]
 * @param {Uint8Array} [b]
 * @returns {boolean}
 */
function same(a, b) {
  return a !== undefined && b !== undefined && a.length === b.length &&
    a.every((byte, i) => byte === b[i]);
}

/**
 * @param {Item} item
 * @param {Problem} problem
 */
function fail(item, problem) {
  item.state = "failed";
  item.problem = problem;
}

/**
 * @param {Item} item
 * @param {Problem} problem
 */
function pause(item, problem) {
  const seconds = Math.min(LONGEST_PAUSE, Math.max(1, problem.retryAfter ?? 2 ** item.tries));
  item.state = "pausing";
  item.problem = problem;
  item.resumesAt = Date.now() + 1000 * seconds;
}

/**
 * @param {unknown} error
 * @returns {Problem}
 */
function unexpected(error) {
  const said = error instanceof Error ? error.message : String(error);
  return new Problem("internal", "Something went wrong", said);
}
