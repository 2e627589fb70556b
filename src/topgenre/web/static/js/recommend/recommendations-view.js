/** Music for the genres that were found: a part for each provider, never mixed. */

import { h } from "../ui/dom.js";
import { capital, listed, sentence } from "../ui/format.js";
import { tone } from "../ui/genres.js";
import { icon } from "../ui/icons.js";
import { Problem } from "../engine/problem.js";

/**
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("../types.js").RecommendationProvider} RecommendationProvider
 * @typedef {import("../types.js").RecommendationSection} RecommendationSection
 * @typedef {import("../types.js").RecommendedItem} RecommendedItem
 */

const GENRES = 3; // that are asked for
const LEAST = 0.02; // probability that is worth a recommendation

export class RecommendationsView {
  abort = new AbortController();

  /**
   * @param {Result} result
   * @param {RecommendationProvider[]} providers that can be asked
   * @param {import("../types.js").Recommender} recommender
   */
  constructor(result, providers, recommender) {
    this.recommender = recommender;
    this.providers = providers;
    const best = result.genres.slice(0, GENRES);
    this.weights = best.filter(({ probability }, i) => i === 0 || probability >= LEAST);
    const names = listed(this.weights.map(({ genre }) => genre));
    this.content = h("div", { class: "recommended" });
    this.element = h("section", { class: "recommendations",
      "aria-labelledby": "recommendations-title" },
      h("h3", { id: "recommendations-title", class: "section-title" }, "More to listen to"),
      h("p", { class: "quiet small" }, result.uncertain
        ? `A guess, as the ranking is: ${names}.` : `For the mixture heard here: ${names}.`),
      this.content);
    void this.load();
  }

  async load() {
    this.content.replaceChildren(h("p", { class: "quiet" }, "Looking for music …"));
    try {
      this.show(await this.recommender.recommend({ weights: this.weights },
        this.abort.signal));
    } catch (error) {
      if (this.abort.signal.aborted) return;
      this.content.replaceChildren(
        h("p", {}, `No recommendations: ${words(error)} `),
        h("button", { type: "button", class: "button slight", onclick: () => void this.load() },
          icon("again"), "Try again"));
    }
  }

  /** @param {RecommendationSection[]} sections */
  show(sections) {
    const found = sections.filter(({ items }) => items.length);
    const onlySearch = found.length > 0 && found.every(({ kind }) => kind === "search");
    const others = this.providers.filter(({ name }) =>
      !sections.some(({ provider }) => provider === name));
    this.content.replaceChildren(...sections.map(sectionView),
      ...others.map((provider) => this.offer(provider)));
    if (!sections.length) {
      this.content.append(h("p", {}, "This server has nothing set up that recommends music."));
    } else if (onlySearch) {
      const why = others.length ? "" : " This server has no access to a music service.";
      this.content.prepend(h("p", { class: "only-search" }, "These are search links only: they " +
        `open a search for the genre, not songs picked for you.${why}`));
    }
  }

  /**
   * A provider that is asked only if the visitor wants it to be.
   *
   * @param {RecommendationProvider} provider
   */
  offer({ name, label }) {
    const button = h("button", { type: "button", class: "button slight", onclick: async () => {
      button.disabled = true;
      try {
        const found = await this.recommender.recommend({ weights: this.weights,
          provider: name }, this.abort.signal);
        const views = found.map(sectionView);
        place.replaceChildren(...views);
        views[0]?.querySelector("a")?.focus();
      } catch (error) {
        button.disabled = false;
        if (!this.abort.signal.aborted) complaint.textContent = `${label}: ${words(error)}`;
      }
    } }, icon("search"), `Also: ${label}`);
    const complaint = h("p", { role: "alert", class: "small" });
    const place = h("div", { class: "provider" }, button, complaint);
    return place;
  }

  end() {
    this.abort.abort();
  }
}

/** @param {unknown} error */
function words(error) {
  return error instanceof Problem ? `${error.title}. ${sentence(error.detail)}` : String(error);
}

/** @param {RecommendationSection} section */
function sectionView(section) {
  const { label, kind, items, notices } = section;
  return h("section", { class: "provider" },
    h("h4", {}, label),
    ...notices.map((notice) => h("p", { class: "quiet small" }, sentence(notice))),
    items.length > 0 &&
      h("ul", { class: kind === "search" ? "searches" : "songs" }, ...items.map(itemView)));
}

/** @param {RecommendedItem} item */
function itemView(item) {
  const { name, artists, url, genre, kind, artwork_url: artwork } = item;
  const words = h("span", { class: "song-words" },
    h("span", { class: "song-name" }, name),
    artists.length > 0 && h("span", { class: "song-artists quiet small" }, artists.join(", ")),
    h("span", { class: "song-genre small" },
      h("span", { class: `dot ${tone(genre)}`, "aria-hidden": "true" }), capital(genre)));
  const picture = isWeb(artwork)
    ? h("img", { class: "song-cover", src: artwork, alt: "", width: 56, height: 56,
      loading: "lazy", referrerpolicy: "no-referrer", onerror: hide })
    : h("span", { class: `song-cover ${tone(genre)}`, "aria-hidden": "true" },
      icon(kind === "search" ? "search" : "note"));
  // Never anything but a web address: what a provider answers is not to be trusted with more.
  if (!isWeb(url)) return h("li", {}, h("span", { class: "song" }, picture, words));
  return h("li", {}, h("a", { class: "song", href: url, target: "_blank",
    rel: "noopener noreferrer" }, picture, words,
    h("span", { class: "hidden" }, " (opens in a new tab)"), icon("out")));
}

/** @param {Event} event */
function hide(event) {
  if (event.target instanceof HTMLElement) event.target.style.visibility = "hidden";
}

/**
 * @param {string | null} url
 * @returns {url is string}
 */
function isWeb(url) {
  return url !== null && /^https?:\/\//i.test(url);
}
