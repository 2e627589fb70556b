/** A canvas that stays sharp: redrawn when its size, the screen's density or the theme changes. */

import { themeChanges } from "./theme.js";

/**
 * @typedef {(context: CanvasRenderingContext2D, width: number, height: number) => void} Draw
 *   in CSS pixels, on a blank canvas
 */

export class LiveCanvas {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Draw} draw
   */
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.drawing = draw;
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(canvas);
    this.onTheme = () => this.redraw();
    themeChanges.addEventListener("change", this.onTheme);
  }

  redraw() {
    const { canvas } = this;
    const density = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return;
    const [wide, high] = [Math.round(width * density), Math.round(height * density)];
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
    }
    const context = canvas.getContext("2d");
    if (!context) return;
    context.setTransform(wide / width, 0, 0, high / height, 0, 0);
    context.clearRect(0, 0, width, height);
    this.drawing(context, width, height);
  }

  end() {
    this.observer.disconnect();
    themeChanges.removeEventListener("change", this.onTheme);
  }
}
