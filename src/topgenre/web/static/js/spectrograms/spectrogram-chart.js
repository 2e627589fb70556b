/** A spectrogram on its axes: time below, frequency at the left, the colour scale at the right. */

import { ember } from "./color-map.js";
import { clock } from "../ui/format.js";
import { color, font } from "../ui/theme.js";

/** @typedef {import("./spectrogram.js").Spectrogram} Spectrogram */

/** Room around the picture in pixels. */
export const MARGIN = { left: 78, right: 12, top: 8, bottom: 60 };
const SCALE_WIDTH = 110;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {Spectrogram} spectrogram
 * @param {{start: number, end: number}} time seconds
 */
export function drawChart(context, width, height, spectrogram, time) {
  const box = {
    x: MARGIN.left,
    y: MARGIN.top,
    width: width - MARGIN.left - MARGIN.right,
    height: height - MARGIN.top - MARGIN.bottom,
  };
  context.imageSmoothingEnabled = false;
  context.drawImage(spectrogram.picture(), box.x, box.y, box.width, box.height);
  context.strokeStyle = color("edge");
  context.fillStyle = color("quiet");
  context.font = font("text", 12);
  context.lineWidth = 1;
  drawFrequencies(context, box, spectrogram);
  drawTimes(context, box, time);
  drawScale(context, box, spectrogram);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number, height: number}} box
 * @param {Spectrogram} spectrogram
 */
function drawFrequencies(context, box, spectrogram) {
  context.textAlign = "right";
  context.textBaseline = "middle";
  const bands = spectrogram.channel.bands_hz.length > spectrogram.channel.rows;
  let lowest = Infinity;
  for (const { at, words } of spectrogram.ticks()) {
    const y = box.y + (1 - at) * box.height;
    if (lowest - y < 13) continue;
    lowest = y;
    context.fillText(words, box.x - 9, y);
    if (!bands) line(context, box.x - 5, y, box.x - 1, y);
  }
  context.textBaseline = "alphabetic";
  context.textAlign = "right";
  context.fillText("Hz", box.x - 9, box.y + box.height + 18);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number, height: number}} box
 * @param {{start: number, end: number}} time
 */
function drawTimes(context, box, time) {
  context.textBaseline = "top";
  context.textAlign = "center";
  const seconds = time.end - time.start;
  const step = [0.5, 1, 2, 5, 10].find((s) => (s / seconds) * box.width > 46) ?? 10;
  for (let at = Math.ceil(time.start / step) * step; at <= time.end; at += step) {
    const x = box.x + ((at - time.start) / seconds) * box.width;
    line(context, x, box.y + box.height + 1, x, box.y + box.height + 5);
    const words = step < 1 ? `${clock(at)}${(at % 1).toFixed(1).slice(1)}` : clock(at);
    const half = context.measureText(words).width / 2;
    const inside = Math.min(x, box.x + box.width + MARGIN.right - half);
    context.fillText(words, inside, box.y + box.height + 8);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number, height: number}} box
 * @param {Spectrogram} spectrogram
 */
function drawScale(context, box, spectrogram) {
  const { low, high, unit } = spectrogram.channel;
  const y = box.y + box.height + 42;
  const decibels = unit === "dB" ? " dB" : "";
  const most = `${round(high)}${decibels}`;
  const right = box.x + box.width - context.measureText(most).width - 7;
  for (let i = 0; i < SCALE_WIDTH; i += 1) {
    context.fillStyle = `rgb(${ember(i / (SCALE_WIDTH - 1)).join(" ")})`;
    context.fillRect(right - SCALE_WIDTH + i, y, 1.5, 8);
  }
  context.fillStyle = color("quiet");
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillText(most, right + 7, y + 5);
  context.textAlign = "right";
  const what = decibels ? "Power" : "Onset strength";
  context.fillText(`${what}   ${round(low)}${decibels}`, right - SCALE_WIDTH - 7, y + 5);
}

/**
 * @param {number} value
 * @returns {string}
 */
function round(value) {
  return String(Number(value.toFixed(1))).replace("-", "\u2212");
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}
