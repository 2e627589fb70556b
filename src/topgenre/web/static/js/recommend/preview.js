/** Thirty seconds of a recommended song: one at a time, and never over the visitor's own. */

import { announce, h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";

/** @typedef {import("../listen/transport.js").Transport} Transport */

export class Previews {
  audio = new Audio();
  /** @type {HTMLButtonElement | null} the button of the one that plays */
  current = null;

  /** @param {Transport} transport that pauses when a preview begins */
  constructor(transport) {
    this.transport = transport;
    this.audio.preload = "none";
    this.audio.addEventListener("ended", () => this.stop());
    transport.addEventListener("state", () => { if (transport.playing) this.stop(); });
  }

  /**
   * @param {string} url
   * @param {string} name
   * @param {string} [label]
   * @returns {HTMLButtonElement} plays and stops
   */
  button(url, name, label = `Play ${name}`) {
    const button = h("button", { type: "button", class: "cover-play",
      "aria-label": label, "aria-pressed": "false",
      onclick: () => this.current === button ? this.stop() : this.play(button, url) },
    icon("play"));
    return button;
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {string} url
   */
  async play(button, url) {
    this.stop();
    if (this.transport.playing) this.transport.toggle();
    this.current = button;
    this.mark(button, true);
    this.audio.src = url;
    try {
      await this.audio.play();
    } catch {
      if (this.current !== button) return;
      this.stop();
      button.disabled = true;
      button.title = "It cannot be played";
      announce("It cannot be played.");
    }
  }

  stop() {
    const { current } = this;
    this.current = null;
    this.audio.pause();
    if (current) this.mark(current, false);
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {boolean} playing
   */
  mark(button, playing) {
    button.setAttribute("aria-pressed", String(playing));
    button.replaceChildren(icon(playing ? "pause" : "play"));
  }

  end() {
    this.stop();
    this.audio.removeAttribute("src");
  }
}
