/** One result: the verdict beside the ranking, then music, the player, and how it was decided. */

import { ListenView } from "../listen/listen-view.js";
import { Transport } from "../listen/transport.js";
import { LibraryView } from "../recommend/library-view.js";
import { RecommendationsView } from "../recommend/recommendations-view.js";
import { SpectrogramView } from "../spectrograms/spectrogram-view.js";
import { add, byId, h } from "../ui/dom.js";
import { clock, percent, sentence } from "../ui/format.js";
import { displayName, tone } from "../ui/genres.js";
import { recall, remember } from "../ui/storage.js";
import { Bars } from "./bars.js";
import { correction } from "./correction.js";
import { resultActions } from "./result-actions.js";
import { songHead } from "./song-head.js";
import { analysedPart, changes, explanation, tierOf, toneOf, verdictOf } from "./verdict.js";

/**
 * @typedef {import("../types.js").Backend} Backend
 * @typedef {import("../types.js").Info} Info
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("../types.js").Shown} Shown
 * @typedef {import("../queue/queue-item.js").Item} Item
 */

const MOST_TAGS = 6;

export class ResultView {
  root = byId("result");
  /** @type {Shown | null} */
  shown = null;
  /** @type {{end: () => void}[]} what must be ended before another result is shown */
  parts = [];
  /** @type {Info | null} */
  info = null;
  busy = h("div", { class: "result-busy", hidden: true });

  /** @param {Backend} backend */
  constructor(backend) {
    this.backend = backend;
  }

  /** @param {Shown} shown */
  show(shown) {
    this.end();
    this.shown = shown;
    const { result, item } = shown;
    const file = item?.file ?? null;
    const duration = Math.max(result.duration ?? 0, result.segment.end);
    const transport = new Transport(file, duration);
    const bars = new Bars(result, transport);
    const music = new RecommendationsView(result, this.backend.recommender, transport,
      this.info?.recommendation_providers ?? []);
    const listen = new ListenView(result, file, transport);
    this.parts = [transport, bars, music, listen];
    this.busy.hidden = true;
    this.root.className = `result ${tierOf(result)} ${toneOf(result)}`;
    this.root.replaceChildren(
      songHead(result, transport, file !== null),
      this.busy,
      h("div", { class: "answer" },
        this.verdict(result, transport, bars),
        h("section", { class: "ranking", "aria-label": "Ranking" }, bars.list,
          h("div", { class: "ranking-foot" },
            this.info?.corrections && correction(result, this.backend.corrections),
            bars.slider))),
      music.element,
    );
    if (this.info?.library) {
      const library = new LibraryView(result, file, this.backend.library, transport);
      this.parts.push(library);
      add(this.root, library.element);
    }
    add(this.root, listen.element, this.decision(result, transport));
    this.root.hidden = false;
  }

  /**
   * @param {Result} result
   * @param {Transport} transport
   * @param {Bars} bars
   */
  verdict(result, transport, bars) {
    const notices = result.notices.map((notice) => h("li", {}, sentence(notice)));
    return h("section", { class: "verdict", "aria-label": "Answer" },
      h("h1", { id: "result-title", class: "verdict-title", tabindex: "-1" }, verdictOf(result)),
      h("p", { class: "verdict-words" }, explanation(result)),
      changes(result) && sections(result, transport),
      tags(result),
      notices.length > 0 && h("ul", { class: "notices small" }, ...notices),
      resultActions(result, () => bars.top));
  }

  /**
   * @param {Result} result
   * @param {Transport} transport
   */
  decision(result, transport) {
    const isOpen = (/** @type {unknown} */ value) => typeof value === "boolean";
    const body = h("div", { class: "decision-body" },
      h("p", { class: "quiet small figures" },
        `${analysedPart(result)} · ${result.model}. The model looks at four pictures of the ` +
        "sound and gives each genre a probability."));
    // Drawn when they are looked at: four pictures cost time that nobody may want to spend.
    const fill = () => {
      if (!result.spectrograms || body.children.length > 1) return;
      const view = new SpectrogramView(result.spectrograms, transport, result.mode === "whole");
      this.parts.push(view);
      add(body, view.element);
    };
    const details = h("details", { class: "decision", ontoggle: () => {
      remember("decision", details.open);
      if (details.open) fill();
    } }, h("summary", {}, h("h2", {}, "How it decided")), body);
    details.open = recall("decision", false, isOpen);
    if (details.open) fill();
    return details;
  }

  /**
   * Say how far the analysis of the shown item is.
   *
   * @param {Item} item
   */
  follow(item) {
    if (item !== this.shown?.item) return;
    const { state, progress, problem } = item;
    if (state === "failed" && problem) {
      this.busy.replaceChildren(h("p", {},
        `${problem.title}. ${sentence(problem.detail, item.name)}`));
    } else if (item.pending) {
      const words = item.mode === "whole" ? "Analysing the whole track" : "Analysing";
      this.busy.replaceChildren(
        h("p", { class: "figures" }, progress === null || state !== "analysing"
          ? `${words} …` : `${words}, ${Math.floor(100 * progress)}%`),
        h("progress", { class: "row-progress", "aria-label": words,
          ...progress === null ? {} : { max: 1, value: progress } }));
    }
    this.busy.hidden = !(item.pending || state === "failed");
  }

  focus() {
    byId("result-title").focus({ preventScroll: true });
  }

  end() {
    for (const part of this.parts) part.end();
    this.parts = [];
    this.shown = null;
  }

  hide() {
    this.end();
    this.root.hidden = true;
    this.root.replaceChildren();
  }
}

/**
 * @param {Result} result
 * @param {Transport} transport
 */
function sections(result, transport) {
  const parts = result.sections?.map(({ start, end, genre }) => h("li", {},
    h("button", { type: "button", class: `chip ${tone(genre)}`, onclick: () =>
      transport.seek(start) },
    h("span", { class: "dot", "aria-hidden": "true" }), displayName(genre),
    h("span", { class: "quiet figures" }, `${clock(start)}–${clock(end)}`)))) ?? [];
  return h("ol", { class: "chips", "aria-label": "Sections" }, ...parts);
}

/** @param {Result} result */
function tags({ tags: all }) {
  const best = all?.slice(0, MOST_TAGS) ?? [];
  return best.length > 0 && h("ul", { class: "chips", "aria-label": "Styles and instruments" },
    ...best.map(({ name, probability }) => h("li", { class: "chip plain", title:
      percent(probability) }, name)));
}
