/** Music like this: what each provider recommends, in a part of its own. */

import { Problem } from "../engine/problem.js";
import { tierOf } from "../result/verdict.js";
import { exportName } from "../result/exports.js";
import { copyText } from "../ui/clipboard.js";
import { announce, download, h } from "../ui/dom.js";
import { listed, sentence } from "../ui/format.js";
import { spoken } from "../ui/genres.js";
import { icon } from "../ui/icons.js";
import { menu } from "../ui/menu.js";
import { recall, remember } from "../ui/storage.js";
import { itemLists } from "./items.js";
import { asItemsJson, asLinks, asM3u } from "./list-exports.js";
import { Previews } from "./preview.js";

/**
 * @typedef {import("../listen/transport.js").Transport} Transport
 * @typedef {import("../types.js").RecommendationProvider} RecommendationProvider
 * @typedef {import("../types.js").RecommendationSection} RecommendationSection
 * @typedef {import("../types.js").RecommendedItem} RecommendedItem
 * @typedef {import("../types.js").Recommender} Recommender
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("../types.js").Wish} Wish
 */

const GENRES = 3; // that are asked for
const LEAST = 0.05; // probability that is worth a recommendation
const HINT = "hint.spotify";
const HINTS = /connect Spotify/i; // notices that are for whoever runs the server
const BY_ARTIST = new Set(["deezer"]); // providers that know artists like an artist

export class RecommendationsView {
  abort = new AbortController();
  /** @type {RecommendedItem[]} */
  items = [];

  /**
   * @param {Result} result
   * @param {Recommender} recommender
   * @param {Transport} transport
   * @param {RecommendationProvider[]} providers that can be asked
   */
  constructor(result, recommender, transport, providers) {
    this.recommender = recommender;
    this.providers = providers;
    this.path = result.path;
    this.previews = new Previews(transport);
    const best = result.genres.slice(0, GENRES);
    /** @type {Wish} */
    this.wish = { weights: best.filter(({ probability }, i) => i === 0 || probability >= LEAST) };
    const { artist, title } = result.song ?? {};
    if (artist) this.wish = { ...this.wish, artist, ...title ? { title } : {} };
    const names = listed(this.wish.weights.map(({ genre }) => spoken(genre)));
    this.content = h("div", { class: "recommended" });
    this.more = h("div", { class: "also" });
    this.note = h("span", { class: "small quiet", role: "status" });
    this.exports = this.exportMenu();
    this.element = h("section", { class: "recommendations",
      "aria-labelledby": "recommendations-title" },
      h("div", { class: "section-head" },
        h("h2", { id: "recommendations-title", class: "section-title" }, "Music like this"),
        h("p", { class: "quiet small" }, tierOf(result) === "unsure"
          ? `A guess, like the answer: ${names}` : artist ? `${artist} · ${names}` : names),
        this.note, this.exports),
      this.content, this.more);
    void this.load();
  }

  async load() {
    this.content.replaceChildren(h("p", { class: "quiet" }, "Looking for music …"));
    try {
      this.show(await this.recommender.recommend(this.wish, this.abort.signal));
    } catch (error) {
      if (this.abort.signal.aborted) return;
      this.content.replaceChildren(
        h("p", {}, `No music found: ${words(error)} `),
        h("button", { type: "button", class: "button slight", onclick: () => void this.load() },
          icon("again"), "Try again"));
    }
  }

  /** @param {RecommendationSection[]} sections */
  show(sections) {
    this.items = [];
    this.content.replaceChildren(...sections.map((section) => this.section(section)));
    // The library has a part of its own.
    const others = this.providers.filter(({ name, kind }) => kind !== "library" &&
      !sections.some(({ provider }) => provider === name));
    const hint = sections.flatMap(({ notices }) => notices).find((notice) => HINTS.test(notice));
    this.more.replaceChildren(...this.offers(others), ...hint ? this.hint(hint) : []);
    if (!sections.length) {
      this.content.append(h("p", {}, "No music service is set up here."));
    }
    this.refreshExports();
  }

