/** Listening live: buttons, the answer of the moment, and after a minute a summary. */

import { announce, byId, h } from "../ui/dom.js";
import { clock, percent } from "../ui/format.js";
import { displayName, genres, tone } from "../ui/genres.js";
import { icon } from "../ui/icons.js";
import { Capture, canShareSound } from "./capture.js";
import { LiveLog } from "./live-log.js";

/**
 * @typedef {import("../engine/tab/host.js").Host} Host
 * @typedef {import("../engine/tab/live.js").Said} Said
 */

const SUMMARY_FROM = 60; // seconds
const TOP = 3;

export class LiveView {
  /** @type {Capture | null} */
  capture = null;
  log = new LiveLog();

  /**
   * @param {Host} listener
   * @param {(shares: Map<string, number> | null) => void} sound lets the strings sound
   * @param {(words: string) => void} complain
   */
  constructor(listener, sound, complain) {
    this.listener = listener;
    this.sound = sound;
    this.complain = complain;
    this.verdict = h("p", { class: "live-verdict", id: "live-verdict" });
    this.top = h("ol", { class: "live-top" });
    this.time = h("span", { class: "quiet" });
    this.timeline = h("div", { class: "live-timeline", role: "img" });
    this.summary = h("p", { class: "live-summary", id: "live-summary" });
    this.stopButton = h("button", { type: "button", class: "button primary", id: "live-stop",
      onclick: () => void this.stop() }, icon("stop"), "Stop listening");
    this.root = h("section", { class: "live", id: "live", hidden: true,
      "aria-labelledby": "live-title" },
    h("div", { class: "live-head" }, h("h2", { id: "live-title" }, "Live"), this.time,
      this.stopButton), this.verdict, this.top, this.timeline, this.summary);
    byId("intake").after(this.root);
    this.buttons = [this.button("microphone", "Listen live")];
    if (canShareSound()) this.buttons.push(this.button("tab", "Listen to a tab"));
    const choose = document.getElementById("choose");
    const row = choose?.parentElement ?? byId("intake-controls");
    const before = row.querySelector(".intake-or");
    for (const button of this.buttons) row.insertBefore(button, before);
    listener.addEventListener("heard", (event) =>
      this.show(/** @type {CustomEvent<Said>} */ (event).detail));
    listener.addEventListener("live_failed", (event) =>
      void this.fail(/** @type {CustomEvent<{detail: string}>} */ (event).detail.detail));
    listener.addEventListener("not_loaded", (event) =>
      void this.fail(/** @type {CustomEvent<{detail?: string, message?: string}>} */ (event)
        .detail.detail ?? "The analyser could not be loaded."));
  }

  /**
   * @param {"microphone" | "tab"} source
   * @param {string} words
   */
  button(source, words) {
    return h("button", { type: "button", class: "button", id: `live-${source}`,
      onclick: () => void this.start(source) }, icon("record"), h("span", {}, words));
  }

  /** @param {"microphone" | "tab"} source */
  async start(source) {
    if (this.capture) return;
    this.complain("");
    for (const button of this.buttons) button.disabled = true;
    try {
      this.capture = await Capture.open(source);
    } catch (error) {
      this.complain(error instanceof Error ? error.message : String(error));
      return;
    } finally {
      for (const button of this.buttons) button.disabled = false;
    }
    this.log = new LiveLog();
    this.listener.listen(this.capture.rate);
    this.capture.start((samples) => this.listener.samples(samples), () => void this.stop());
    document.documentElement.classList.add("recording");
    this.verdict.textContent = "Listening …";
    this.time.textContent = clock(0);
    this.summary.textContent = "The first answer comes after three seconds.";
    this.top.replaceChildren();
    this.timeline.replaceChildren();
    this.root.hidden = false;
    this.stopButton.hidden = false;
    this.stopButton.focus();
  }

  async stop() {
    const { capture } = this;
    if (!capture) return;
    this.capture = null;
    this.listener.stop();
    document.documentElement.classList.remove("recording");
    this.stopButton.hidden = true;
    this.sound(null);
    this.summarise();
    announce("Stopped listening.");
    await capture.close();
  }

  /** @param {string} why */
  async fail(why) {
    if (!this.capture) return;
    await this.stop();
    this.complain(why);
  }

  /** @param {Said} said */
  show(said) {
    if (!this.capture) return;
    const { judgement, silent } = said;
    const changed = this.log.add(said);
    this.time.textContent = clock(said.seconds);
    this.verdict.textContent = silent || !judgement ? "Silence" : judgement.verdict;
    this.root.classList.toggle("unsure", silent || (judgement?.uncertain ?? true));
    const best = silent ? [] : judgement?.genres ?? [];
    this.top.replaceChildren(...best.slice(0, TOP).map(({ genre, probability }) =>
      h("li", {}, `${displayName(genre)} ${percent(probability)}`)));
    this.sound(new Map(best.map(({ genre, probability }) => [genre, probability])));
    if (changed) announce(words(changed));
    this.draw();
    if (said.seconds >= SUMMARY_FROM) this.summarise();
    else this.summary.textContent = "";
  }

  draw() {
    const { stretches, total } = this.log;
    this.timeline.setAttribute("aria-label", stretches.map(({ start, label }) =>
      `${clock(start)} ${words(label)}`).join(", "));
    this.timeline.replaceChildren(...stretches.map(({ start, end, label }) => {
      const part = h("span", { class: "live-stretch", title: `${clock(start)} ${words(label)}` });
      part.style.flexGrow = String((end - start) / Math.max(1, total));
      if (genres().includes(label)) part.style.background = `var(--${tone(label)})`;
      return part;
    }));
  }

  summarise() {
    const parts = this.log.parts().filter(({ share }) => share >= 0.05).slice(0, TOP);
    if (!parts.length) return;
    const listed = parts.map(({ label, share }) => `${words(label)} ${percent(share)}`).join(", ");
    this.summary.textContent = `In ${clock(this.log.total)}: ${listed}.`;
  }
}

/**
 * @param {string} label
 * @returns {string}
 */
function words(label) {
  return genres().includes(label) ? displayName(label)
    : label.slice(0, 1).toUpperCase() + label.slice(1);
}
