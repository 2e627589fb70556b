/** Results as JSON, CSV and plain text: the same shapes as the command line writes. */

import { percent } from "../ui/format.js";
import { spoken } from "../ui/genres.js";
import { analysedPart, verdictOf } from "./verdict.js";

/** @typedef {import("../types.js").Result} Result */

/**
 * @param {Result} result
 * @returns {Result} without its pictures
 */
export function plain(result) {
  const { spectrograms: _, ...rest } = result;
  if (!rest.song) return rest;
  const { cover: __, ...song } = rest.song;
  return { ...rest, song };
}

/**
 * @param {Result[]} results
 * @returns {Blob} one object, or a list if there are several
 */
export function asJson(results) {
  const all = results.map(plain);
  const text = JSON.stringify(all.length === 1 ? all[0] : all, null, 2);
  return new Blob([text, "\n"], { type: "application/json" });
}

/**
 * @param {Result[]} results
 * @returns {Blob} a header and a row per result
 */
export function asCsv(results) {
  const most = Math.max(0, ...results.map(({ genres }) => genres.length));
  const pairs = Array.from({ length: most }, (_, i) => [`genre_${i + 1}`, `probability_${i + 1}`]);
  const rows = [
    ["path", "mode", "uncertain", "start", "end", ...pairs.flat(), "model"],
    ...results.map((result) => [
      result.path,
      result.mode,
      result.uncertain,
      result.segment.start,
      result.segment.end,
      ...pairs.flatMap((_, i) => {
        const best = result.genres[i];
        return best ? [best.genre, best.probability] : ["", ""];
      }),
      result.model,
    ]),
  ];
  const lines = rows.map((row) => row.map(cell).join(","));
  return new Blob([lines.join("\r\n"), "\r\n"], { type: "text/csv" });
}

/**
 * @param {string | number | boolean} value
 * @returns {string}
 */
function cell(value) {
  let text = String(value);
  // A spreadsheet must not take a file's name for a formula.
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * @param {Result} result
 * @param {number} top how many genres
 * @returns {string}
 */
export function asText(result, top) {
  const ranking = result.genres.slice(0, top)
    .map(({ genre, probability }) => `${spoken(genre)} ${percent(probability)}`);
  return `${result.path}: ${verdictOf(result)}\n${ranking.join(", ")}\n` +
    `(${analysedPart(result)}; ${result.model})`;
}

/**
 * @param {string} path
 * @param {string} suffix
 * @returns {string} name for a file about a sound file
 */
export function exportName(path, suffix) {
  return `${path.replace(/\.[^.]*$/, "") || "result"}.topgenre${suffix}`;
}
