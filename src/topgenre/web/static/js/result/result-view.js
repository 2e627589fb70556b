/** One result in full: the verdict, the ranking, the sound, the spectrograms, and more music. */

import { Bars } from "./bars.js";
import { byId, h } from "../ui/dom.js";
import { capital, clock, percent, sentence } from "../ui/format.js";
import { tone } from "../ui/genres.js";
import { ListenView } from "../listen/listen-view.js";
import { modeSwitch } from "../intake/mode-switch.js";
import { RecommendationsView } from "../recommend/recommendations-view.js";
import { resultActions } from "./result-actions.js";
import { SpectrogramView } from "../spectrograms/spectrogram-view.js";
import { Transport } from "../listen/transport.js";

/**
 * @typedef {import("../types.js").Mode} Mode
 * @typedef {import("../types.js").Result} Result
 * @typedef {import("../types.js").Shown} Shown
 * @typedef {import("../queue/queue-item.js").Item} Item
 */

export class ResultView {
  root = byId("result");
  /** @type {Shown | null} */
  shown = null;
  /** @type {Transport | null} */
  transport = null;
  /** @type {{end: () => void}[]} what must be ended before another result is shown */
  parts = [];
  /** @type {import("../types.js").RecommendationProvider[]} */
  providers = [];
  busyNote = h("p", { class: "result-busy", hidden: true });

  /**
   * @param {import("../types.js").Backend} backend
   * @param {(item: Item, mode: Mode) => void} analyse in another mode
   */
  constructor(backend, analyse) {
    this.backend = backend;
    this.analyse = analyse;
  }

  /** @param {Shown} shown */
  show(shown) {
    this.end();
    this.shown = shown;
    const { result, item } = shown;
    const { segment } = result;
    const duration = Math.max(result.duration ?? 0, segment.end);
    const file = item?.file ?? null;
    this.transport = new Transport(file, duration);
    const listen = new ListenView(result, file, this.transport);
    const recommendations = new RecommendationsView(result, this.providers,
      this.backend.recommender);
    const bars = new Bars(result);
    this.parts = [this.transport, listen, recommendations];
    this.busyNote.hidden = true;
    this.root.replaceChildren(
      this.head(shown),
      h("section", { class: "ranking", "aria-labelledby": "ranking-title" },
        h("h3", { id: "ranking-title", class: "section-title" }, "The ranking"),
        bars.slider, bars.list, resultActions(result, () => bars.top)),
      listen.element,
    );
    if (result.spectrograms) {
      const spectrograms = new SpectrogramView(result.spectrograms, this.transport,
        result.mode === "whole");
      this.parts.push(spectrograms);
      this.root.append(spectrograms.element);
    }
    this.root.append(recommendations.element);
    this.root.hidden = false;
  }

  /** @param {Shown} shown */
  head({ result, item }) {
    const { start, end } = result.segment;
    const length = result.duration === null ? "" : ` of ${clock(result.duration)}`;
    return h("header", { class: "verdict" },
      h("p", { class: "verdict-file" }, result.path),
      title(result),
      h("p", { class: "verdict-words" }, ...words(result)),
      result.notices.length > 0 && h("ul", { class: "notices" },
        ...result.notices.map((notice) => h("li", {}, sentence(notice)))),
      h("p", { class: "quiet small figures" },
        `${clock(start)} to ${clock(end)}${length} · ${result.model}`),
      item && modeSwitch("result-mode", "Listen to the", result.mode, (mode) =>
        this.analyse(item, mode)),
      this.busyNote,
    );
  }

  /**
   * Say what the shown item is at.
   *
   * @param {Item} item
   */
  follow(item) {
    if (item !== this.shown?.item) return;
    const { state, mode, problem } = item;
    if (state === "failed" && problem) {
      this.busyNote.textContent = `${problem.title}. ${sentence(problem.detail, item.name)}`;
    } else if (item.pending) {
      this.busyNote.textContent = mode === "whole"
        ? "Listening to the whole track …" : "Listening to the middle ten seconds …";
    }
    this.busyNote.hidden = !(item.pending || state === "failed");
    if (!item.pending) this.resetMode();
  }

  resetMode() {
    const inputs = this.root.querySelectorAll("input[name=result-mode]");
    for (const input of inputs) {
      if (input instanceof HTMLInputElement) {
        input.checked = input.value === this.shown?.result.mode;
      }
    }
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

/** @param {Result} result */
function title({ genres: [best], uncertain }) {
  const classes = uncertain || !best ? "verdict-title unsure" : `verdict-title ${tone(best.genre)}`;
  return h("h2", { id: "result-title", class: classes, tabindex: "-1" },
    uncertain || !best ? "Not sure" : capital(best.genre));
}

/**
 * @param {Result} result
 * @returns {(string | Node)[]}
 */
function words({ genres: [best, next], uncertain }) {
  if (!best) return [];
  if (uncertain) {
    return [`topgenre will not name a genre here. Read the ranking as a hint; ${best.genre} is ` +
      "first in it."];
  }
  const sure = [h("strong", {}, percent(best.probability)), " sure"];
  return next ? [...sure, `; ${next.genre} comes next with ${percent(next.probability)}.`] : sure;
}
