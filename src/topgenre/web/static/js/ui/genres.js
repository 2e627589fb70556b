/** The genres of the model: their names for people, and the tone that each is shown in. */

import { capital } from "./format.js";

const TONES = 10;
/** @type {Record<string, string>} */
const SPELLINGS = { hiphop: "hip-hop" };

/** @type {string[]} */
let known = [];

/** @param {string[]} genres */
export function setGenres(genres) {
  known = [...genres];
}

/** @returns {readonly string[]} */
export function genres() {
  return known;
}

/**
 * @param {string} genre
 * @returns {string} as it is written within a sentence
 */
export function spoken(genre) {
  return SPELLINGS[genre] ?? genre;
}

/**
 * @param {string} genre
 * @returns {string} as it is written by itself
 */
export function displayName(genre) {
  return capital(spoken(genre));
}

/**
 * @param {string} genre
 * @returns {string} name of the genre's custom property and class
 */
export function tone(genre) {
  let index = known.indexOf(genre);
  // A genre of an older result, from another model.
  if (index < 0) index = [...genre].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  return `tone-${index % TONES}`;
}
