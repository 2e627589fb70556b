/** The files of this visit: which wait, which are under way, and what came of them. */

import { Item } from "./queue-item.js";
import { Problem, emptyFile, tooLarge } from "../engine/problem.js";

/**
 * @typedef {import("../types.js").Mode} Mode
 */

const TRIES = 20; // by itself, against a busy server
const LONGEST_PAUSE = 60; // seconds

/** Dispatches "change" when the list has, and "item" (its detail) when one of its items has. */
export class Queue extends EventTarget {
  /** @type {Item[]} */
  items = [];
  maxBytes = Infinity;
  timer = 0;

  /** @param {import("../types.js").Analyser} analyser */
  constructor(analyser) {
    super();
    this.analyser = analyser;
    addEventListener("online", () => {
      for (const item of this.items) if (item.problem?.code === "offline") this.analyse(item);
    });
  }

  /**
   * @param {{file: Blob, name: string}[]} files
   * @param {Mode} mode
   * @returns {Item[]}
   */
  add(files, mode) {
    const items = files.map(({ file, name }) => new Item(file, name, mode));
    this.items.push(...items);
    for (const item of items) {
      if (item.file.size > this.maxBytes) fail(item, tooLarge(item.file.size, this.maxBytes));
      else if (item.file.size === 0) fail(item, emptyFile());
    }
    this.dispatchEvent(new Event("change"));
    this.fill();
    return items;
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

  /** @param {Item} item */
  cancel(item) {
    item.abort.abort();
    if (item.pending) item.state = item.result ? "done" : "cancelled";
    if (item.result) item.mode = item.result.mode;
    this.tell(item);
    this.fill();
  }

  /** @param {Item} item */
  remove(item) {
    item.abort.abort();
    this.items = this.items.filter((other) => other !== item);
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
    const { mode } = item;
    Object.assign(item, { abort, state: "sending", progress: null, problem: null });
    this.tell(item);
    try {
      const { name } = item;
      const { signal } = abort;
      const result = await this.analyser.analyse(item.file, { name, mode, signal,
        onProgress: ({ stage, share }) => {
          if (signal.aborted) return;
          item.progress = share;
          item.state = stage;
          this.tell(item);
        } });
      if (abort.signal.aborted) return;
      item.results[mode] = result;
      item.state = "done";
    } catch (error) {
      if (abort.signal.aborted) return;
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
