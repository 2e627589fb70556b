/** Recommended items as elements: playlists are tiles, tracks are rows, searches are links. */

import { h } from "../ui/dom.js";
import { displayName, tone } from "../ui/genres.js";
import { icon } from "../ui/icons.js";

/**
 * @typedef {import("../types.js").RecommendedItem} RecommendedItem
 * @typedef {import("./preview.js").Previews} Previews
 */

/**
 * @param {RecommendedItem[]} items
 * @param {Previews} previews
 * @returns {HTMLElement[]} a list for each kind of item, playlists first
 */
export function itemLists(items, previews) {
  const of = (/** @type {string} */ kind) => items.filter((item) => item.kind === kind);
  const [playlists, tracks, searches] = [of("playlist"), of("track"), of("search")];
  return [
    ...playlists.length ? [h("ul", { class: "playlists" }, ...playlists.map(playlist))] : [],
    ...tracks.length
      ? [h("ul", { class: "songs" }, ...tracks.map((item) => track(item, previews)))] : [],
    ...searches.length ? [h("ul", { class: "searches" }, ...searches.map(search))] : [],
  ];
}

/** @param {RecommendedItem} item */
function playlist(item) {
  const inside = [
    h("span", { class: `playlist-cover ${toneOf(item)}` }, ...cover(item)),
    h("span", { class: "song-name" }, item.name),
    h("span", { class: "song-artists quiet small" }, item.artists.join(", ") ||
      (item.genre ? displayName(item.genre) : "")),
  ];
  return h("li", {}, outside(item.url, "playlist", inside));
}

/**
 * @param {RecommendedItem} item
 * @param {Previews} previews
 */
function track(item, previews) {
  const { name, artists, url, genre, preview_url: preview, spotify_url: spotify } = item;
  // Songs of the server's library are at an address of the server.
  const own = url?.startsWith("v1/library/") ? url : null;
  return h("li", { class: "track-row" },
    h("span", { class: `track-cover ${toneOf(item)}` }, ...cover(item),
      isWeb(preview) && previews.button(preview, name, `Play a preview of ${name}`),
      own && previews.button(own, name)),
    outside(url, "track-link", [
      h("span", { class: "song-name" }, name),
      h("span", { class: "song-artists quiet small" }, artists.join(", ")),
    ]),
    genre && h("span", { class: `dot ${tone(genre)}`, title: displayName(genre) },
      h("span", { class: "hidden" }, displayName(genre))),
    isWeb(spotify) && spotify !== url && outside(spotify, "button slight",
      [spotify.includes("/search/") && h("span", { class: "hidden" }, "Find on "), "Spotify"]));
}

/** @param {RecommendedItem} item */
function search(item) {
  return h("li", {}, outside(item.url, `chip ${toneOf(item)}`,
    [icon("search"), item.name, icon("out")]));
}

/** @param {RecommendedItem} item */
function toneOf({ genre }) {
  return genre ? tone(genre) : "";
}

/**
 * @param {RecommendedItem} item
 * @returns {Node[]} the picture, above a tile that is seen if the picture does not load
 */
function cover({ artwork_url: artwork }) {
  const tile = icon("note");
  if (!isWeb(artwork)) return [tile];
  const image = h("img", { src: artwork, alt: "", loading: "lazy", referrerpolicy: "no-referrer",
    onerror: () => image.remove() });
  return [tile, image];
}

/**
 * @param {string | null} url anything but a web address becomes plain words, as a provider is not to be
 *   trusted with more
 * @param {string} classes
 * @param {import("../ui/dom.js").Child[]} inside
 */
function outside(url, classes, inside) {
  if (!isWeb(url)) return h("span", { class: classes }, ...inside);
  return h("a", { class: classes, href: url, target: "_blank", rel: "noopener noreferrer" },
    ...inside, h("span", { class: "hidden" }, " (opens in a new tab)"));
}

/**
 * @param {string | null | undefined} url
 * @returns {url is string}
 */
export function isWeb(url) {
  return typeof url === "string" && /^https?:\/\//i.test(url);
}
