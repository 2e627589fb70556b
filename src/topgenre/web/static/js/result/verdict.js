/** The answer in words. The engine says it; of results without a verdict, this does. */

import { percent, span } from "../ui/format.js";
import { displayName, spoken, tone } from "../ui/genres.js";

/**
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("../types.js").Tier} Tier
 */

const SURE = 0.8; // of results that come without a tier

/**
 * @param {Result} result
 * @returns {Tier}
 */
export function tierOf({ tier, uncertain, genres }) {
  if (tier) return tier;
  if (uncertain) return "unsure";
  return (genres[0]?.probability ?? 0) >= SURE ? "sure" : "probable";
}

/**
 * @param {Result} result
 * @returns {boolean} whether its parts are of different genres
 */
export function changes({ sections }) {
  return new Set(sections?.map(({ genre }) => genre)).size > 1;
}

/**
 * @param {Result} result
 * @returns {string}
 */
export function verdictOf(result) {
  if (result.verdict) return result.verdict;
  const [best, next] = result.genres;
  if (!best) return "Not sure";
  switch (tierOf(result)) {
    case "sure": return displayName(best.genre);
    case "probable": return `Probably ${spoken(best.genre)}`;
    case "close": return next
      ? `${displayName(best.genre)} or ${spoken(next.genre)}` : displayName(best.genre);
    case "unsure": return next
      ? `Not sure: closest are ${spoken(best.genre)} and ${spoken(next.genre)}` : "Not sure";
  }
}

/**
 * @param {Result} result
 * @returns {string} for a row of a list
 */
export function shortVerdict(result) {
  const [best] = result.genres;
  const tier = tierOf(result);
  if (changes(result)) return verdictOf(result);
  // "None of the ten", and what it sounds like, has no room.
  if (tier === "unsure" || !best) {
    return /^None of [^;:]+/.exec(result.verdict ?? "")?.[0] ?? "Not sure";
  }
  if (tier === "close") return verdictOf(result);
  return `${verdictOf(result)} ${percent(best.probability)}`;
}

/**
 * @param {Result} result
 * @returns {string} the tone of the genre that it names, or "" if it does not name one
 */
export function toneOf(result) {
  const [best] = result.genres;
  return best && tierOf(result) !== "unsure" && !changes(result) ? tone(best.genre) : "";
}

/**
 * @param {Result} result
 * @returns {string} what to make of the verdict
 */
export function explanation(result) {
  const [best, next] = result.genres;
  if (!best) return "";
  if (changes(result)) return "The song changes. Each part by itself is clear.";
  const first = percent(best.probability);
  const second = next ? `${spoken(next.genre)} ${percent(next.probability)}` : "";
  switch (tierOf(result)) {
    case "sure":
    case "probable": return `${first} sure.${second && ` Next: ${second}.`}`;
    case "close": return `${displayName(best.genre)} ${first}, ${second}: too close to call.`;
    case "unsure": return "Treat the ranking as a hint.";
  }
}

/**
 * @param {Result} result
 * @returns {string} which part was analysed
 */
export function analysedPart({ segment, duration, mode }) {
  const length = duration ?? segment.end;
  if (mode === "whole") return `Whole track, ${span(0, length).split(" to ")[1]}`;
  if (duration === null) return span(segment.start, segment.end);
  return `${span(segment.start, segment.end)} of ${span(0, duration).split(" to ")[1]}`;
}
