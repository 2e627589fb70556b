/** Links to a search: the one provider that needs neither a server nor an account. */

import { capital } from "../ui/format.js";

/**
 * @typedef {import("../types.js").RecommendationSection} RecommendationSection
 * @typedef {import("../types.js").RecommendedItem} RecommendedItem
 * @typedef {import("../types.js").Wish} Wish
 */

const SEARCH = "https://open.spotify.com/search/";

/**
 * @param {Wish} wish
 * @returns {RecommendationSection}
 */
export function searchLinks({ weights, artist, title }) {
  const genres = weights.map(({ genre }) => link(genre, `${spoken(genre)} playlists`,
    `${encodeURIComponent(spoken(genre))}/playlists`));
  const best = weights[0]?.genre ?? "";
  const query = [artist, title].filter(Boolean).join(" ");
  const song = artist ? [link(best, `Artists like ${artist}`, `${encodeURIComponent(artist)}/artists`),
    ...title ? [link(best, query, `${encodeURIComponent(query)}/tracks`)] : []] : [];
  return { provider: "search-links", label: "Search on Spotify", kind: "search",
    items: [...song, ...genres], notices: [] };
}

/**
 * @param {string} genre
 * @param {string} words
 * @param {string} path
 * @returns {RecommendedItem}
 */
function link(genre, words, path) {
  return { kind: "search", name: capital(words), artists: [], url: SEARCH + path,
    artwork_url: null, genre, query: words };
}

/**
 * @param {string} genre
 * @returns {string} as people search for it
 */
function spoken(genre) {
  return genre === "hiphop" ? "hip hop" : genre;
}
