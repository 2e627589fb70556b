/** The choice between the middle ten seconds and the whole track. */

import { h } from "../ui/dom.js";

/** @typedef {import("../types.js").Mode} Mode */

/** @type {[Mode, string][]} */
const CHOICES = [["middle", "Middle 10 s"], ["whole", "Whole track"]];

/**
 * @param {string} name of the radio group, one of a kind on the page
 * @param {string} legend
 * @param {Mode} chosen
 * @param {(mode: Mode) => void} onchange
 * @returns {HTMLFieldSetElement}
 */
export function modeSwitch(name, legend, chosen, onchange) {
  const choices = CHOICES.map(([mode, words]) => {
    const input = h("input", {
      type: "radio",
      name,
      value: mode,
      checked: mode === chosen,
      onchange: () => onchange(mode),
    });
    return h("label", {}, input, h("span", {}, words));
  });
  return h("fieldset", { class: "segmented" },
    h("legend", {}, legend), h("div", { class: "segmented-track" }, ...choices));
}
