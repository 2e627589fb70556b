/** Lists of recommendations to take away: links, JSON, and a playlist for players. */

import { isWeb } from "./items.js";

/** @typedef {import("../types.js").RecommendedItem} RecommendedItem */

/**
 * @param {RecommendedItem[]} items
 * @returns {string} a line each
 */
export function asLinks(items) {
  return withLinks(items).map((item) => `${label(item)}: ${item.url}`).join("\n");
}

/**
 * @param {RecommendedItem[]} items
 * @returns {Blob}
 */
export function asM3u(items) {
  const lines = withLinks(items).flatMap((item) =>
    [`#EXTINF:-1,${label(item)}`, String(item.url)]);
  return new Blob([["#EXTM3U", ...lines, ""].join("\n")], { type: "audio/x-mpegurl" });
}

/**
 * @param {RecommendedItem[]} items
 * @returns {Blob}
 */
export function asItemsJson(items) {
  return new Blob([JSON.stringify(items, null, 2), "\n"], { type: "application/json" });
}

/** @param {RecommendedItem[]} items */
function withLinks(items) {
  return items.filter(({ url }) => isWeb(url));
}

/** @param {RecommendedItem} item */
function label({ name, artists }) {
  return [artists.join(", "), name].filter(Boolean).join(" - ").replace(/[\r\n]+/g, " ");
}
