/** A picture of a result to send to somebody: the verdict, and the strings as they sound. */

import { capital, clock, percent } from "../ui/format.js";
import { genres, tone } from "../ui/genres.js";
import { lens } from "../strings/sound-string.js";
import { color, font } from "../ui/theme.js";

/** @typedef {import("../types.js").Result} Result */

const WIDTH = 1200;
const HEIGHT = 630;
const LEFT = 72;
const STRINGS = { x: 700, y: 84, width: 330, height: 462 };

/**
 * @param {Result} result
 * @returns {Promise<Blob>} a PNG of 1200 by 630 pixels, in the colours of the moment
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
  return new Promise((resolve, reject) => canvas.toBlob((blob) =>
    blob ? resolve(blob) : reject(new Error("This browser cannot save pictures.")), "image/png"));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Result} result
 */
function drawWords(context, result) {
  const [best, ...others] = result.genres;
  if (!best) return;
  const most = STRINGS.x - 2 * LEFT;
  context.textBaseline = "alphabetic";
  context.fillStyle = color("quiet");
  context.font = font("text", 28);
  context.fillText(fitted(context, result.path, most), LEFT, 128);

  const title = result.uncertain ? "Not sure" : capital(best.genre);
  context.fillStyle = color("ink");
  let size = 128;
  do context.font = font("display", size);
  while (context.measureText(title).width > most && (size -= 4) > 40);
  context.fillText(title, LEFT - 4, 258);
  context.fillStyle = color(result.uncertain ? "quiet" : tone(best.genre));
  lens(context, { x: LEFT, y: 300, width: 300 }, 7);

  context.font = font("text", 34);
  context.fillStyle = color("ink");
  const lines = result.uncertain
    ? ["As a hint only:", ...result.genres.slice(0, 2).map(ranked)]
    : [`${percent(best.probability)} sure`, ...others.slice(0, 2).map(ranked)];
  lines.forEach((words, i) => {
    context.fillStyle = color(i ? "quiet" : "ink");
    context.fillText(words, LEFT, 368 + 48 * i);
  });

  context.fillStyle = color("accent");
  lens(context, { x: LEFT, y: 546, width: 44 }, 11);
  context.fillStyle = color("ink");
  context.font = font("display", 34, 600);
  context.fillText("topgenre", LEFT + 58, 556);
  context.fillStyle = color("quiet");
  context.font = font("text", 22);
  const { start, end } = result.segment;
  context.fillText(`${clock(start)}–${clock(end)}`, LEFT + 216, 555);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Result} result
 */
function drawStrings(context, result) {
  const known = genres().length ? genres() : result.genres.map(({ genre }) => genre);
  const shares = new Map(result.genres.map(({ genre, probability }) => [genre, probability]));
  const row = STRINGS.height / known.length;
  context.textBaseline = "middle";
  known.forEach((genre, i) => {
    const y = STRINGS.y + (i + 0.5) * row;
    const share = shares.get(genre) ?? 0;
    const isBest = genre === result.genres[0]?.genre;
    context.fillStyle = context.strokeStyle = color(tone(genre));
    context.lineWidth = 3.2 - 0.16 * i;
    context.beginPath();
    context.moveTo(STRINGS.x, y);
    context.lineTo(STRINGS.x + STRINGS.width, y);
    context.stroke();
    lens(context, { x: STRINGS.x, y, width: STRINGS.width }, 0.7 * row * share);
    context.fillStyle = color(isBest ? "ink" : "quiet");
    context.font = font("text", 22, isBest ? 700 : 400);
    context.textAlign = "right";
    context.fillText(genre, STRINGS.x - 18, y);
    context.fillText(percent(share), WIDTH - LEFT, y);
    context.textAlign = "left";
  });
}

/** @param {{genre: string, probability: number}} best */
function ranked({ genre, probability }) {
  return `${capital(genre)} ${percent(probability)}`;
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
