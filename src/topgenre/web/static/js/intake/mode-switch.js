/** The one choice of mode: the whole track, or its middle ten seconds. */

import { h } from "../ui/dom.js";

/** @typedef {import("../types.js").Mode} Mode */

export class ModeSwitch {
  /** @param {(mode: Mode) => void} onchange */
  constructor(onchange) {
    this.input = h("input", { type: "checkbox", role: "switch", id: "mode",
      onchange: () => onchange(this.mode) });
    this.share = h("span", { class: "switch-share figures", "aria-hidden": "true" });
    this.element = h("label", { class: "switch", for: "mode" }, this.input,
      h("span", { class: "switch-track", "aria-hidden": "true" }),
      h("span", { class: "switch-words" },
        h("span", { class: "switch-verb" }, "Analyse "), "whole track"), this.share);
  }

  /** @returns {Mode} */
  get mode() {
    return this.input.checked ? "whole" : "middle";
  }

  /** @param {number | null} share of an analysis that is done; null when none is under way */
  follow(share) {
    this.share.textContent = share === null ? "" : `${Math.floor(100 * share)}%`;
  }
}
