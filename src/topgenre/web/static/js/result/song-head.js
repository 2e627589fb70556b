/** Which song it is: cover, title and artist from the file's tags, and the file's name. */

import { playButton } from "../listen/listen-view.js";
import { h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { analysedPart, toneOf } from "./verdict.js";

/**
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("../listen/transport.js").Transport} Transport
 */

/**
 * @param {Result} result
 * @param {Transport} transport
 * @param {boolean} playable whether the file is there
 * @returns {HTMLElement}
 */
export function songHead(result, transport, playable) {
  const { path, song } = result;
  const by = [song?.artist, song?.album].filter(Boolean).join(" · ");
  return h("header", { class: "song-head" },
    h("div", { class: `song-cover ${toneOf(result)}` },
      cover(result) ?? icon("note"),
      playable && playButton(transport, "the song", "cover-play")),
    h("div", { class: "song-words" },
      song?.title && h("p", { class: "song-title" }, song.title),
      by && h("p", { class: "song-by" }, by),
      h("p", { class: "song-file quiet figures" },
        h("span", { class: "file-name" }, path), ` · ${analysedPart(result)}`)));
}

/**
 * @param {Result} result
 * @returns {HTMLImageElement | null}
 */
function cover({ song }) {
  const source = song?.cover;
  if (!source || !/^data:image\/(png|jpeg|webp|gif);base64,/.test(source)) return null;
  const image = h("img", { src: source, alt: "", onerror: () => image.replaceWith(icon("note")) });
  return image;
}

/**
 * @param {Result | undefined} result
 * @param {string} path
 * @returns {string} the song's name where its tags have one
 */
export function songName(result, path) {
  const { title, artist } = result?.song ?? {};
  return title ? [title, artist].filter(Boolean).join(", ") : path;
}
