/** A picture of a result to send to somebody: the verdict, and the ranking as sounding strings. */

import { lens } from "../strings/sound-string.js";
import { percent } from "../ui/format.js";
import { displayName, tone } from "../ui/genres.js";
import { color, font } from "../ui/theme.js";
import { songName } from "./song-head.js";
import { analysedPart, changes, explanation, tierOf, toneOf, verdictOf } from "./verdict.js";

/** @typedef {import("../types.js").Result} Result */

const WIDTH = 1200;
const HEIGHT = 630;
const LEFT = 72;
const STRINGS = { x: 730, y: 84, width: 300, height: 462 };
const MOST = 10; // strings
/** Largest size of the verdict, in pixels. */
const SIZES = { sure: 128, probable: 84, close: 72, unsure: 52 };

/**
 * @param {Result} result
 * @returns {Promise<Blob>} a PNG of 1200 by 630 pixels, in the present theme
 */
export function sharePicture(result) {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d");
  if (!context) return Promise.reject(new Error("This browser cannot draw pictures."));
  context.fillStyle = color("paper");
  context.fillRect(0, 0, WIDTH, HEIGHT);
  drawWords(context, result);
  drawStrings(context, result);
  drawSections(context, result);
  return new Promise((resolve, reject) => canvas.toBlob((blob) =>
    blob ? resolve(blob) : reject(new Error("This browser cannot save pictures.")), "image/png"));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Result} result
 */
function drawWords(context, result) {
  const most = STRINGS.x - 2 * LEFT - 60;
  context.textBaseline = "alphabetic";
  context.fillStyle = color("quiet");
  context.font = font("text", 28);
  context.fillText(fitted(context, songName(result, result.path), most), LEFT, 122);

  const size = changes(result) ? SIZES.close : SIZES[tierOf(result)];
  context.fillStyle = color("ink");
  context.font = font("display", size, 700);
  let y = 122;
  for (const line of wrapped(context, verdictOf(result), most)) {
    y += 1.12 * size;
    context.fillText(line, LEFT - 2, y);
  }
  context.fillStyle = color(toneOf(result) || "edge");
  lens(context, { x: LEFT, y: y + 34, width: 300 }, 7);

  context.font = font("text", 28);
  context.fillStyle = color("quiet");
  for (const line of wrapped(context, explanation(result), most)) {
    context.fillText(line, LEFT, y + 92);
    y += 38;
  }

  context.fillStyle = color("accent");
  lens(context, { x: LEFT, y: 546, width: 44 }, 11);
  context.fillStyle = color("ink");
  context.font = font("display", 32, 700);
  context.fillText("topgenre", LEFT + 58, 556);
  const brand = LEFT + 58 + context.measureText("topgenre").width + 24;
  context.fillStyle = color("quiet");
  context.font = font("text", 22);
  context.fillText(fitted(context, analysedPart(result), STRINGS.x - 120 - brand), brand, 555);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Result} result most probable genre first, and so are the strings
 */
function drawStrings(context, { genres }) {
  const shown = genres.slice(0, MOST);
  const row = STRINGS.height / shown.length;
  context.textBaseline = "middle";
  shown.forEach(({ genre, probability }, i) => {
    const y = STRINGS.y + (i + 0.5) * row;
    context.fillStyle = context.strokeStyle = color(tone(genre));
    context.lineWidth = 3.2 - 0.16 * i;
    context.beginPath();
    context.moveTo(STRINGS.x, y);
    context.lineTo(STRINGS.x + STRINGS.width, y);
    context.stroke();
    lens(context, { x: STRINGS.x, y, width: STRINGS.width }, 0.7 * row * probability);
    context.fillStyle = color(i ? "quiet" : "ink");
    context.font = font("text", 22, i ? 400 : 700);
    context.textAlign = "right";
    context.fillText(displayName(genre), STRINGS.x - 18, y);
    context.fillText(percent(probability), WIDTH - LEFT, y);
    context.textAlign = "left";
  });
}

/**
 * The genres over time of a whole track, along the lower edge.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Result} result
 */
function drawSections(context, { timeline, duration }) {
  const windows = timeline ?? [];
  const scale = WIDTH / Math.max(duration ?? 0, windows.at(-1)?.end ?? 0, 1);
  windows.forEach(({ start, end, probabilities }, i) => {
    const [best] = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
    if (!best) return;
    const until = Math.min(end, windows[i + 1]?.start ?? Infinity);
    context.fillStyle = color(tone(best[0]));
    context.fillRect(start * scale, HEIGHT - 18, (until - start) * scale + 0.5, 18);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} most pixels
 * @returns {string[]} lines
 */
function wrapped(context, text, most) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && context.measureText(longer).width <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} most pixels
 * @returns {string}
 */
function fitted(context, text, most) {
  if (context.measureText(text).width <= most) return text;
  let short = text;
  while (short && context.measureText(`${short}…`).width > most) short = short.slice(0, -1);
  return `${short}…`;
}
