/** Similar songs in the library that the server has catalogued. */

import { Problem } from "../engine/problem.js";
import { h } from "../ui/dom.js";
import { sentence } from "../ui/format.js";
import { displayName, tone } from "../ui/genres.js";
import { icon } from "../ui/icons.js";
import { Previews } from "./preview.js";

/**
 * @typedef {import("../listen/transport.js").Transport} Transport
 * @typedef {import("../types.js").Library} Library
 * @typedef {import("../types.js").Neighbour} Neighbour
 * @typedef {import("../types.js").Result} Result
 */

export class LibraryView {
  abort = new AbortController();

  /**
   * @param {Result} result
   * @param {Blob | null} file
   * @param {Library} library
   * @param {Transport} transport
   */
  constructor(result, file, library, transport) {
    this.previews = new Previews(transport);
    this.content = h("div", {}, h("p", { class: "quiet" }, "Looking for similar songs …"));
    this.element = h("section", { class: "library", "aria-labelledby": "library-title",
      hidden: !file },
    h("h2", { id: "library-title", class: "section-title" }, "Similar in your library"),
    this.content);
    if (file) void this.load(result, file, library);
  }

  /**
   * @param {Result} result
   * @param {Blob} file
   * @param {Library} library
   */
  async load(result, file, library) {
    try {
      const songs = await library.similar(result, file, this.abort.signal);
      this.content.replaceChildren(songs.length
        ? h("ol", { class: "songs" }, ...songs.map((song) => this.row(song)))
        : h("p", { class: "quiet" }, "No song in the library is similar enough."));
    } catch (error) {
      if (this.abort.signal.aborted) return;
      const why = error instanceof Problem
        ? `${error.title}. ${sentence(error.detail)}` : String(error);
      this.content.replaceChildren(h("p", {}, why));
    }
  }

  /** @param {Neighbour} song */
  row({ title, artist, album, genre, score, reasons, audio_url: audio }) {
    const words = [artist, album, reasons?.join(", ") || displayName(genre)];
    return h("li", { class: "track-row" },
      h("span", { class: `track-cover ${tone(genre)}` }, icon("note"),
        audio && this.previews.button(audio, title)),
      h("span", { class: "track-link" },
        h("span", { class: "song-name" }, title),
        h("span", { class: "song-artists quiet small" },
          words.filter(Boolean).join(" · "))),
      h("span", { class: "score figures" }, h("span", { class: "hidden" }, "Similarity "),
        `${Math.round(100 * score)}%`));
  }

  end() {
    this.abort.abort();
    this.previews.end();
  }
}
