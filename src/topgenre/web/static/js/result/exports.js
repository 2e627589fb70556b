/** Results as JSON, CSV and plain text: the shapes that the command line writes too. */

import { clock, percent } from "../ui/format.js";

/** @typedef {import("../types.js").Result} Result */

/**
 * A result without its pictures.
 *
 * @param {Result} result
 * @returns {Result}
 */
export function plain(result) {
  const { spectrograms: _, ...rest } = result;
  return rest;
}

/**
 * @param {Result[]} results
 * @returns {Blob} one object, or a list of them if there are more
 */
export function asJson(results) {
  const all = results.map(plain);
  const text = JSON.stringify(all.length === 1 ? all[0] : all, null, 2);
  return new Blob([text, "\n"], { type: "application/json" });
}

/**
 * @param {Result[]} results
 * @returns {Blob} a header and a row for each
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
  const best = result.genres.slice(0, top);
  const ranking = best.map(({ genre, probability }) => `${genre} ${percent(probability)}`);
  const { start, end } = result.segment;
  const doubt = result.uncertain ? "not sure; as a hint: " : "";
  return `${result.path}: ${doubt}${ranking.join(", ")}\n` +
    `(${clock(start)} to ${clock(end)}, ${result.model})`;
}

/**
 * @param {string} path
 * @param {string} suffix
 * @returns {string} name for a file about a sound file
 */
export function exportName(path, suffix) {
  return `${path.replace(/\.[^.]*$/, "") || "result"}.topgenre${suffix}`;
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it is in the clipboard
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages that are not on https have no clipboard of their own, but this older way.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden";
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}
