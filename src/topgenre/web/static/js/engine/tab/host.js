/** The page's side of the worker: it sends files, decodes for it, and hears the answers. */

import { refusal } from "./refusals.js";

/**
 * @typedef {import("../../types.js").Mode} Mode
 * @typedef {import("../../types.js").Result} Result
 * @typedef {Omit<Result, "path">} Heard
 * @typedef {import("./live.js").Said} Said
 *
 * @typedef {object} Waiting
 * @property {(result: Heard) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {(share: number) => void} onProgress
 */

const PATIENCE = 5000; // milliseconds for a file's duration
// After these nothing is sure about what the worker has loaded, so it is made anew.
const FATAL = new Set(["memory", "internal"]);

/** Dispatches "heard" while listening (its detail: Said), "loaded" and "not_loaded". */
export class Host extends EventTarget {
  /** @type {Worker | null} */
  worker = null;
  /** @type {Map<number, Waiting>} */
  jobs = new Map();
  /** @type {Map<number, AudioBuffer>} */
  sounds = new Map();
  last = 0;
  isListening = false;

  /** Load the model, so that the first file need not wait for it. */
  load() {
    this.post({ type: "load" });
  }

  /**
   * @param {Blob} file
   * @param {Mode} mode
   * @param {AbortSignal} signal
   * @param {(share: number) => void} onProgress
   * @returns {Promise<Heard>}
   */
  analyse(file, mode, signal, onProgress) {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      this.last += 1;
      const id = this.last;
      this.jobs.set(id, { resolve, reject, onProgress });
      signal.addEventListener("abort", () => {
        if (!this.jobs.delete(id)) return;
        // What it is doing cannot be interrupted, so it is ended, and made anew for the others.
        if (!this.jobs.size) this.end();
        reject(signal.reason);
      }, { once: true });
      this.post({ type: "analyse", id, file, mode });
    });
  }

  /** @param {number} rate of the samples that follow, in Hz */
  listen(rate) {
    this.isListening = true;
    this.post({ type: "listen", rate });
  }

  /** @param {Float32Array} samples mono; no longer the caller's */
  samples(samples) {
    this.post({ type: "samples", samples }, [samples.buffer]);
  }

  stop() {
    this.isListening = false;
    this.post({ type: "stop" });
  }

  /**
   * @param {object} message
   * @param {Transferable[]} [transfer]
   */
  post(message, transfer = []) {
    if (!this.worker) {
      this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
      this.worker.addEventListener("message", ({ data }) => this.hear(data));
      this.worker.addEventListener("error", (event) => this.fail(event));
    }
    this.worker.postMessage(message, transfer);
  }

  end() {
    this.worker?.terminate();
    this.worker = null;
    this.sounds.clear();
  }

  /** @param {Event} event why the worker came to its end */
  fail(event) {
    this.end();
    // An error in a script has a message, a script that could not be loaded has none.
    const error = refusal(event instanceof ErrorEvent && event.message ? "crashed" : "no_engine");
    for (const job of this.jobs.values()) job.reject(error);
    this.jobs.clear();
    this.dispatchEvent(new CustomEvent("not_loaded", { detail: { detail: error.message } }));
  }

  /** @param {any} data */
  hear(data) {
    const job = this.jobs.get(data.id);
    switch (data.type) {
      case "ask":
        void this.answer(data);
        break;
      case "progress":
        job?.onProgress(data.share);
        break;
      case "result":
        this.jobs.delete(data.id);
        job?.resolve(data.result);
        break;
      case "refused":
        this.jobs.delete(data.id);
        if (FATAL.has(data.code) && !this.jobs.size && !this.isListening) this.end();
        job?.reject(Object.assign(new Error(data.detail), data));
        break;
      case "not_loaded":
        if (!this.jobs.size) this.end();
        this.dispatchEvent(new CustomEvent(data.type, { detail: data }));
        break;
      default:
        this.dispatchEvent(new CustomEvent(data.type, { detail: data }));
    }
  }

  /** @param {any} question */
  async answer(question) {
    const { worker } = this;
    const { call, what } = question;
    try {
      const { value, transfer = [] } = await this.does(what, question);
      worker?.postMessage({ type: "answer", call, value }, transfer);
    } catch (error) {
      const isShort = error instanceof RangeError ||
        (error instanceof DOMException && error.name === "QuotaExceededError");
      worker?.postMessage({ type: "answer", call, refused: isShort ? "memory" : "not_audio" });
    }
  }

  /**
   * @param {string} what
   * @param {any} question
   * @returns {Promise<{value?: unknown, transfer?: Transferable[]}>}
   */
  async does(what, { file, bytes, rate, sound, first, end }) {
    switch (what) {
      case "duration": return { value: await durationOf(file) };
      case "decode": {
        const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
        this.last += 1;
        this.sounds.set(this.last, buffer);
        return { value: { sound: this.last, length: buffer.length } };
      }
      case "read": {
        const buffer = /** @type {AudioBuffer} */ (this.sounds.get(sound));
        const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) => {
          const channel = new Float32Array(end - first);
          buffer.copyFromChannel(channel, i, first);
          return channel;
        });
        return { value: channels, transfer: channels.map((channel) => channel.buffer) };
      }
      default:
        this.sounds.delete(sound);
        return {};
    }
  }
}

/**
 * @param {Blob} file
 * @returns {Promise<number | null>} seconds; null if the browser does not say
 */
function durationOf(file) {
  return new Promise((resolve) => {
    const audio = new Audio();
    const address = URL.createObjectURL(file);
    const timer = setTimeout(() => done(null), PATIENCE);
    const done = (/** @type {number | null} */ seconds) => {
      clearTimeout(timer);
      audio.removeAttribute("src");
      URL.revokeObjectURL(address);
      resolve(seconds);
    };
    audio.preload = "metadata";
    audio.ondurationchange = () => {
      if (Number.isFinite(audio.duration)) done(audio.duration);
      // Recordings say no duration; browsers find it where they look for the end.
      else audio.currentTime = Number.MAX_SAFE_INTEGER;
    };
    audio.onerror = () => done(null);
    audio.src = address;
  });
}
