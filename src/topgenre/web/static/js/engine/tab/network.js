/** The model, run by ONNX Runtime: samples in, probabilities out. */

import { refusal } from "./refusals.js";

/**
 * @typedef {import("./analysis.js").Heard} Heard
 * @typedef {import("./judge.js").ModelInfo} ModelInfo
 * @typedef {import("./resample.js").Multiply} Multiply
 *
 * @typedef {object} Model
 * @property {ModelInfo} info
 * @property {(samples: Float32Array) => Promise<Heard>} hear
 * @property {Multiply} multiply
 */

const MOST_THREADS = 4;
// Optimising the graph delays the first answer by a second and saves only 7 ms a run.
const OPTIONS = { executionProviders: ["wasm"], graphOptimizationLevel: "disabled",
  logSeverityLevel: 3 };
// Where `make pages` puts what it builds, from here.
const FOLDER = new URL("../../../../engine/", import.meta.url);
// The shortest module with an instruction of SIMD.
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10,
  1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

/** @returns {Promise<Model>} */
export async function loadModel() {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD)) throw refusal("no_wasm");
  const [ort, wasm, graph, product, info] = await Promise.all([
    import(new URL("ort.mjs", FOLDER).href),
    unpacked("ort.wasm.gz"),
    unpacked("topgenre-audio.onnx.gz"),
    fetched("product.onnx").then((answer) => answer.arrayBuffer()),
    fetched("topgenre-audio.json").then((answer) => answer.json()),
  ]).catch((error) => {
    throw error instanceof RangeError ? refusal("memory") : refusal("no_engine");
  });
  const { wasm: settings } = ort.env;
  settings.wasmBinary = wasm;
  settings.numThreads = self.crossOriginIsolated
    ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
  const create = (/** @type {ArrayBuffer} */ model) =>
    ort.InferenceSession.create(new Uint8Array(model), OPTIONS);
  const session = await create(graph);
  const multiplication = await create(product);
  settings.wasmBinary = undefined; // 14 MB that nobody needs any more
  return {
    info,
    async hear(samples) {
      const tensor = new ort.Tensor("float32", samples, [samples.length]);
      const { probabilities, music, tags, input } = await session.run({ samples: tensor });
      return { probabilities: probabilities.data, music: music.data[0], tags: tags?.data ?? [],
        input: input.data };
    },
    async multiply(left, right, inner) {
      const shaped = (/** @type {Float32Array} */ x, /** @type {[number, number]} */ shape) =>
        new ort.Tensor("float32", x, shape);
      const { c } = await multiplication.run({ a: shaped(left, [left.length / inner, inner]),
        b: shaped(right, [inner, right.length / inner]) });
      return c.data;
    },
  };
}

/**
 * @param {string} name
 * @returns {Promise<Response>}
 */
async function fetched(name) {
  const answer = await fetch(new URL(name, FOLDER));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

/**
 * Unpack here, as not every host of plain files compresses what it sends.
 *
 * @param {string} name
 * @returns {Promise<ArrayBuffer>}
 */
async function unpacked(name) {
  const { body } = await fetched(name);
  if (!body) throw new Error(`${name}: empty`);
  return new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
