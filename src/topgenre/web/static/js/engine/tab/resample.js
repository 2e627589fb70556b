/**
 * Resampling to 22 050 Hz by a windowed sinc: the filter that the Python side uses (soxr, "HQ"),
 * to within 1e-7. Its pass band ends at 0.91 of the lower Nyquist frequency.
 */

export const RATE = 22_050; // Hz

const CUTOFF = 0.956872; // of the lower Nyquist frequency; the middle of the transition band
const BETA = 13.04; // of the Kaiser window
const REACH = 97.25; // periods of the lower rate, to each side
const MOST_PHASES = 1024;
const LEAST_COLUMNS = 64; // of the matrix; with fewer, rows would overlap by more than they advance

/**
 * @callback Multiply the product of two matrices, row after row
 * @param {Float32Array} left
 * @param {Float32Array} right
 * @param {number} inner the width of `left` and the height of `right`
 * @returns {Promise<Float32Array>}
 */

export class Resampler {
  /** @param {number} rate of the input, in Hz */
  constructor(rate) {
    this.step = rate / RATE; // input samples for each output sample
    this.scale = Math.max(1, this.step);
    /** Input samples that are needed to each side of an output sample. */
    this.reach = rate === RATE ? 0 : Math.ceil(REACH * this.scale);
    const phases = RATE / divisor(rate, RATE);
    this.isPeriodic = phases <= MOST_PHASES;
    this.phases = Math.min(phases, MOST_PHASES);
    this.columns = this.phases * Math.ceil(LEAST_COLUMNS / this.phases);
    /** @type {Map<number, Float64Array>} */
    this.filters = new Map();
    /** @type {Float32Array | null} */
    this.matrix = null;
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
   * @param {number} at position of an output sample in input samples
   * @returns {[number, number]} the input sample before it, and the phase
   */
  place(at) {
    const whole = Math.floor(at);
    const phase = Math.round((at - whole) * this.phases);
    return phase === this.phases ? [whole + 1, 0] : [whole, phase];
  }

  /**
   * @param {number} begin first output sample, counted from the beginning of the sound
   * @param {number} count of output samples
   * @returns {[number, number]} the input samples that these need: first, and behind the last
   */
  range(begin, count) {
    const aligned = begin - begin % this.phases;
    return [Math.round(aligned * this.step) - this.reach,
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
      const [whole, phase] = this.place((begin + i) * this.step);
      const filter = this.filter(phase);
      const from = whole - this.reach - first;
      let sum = 0;
      for (let j = 0; j < filter.length; j += 1) {
        sum += /** @type {number} */ (filter[j]) * /** @type {number} */ (input[from + j]);
      }
      output[i] = sum;
    }
    return output;
  }

  /**
   * The same, several times as fast for many samples: as the product of two matrices. A row of the
   * left one is a stretch of the input, a column of the right one the filter of one output sample.
   *
   * @param {Float32Array} input samples of `range(begin, count)`
   * @param {number} begin
   * @param {number} count
   * @param {Multiply} multiply
   * @returns {Promise<Float32Array>}
   */
  async resampleMany(input, begin, count, multiply) {
    if (!this.reach || !this.isPeriodic) return this.resample(input, begin, count);
    this.matrix ??= this.filterMatrix();
    const { columns, phases, matrix } = this;
    const height = matrix.length / columns;
    const skipped = begin % phases;
    const rows = Math.ceil((skipped + count) / columns);
    const advance = Math.round(columns * this.step);
    const stretches = new Float32Array(rows * height);
    for (let row = 0; row < rows; row += 1) {
      const from = row * advance;
      stretches.set(input.subarray(from, from + height), row * height);
    }
    const output = await multiply(stretches, matrix, height);
    return output.slice(skipped, skipped + count);
  }

  /** @returns {Float32Array} */
  filterMatrix() {
    const { columns } = this;
    const height = Math.floor((columns - 1) * this.step) + 2 * this.reach + 3;
    const matrix = new Float32Array(height * columns);
    for (let column = 0; column < columns; column += 1) {
      const [whole, phase] = this.place(column * this.step);
      this.filter(phase).forEach((weight, i) => {
        matrix[(whole + i) * columns + column] = weight;
      });
    }
    return matrix;
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