  /**
   * Providers that are asked only if the visitor wants it, in one row.
   *
   * @param {RecommendationProvider[]} others
   * @returns {Node[]}
   */
  offers(others) {
    if (!others.length) return [];
    const buttons = others.map(({ name, label }) => h("button", { type: "button",
      class: "button slight", onclick: (/** @type {Event} */ event) =>
        this.ask(name, /** @type {HTMLButtonElement} */ (event.currentTarget)) },
    BY_ARTIST.has(name) && this.wish.artist ? `${label}: like ${this.wish.artist}` : label));
    const byArtist = others.find(({ name }) => BY_ARTIST.has(name));
    return [
      h("div", { class: "also-row" }, h("span", { class: "quiet small" }, "Also ask"), ...buttons),
      ...byArtist ? [this.artistForm(byArtist)] : [],
    ];
  }

  /**
   * Music for the song and not only for its genre, where the visitor knows who plays it.
   *
   * @param {RecommendationProvider} provider
   */
  artistForm({ name }) {
    const artist = h("input", { class: "field slight", id: "wish-artist", autocomplete: "off",
      value: this.wish.artist ?? "", required: true, maxlength: 100 });
    const title = h("input", { class: "field slight", id: "wish-title", autocomplete: "off",
      value: this.wish.title ?? "", maxlength: 100 });
    const submit = h("button", { type: "submit", class: "button slight" }, "Find");
    return h("details", { class: "artist-form" },
      h("summary", { class: "small" }, this.wish.artist
        ? "Not this artist?" : "Know the artist? Find music like this song"),
      h("form", { onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        const { title: _, ...rest } = this.wish;
        this.wish = { ...rest, artist: artist.value.trim(),
          ...title.value.trim() ? { title: title.value.trim() } : {} };
        void this.ask(name, submit);
      } }, h("label", { for: "wish-artist" }, "Artist"), artist,
      h("label", { for: "wish-title" }, "Title"), title, submit));
  }

  /**
   * @param {string} provider
   * @param {HTMLButtonElement} button
   */
  async ask(provider, button) {
    button.disabled = true;
    this.note.textContent = "Looking …";
    try {
      const found = await this.recommender.recommend({ ...this.wish, provider },
        this.abort.signal);
      const views = found.map((section) => this.section(section));
      this.content.querySelector(`[data-provider="${CSS.escape(provider)}"]`)?.remove();
      this.content.prepend(...views);
      if (button.type !== "submit") button.remove();
      this.note.textContent = "";
      views[0]?.querySelector("a")?.focus();
      this.refreshExports();
    } catch (error) {
      if (!this.abort.signal.aborted) this.note.textContent = words(error);
    } finally {
      button.disabled = false;
    }
  }

  /** @param {RecommendationSection} section */
  section({ provider, label, kind, items, notices }) {
    const head = h("div", { class: "provider-head" }, kind !== "search" && h("h3", {}, label),
      ...notices.filter((notice) => !HINTS.test(notice))
        .map((notice) => h("p", { class: "quiet small" }, sentence(notice))));
    this.items.push(...items.filter(({ kind }) => kind !== "search"));
    return h("section", { class: "provider", "data-provider": provider, "aria-label": label },
      head, ...itemLists(items, this.previews));
  }

  /**
   * How to get songs instead of searches, until the visitor has read it.
   *
   * @param {string} words
   * @returns {Node[]}
   */
  hint(words) {
    if (recall(HINT, false, (value) => typeof value === "boolean")) return [];
    const hint = h("p", { class: "hint small quiet" }, sentence(words), " ",
      h("button", { type: "button", class: "link", onclick: () => {
        remember(HINT, true);
        hint.remove();
      } }, "Got it"));
    return [hint];
  }

  exportMenu() {
    const name = (/** @type {string} */ suffix) => exportName(this.path, `-music${suffix}`);
    return menu("down", "Save list", [
      { words: "Copy links", act: async () => {
        this.note.textContent = await copyText(asLinks(this.items))
          ? "Copied." : "The browser does not let the page copy.";
        announce(this.note.textContent);
      } },
      { words: "Playlist (M3U)", act: () => download(asM3u(this.items), name(".m3u8")) },
      { words: "JSON", act: () => download(asItemsJson(this.items), name(".json")) },
    ], "Save the list");
  }

  refreshExports() {
    this.exports.hidden = !this.items.length;
  }

  end() {
    this.abort.abort();
    this.previews.end();
  }
}

/** @param {unknown} error */
function words(error) {
  return error instanceof Problem ? `${error.title}. ${sentence(error.detail)}` : String(error);
}
