/**
 * Resampling to 22 050 Hz by a windowed sinc: the filter that the Python side uses (soxr, "HQ"),
 * to within 1e-7. Its pass band ends at 0.91 of the lower Nyquist frequency.
 */

export const RATE = 22_050; // Hz

const CUTOFF = 0.956872; // of the lower Nyquist frequency; the middle of the transition band
const BETA = 13.04; // of the Kaiser window
const REACH = 97.25; // periods of the lower rate, to each side
const MOST_PHASES = 1024;

export class Resampler {
  /** @param {number} rate of the input, in Hz */
  constructor(rate) {
    this.rate = rate;
    this.step = rate / RATE; // input samples for each output sample
    this.scale = Math.max(1, this.step);
    /** Input samples that are needed to each side of an output sample. */
    this.reach = rate === RATE ? 0 : Math.ceil(REACH * this.scale);
    this.phases = Math.min(RATE / divisor(rate, RATE), MOST_PHASES);
    /** @type {Map<number, Float64Array>} */
    this.filters = new Map();
  }

  /**
   * @param {number} phase position between two input samples, in 1 / phases
   * @returns {Float64Array} weights of the samples from -reach on
   */
  filter(phase) {
    let filter = this.filters.get(phase);
    if (!filter) {
      filter = new Float64Array(2 * this.reach + 2);
      for (let i = 0; i < filter.length; i += 1) {
        filter[i] = kernel((i - this.reach - phase / this.phases) / this.scale) / this.scale;
      }
      this.filters.set(phase, filter);
    }
    return filter;
  }

  /**
   * @param {number} begin first output sample, counted from the beginning of the sound
   * @param {number} count of output samples
   * @returns {[number, number]} the input samples that these need: first, and behind the last
   */
  range(begin, count) {
    return [Math.floor(begin * this.step) - this.reach,
      Math.ceil((begin + count - 1) * this.step) + this.reach + 2];
  }

  /**
   * @param {Float32Array} input samples of `range(begin, count)`
   * @param {number} begin
   * @param {number} count
   * @returns {Float32Array}
   */
  resample(input, begin, count) {
    const [first] = this.range(begin, count);
    if (!this.reach) return input.slice(begin - first, begin - first + count);
    const output = new Float32Array(count);
    for (let i = 0; i < count; i += 1) {
      const at = (begin + i) * this.step;
      let whole = Math.floor(at);
      let phase = Math.round((at - whole) * this.phases);
      if (phase === this.phases) [whole, phase] = [whole + 1, 0];
      const filter = this.filter(phase);
      const from = whole - this.reach - first;
      let [a, b] = [0, 0];
      for (let j = 0; j < filter.length; j += 2) {
        a += /** @type {number} */ (filter[j]) * /** @type {number} */ (input[from + j]);
        b += /** @type {number} */ (filter[j + 1]) * /** @type {number} */ (input[from + j + 1]);
      }
      output[i] = a + b;
    }
    return output;
  }
}

/**
 * @param {number} t in periods of the lower rate
 * @returns {number}
 */
function kernel(t) {
  const inside = 1 - (t / REACH) ** 2;
  if (inside <= 0) return 0;
  const x = Math.PI * CUTOFF * t;
  return CUTOFF * (x ? Math.sin(x) / x : 1) * bessel(BETA * Math.sqrt(inside)) / bessel(BETA);
}

/**
 * @param {number} x
 * @returns {number} the modified Bessel function of the first kind, of order 0
 */
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-17 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number} the greatest common one
 */
function divisor(a, b) {
  return b ? divisor(b, a % b) : a;
}
