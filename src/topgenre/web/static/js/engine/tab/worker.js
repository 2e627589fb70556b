/** Analyses files one after the other, away from the page, which asks by messages. */

import { analyse } from "./analysis.js";
import { LiveListener } from "./live.js";
import { loadModel } from "./network.js";
import { Refusal, refusal } from "./refusals.js";
import { RATE } from "./resample.js";
import { songTags } from "./song-tags.js";
import { openSound } from "./sound.js";

/**
 * @typedef {import("./network.js").Model} Model
 * @typedef {import("./sound.js").Decoder} Decoder
 * @typedef {import("../../types.js").Mode} Mode
 * @typedef {{id: number, file: Blob, mode: Mode}} Job
 */

// How ONNX Runtime and WebAssembly say it.
const NO_MEMORY = /memory|alloc|OOM/i;

/** @type {Promise<Model> | null} */
let loading = null;
/** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
const calls = new Map();
let lastCall = 0;
/** @type {Promise<unknown>} */
let queue = Promise.resolve();
/** @type {LiveListener | null} */
let live = null;

/** @returns {Promise<Model>} */
function model() {
  loading ??= loadModel().catch((error) => {
    loading = null; // so that the next file tries again
    throw error;
  });
  return loading;
}

/**
 * Ask the page for something that only it can do.
 *
 * @param {string} what
 * @param {object} details
 * @param {Transferable[]} [transfer]
 * @returns {Promise<any>}
 */
function ask(what, details, transfer = []) {
  lastCall += 1;
  const call = lastCall;
  return new Promise((resolve, reject) => {
    calls.set(call, { resolve, reject });
    self.postMessage({ type: "ask", what, call, ...details }, { transfer });
  });
}

/** @type {Decoder} */
const decoder = {
  duration: (file) => ask("duration", { file }),
  async decode(bytes, rate) {
    const { sound, length } = await ask("decode", { bytes, rate }, [bytes]);
    return {
      length,
      read: async (first, end) => mixed(await ask("read", { sound, first, end }), end - first),
      close: () => ask("close", { sound }),
    };
  },
};

/**
 * @param {Float32Array[]} channels
 * @param {number} length
 * @returns {Float32Array}
 */
function mixed(channels, length) {
  const mono = new Float32Array(length);
  for (const channel of channels) {
    for (let i = 0; i < length; i += 1) mono[i] = (mono[i] ?? 0) + (channel[i] ?? 0);
  }
  if (channels.length > 1) for (let i = 0; i < length; i += 1) mono[i] = (mono[i] ?? 0) / channels.length;
  return mono;
}

/**
 * Report the model as loaded, then run it once on silence: the first run takes twice as long.
 *
 * @param {Model} loaded
 */
function warmUp({ info, hear }) {
  self.postMessage({ type: "loaded", info });
  queue = queue.then(() => hear(new Float32Array(10 * RATE))).catch(() => {});
}

/** @param {Job} job */
async function work({ id, file, mode }) {
  try {
    const loaded = await model();
    const sound = await openSound(file, decoder);
    try {
      const onProgress = (/** @type {number} */ share) =>
        self.postMessage({ type: "progress", id, share });
      const result = await analyse(sound, mode, loaded, onProgress);
      self.postMessage({ type: "result", id, result: { ...result, song: await songTags(file) } });
    } finally {
      await sound.close();
    }
  } catch (error) {
    self.postMessage({ type: "refused", id, ...words(error) });
  }
}

/**
 * @param {unknown} error
 * @returns {{code: string, title: string, detail: string}}
 */
function words(error) {
  const said = error instanceof Refusal ? error
    : error instanceof RangeError || NO_MEMORY.test(String(error)) ? refusal("memory")
    : new Refusal("internal", "Something went wrong", String(error));
  return { code: said.code, title: said.title, detail: said.message };
}

/** @type {Record<string, (data: any) => void>} */
const ANSWERS = {
  load: () => void model().then(warmUp,
    (error) => self.postMessage({ type: "not_loaded", ...words(error) })),
  analyse: (job) => {
    queue = queue.then(() => work(job));
  },
  answer: ({ call, value, refused }) => {
    const waiting = calls.get(call);
    calls.delete(call);
    if (refused) waiting?.reject(refusal(refused));
    else waiting?.resolve(value);
  },
  listen: ({ rate }) => {
    live = new LiveListener(rate, model, (said) => self.postMessage({ type: "heard", ...said }),
      (error) => self.postMessage({ type: "live_failed", ...words(error) }));
  },
  samples: ({ samples }) => live?.add(samples),
  stop: () => {
    live?.end();
    live = null;
  },
};

self.addEventListener("message", ({ data }) => ANSWERS[data.type]?.(data));
