/** Moves strings frame by frame for as long as any of them sounds. */

/** @typedef {import("./sound-string.js").SoundString} SoundString */

export class Motion {
  lastFrame = 0;
  /** Milliseconds to rest between two frames; 0: as many frames as the screen shows. */
  pace = 0;

  /**
   * @param {() => SoundString[]} strings
   * @param {() => void} redraw
   */
  constructor(strings, redraw) {
    this.strings = strings;
    this.redraw = redraw;
  }

  wake() {
    if (this.lastFrame) return;
    this.lastFrame = performance.now();
    requestAnimationFrame((now) => this.frame(now));
  }

  /** @param {number} now milliseconds */
  frame(now) {
    const seconds = Math.min(0.1, Math.max(0, now - this.lastFrame) / 1000);
    const strings = this.strings();
    for (const string of strings) string.step(seconds);
    this.redraw();
    const moves = strings.some((string) => string.moves);
    this.lastFrame = moves ? now : 0;
    if (!moves) return;
    const again = () => requestAnimationFrame((next) => this.frame(next));
    if (this.pace) setTimeout(again, this.pace);
    else again();
  }
}
