/** Numbers and times in the words of the page. */

/**
 * A probability in percent, and never 0 or 100 by rounding alone.
 *
 * @param {number} probability
 * @returns {string}
 */
export function percent(probability) {
  if (probability > 0 && probability < 0.0005) return "<0.1%";
  if (probability >= 0.9995 && probability < 1) return ">99.9%";
  return `${(100 * probability).toFixed(1)}%`;
}

/**
 * @param {number} seconds
 * @returns {string} minutes and seconds, with hours where there are some
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60), whole % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes % 60)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/**
 * A stretch of time, with tenths where whole seconds would say too little.
 *
 * @param {number} start seconds
 * @param {number} end seconds
 * @returns {string} "0:03 to 0:13"
 */
export function span(start, end) {
  const tenths = end - start < 10 - 0.05;
  return `${moment(start, tenths)} to ${moment(end, tenths)}`;
}

/**
 * @param {number} seconds
 * @param {boolean} tenths
 * @returns {string}
 */
export function moment(seconds, tenths) {
  if (!tenths) return clock(Math.round(seconds));
  const rounded = Math.round(10 * seconds) / 10;
  const rest = Math.round(10 * (rounded % 1)) % 10;
  return rest ? `${clock(rounded)}.${rest}` : clock(rounded);
}

/**
 * @param {number} bytes
 * @returns {string}
 */
export function megabytes(bytes) {
  const size = bytes / 1e6;
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} MB`;
}

/**
 * @param {number} hertz
 * @returns {string}
 */
export function frequency(hertz) {
  return hertz >= 1000 ? `${Number((hertz / 1000).toFixed(1))}k` : String(Math.round(hertz));
}

/**
 * @param {string} word
 * @returns {string}
 */
export function capital(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/**
 * What the server says in one line, as a sentence beside the file's name.
 *
 * @param {string} line
 * @param {string} [name] that stands there already
 * @returns {string}
 */
export function sentence(line, name = "") {
  const rest = name && line.startsWith(`${name}: `) ? line.slice(name.length + 2) : line;
  return capital(/[.!?]$/.test(rest) ? rest : `${rest}.`);
}

/**
 * @param {number} count
 * @param {string} noun
 * @returns {string}
 */
export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

const WORDS = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"];

/**
 * @param {number} count
 * @returns {string} in words up to ten
 */
export function inWords(count) {
  return WORDS[count] ?? String(count);
}

/**
 * @param {string[]} words
 * @returns {string} "a, b and c"
 */
export function listed(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}
