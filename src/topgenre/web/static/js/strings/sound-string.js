/** One string: a sum of three damped standing waves, and how strongly it sounds by itself. */

const MODES = [1, 2, 3];
const STEPS = 160; // points of a string
const DAMPING = 1.9; // per second, for the lowest mode
const STILL = 0.15; // pixels

export class SoundString {
  /** Height of each standing wave in pixels. */
  waves = MODES.map(() => 0);
  /** Share of the row that the string fills while it sounds steadily, and what it tends to. */
  level = 0;
  aim = 0;
  /** How much of the shape at rest is seen: all of it until the string has something to say. */
  rest = 1;
  restAim = 1;

  /** @param {number} index */
  constructor(index) {
    this.index = index;
    this.speed = 15 - 0.6 * index; // radians a second
  }

  get moves() {
    return this.waves.some((height) => Math.abs(height) > STILL) ||
      this.level !== this.aim || this.rest !== this.restAim;
  }

  /**
   * @param {number} at where along it, 0 to 1
   * @param {number} strength pixels
   */
  pluck(at, strength) {
    this.waves = MODES.map((mode, i) => {
      const height = (strength * Math.sin(Math.PI * mode * at)) / mode;
      return Math.abs(height) > Math.abs(this.waves[i] ?? 0) ? height : this.waves[i] ?? 0;
    });
  }

  /** @param {number} seconds that have passed */
  step(seconds) {
    this.waves = this.waves.map((height, i) =>
      height * Math.exp(-DAMPING * (MODES[i] ?? 1) * seconds));
    const share = Math.min(1, 5 * seconds);
    this.level = towards(this.aim, this.level, share);
    this.rest = towards(this.restAim, this.rest, share);
  }

  /**
   * @param {number} x 0 to 1
   * @param {number} time seconds
   * @returns {number} pixels from the string's rest
   */
  vibration(x, time) {
    let sum = 0;
    this.waves.forEach((height, i) => {
      const mode = MODES[i] ?? 1;
      sum += height * Math.sin(Math.PI * mode * x) * Math.cos(this.speed * mode * time);
    });
    return sum;
  }
}

/**
 * @param {number} aim
 * @param {number} value
 * @param {number} share of the way
 * @returns {number}
 */
function towards(aim, value, share) {
  const way = aim - value;
  return Math.abs(way) < 0.004 ? aim : value + way * share;
}

/**
 * At rest the first string shows one half wave, the second two, and so on: the harmonic series.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {SoundString} string
 * @param {string} ink
 * @param {{x: number, y: number, width: number, row: number}} box
 * @param {number} time seconds
 */
export function drawString(context, string, ink, box, time) {
  const harmonic = Math.PI * (string.index + 1);
  const height = 0.3 * box.row * string.rest;
  context.fillStyle = context.strokeStyle = ink;
  context.lineWidth = 2.6 - 0.16 * string.index;
  context.globalAlpha = 0.28;
  if (string.level > 0.02) lens(context, box, 0.5 * box.row * Math.min(1, 0.12 + string.level));
  if (string.rest > 0.01) trace(context, box, (x) => height * Math.sin(harmonic * x));
  context.globalAlpha = 1;
  trace(context, box, (x) => string.vibration(x, time) - height * Math.sin(harmonic * x));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number}} box
 * @param {(x: number) => number} offset from the string's rest, in pixels
 */
function trace(context, box, offset) {
  context.beginPath();
  for (let step = 0; step <= STEPS; step += 1) {
    const x = step / STEPS;
    context.lineTo(box.x + x * box.width, box.y + offset(x));
  }
  context.stroke();
}

/**
 * The blur of a sounding string: a lens around its rest.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number}} box
 * @param {number} belly half its greatest height
 */
export function lens(context, box, belly) {
  const middle = box.x + box.width / 2;
  context.beginPath();
  context.moveTo(box.x, box.y);
  context.quadraticCurveTo(middle, box.y - 2 * belly, box.x + box.width, box.y);
  context.quadraticCurveTo(middle, box.y + 2 * belly, box.x, box.y);
  context.fill();
}
