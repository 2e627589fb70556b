/** "Wrong? It is …": tells the server the right genre, so that its model can learn it. */

import { announce, h } from "../ui/dom.js";
import { displayName, genres } from "../ui/genres.js";

/**
 * @typedef {import("../types.js").Corrections} Corrections
 * @typedef {import("../types.js").Result} Result
 */

/**
 * @param {Result} result
 * @param {Corrections} corrections
 * @returns {HTMLElement}
 */
export function correction(result, corrections) {
  const note = h("span", { class: "small quiet" });
  const say = (/** @type {string} */ words) => {
    note.textContent = words;
    announce(words);
  };
  const choice = h("select", { class: "field slight", id: "right-genre", onchange: async () => {
    const genre = choice.value;
    if (!genre) return;
    choice.disabled = true;
    try {
      await corrections.correct(result, genre);
      say(`Thank you. Saved as ${displayName(genre)}.`);
    } catch (error) {
      choice.value = "";
      say(error instanceof Error ? error.message : String(error));
    } finally {
      choice.disabled = false;
    }
  } }, h("option", { value: "" }, "choose a genre"),
  ...genres().map((genre) => h("option", { value: genre }, displayName(genre))));
  return h("p", { class: "correction small" },
    h("label", { for: "right-genre" }, "Wrong? It is"), choice, note);
}
