/** A button that opens a short list of actions. */

import { add, h } from "./dom.js";
import { icon } from "./icons.js";

/** @typedef {{words: string, icon?: string, act: () => void | Promise<void>}} Action */

/**
 * @param {string} picture
 * @param {string} words
 * @param {Action[]} actions
 * @param {string} [label] for screen readers, where the words alone do not say enough
 * @returns {HTMLDivElement}
 */
export function menu(picture, words, actions, label) {
  const panel = h("div", { class: "menu-panel", role: "group", "aria-label": label ?? words,
    hidden: true });
  const opener = h("button", { type: "button", class: "button slight menu-opener",
    "aria-expanded": "false", "aria-label": label, onclick: () => toggle(panel.hidden) },
  icon(picture), words, icon("chevron"));
  const root = h("div", { class: "menu" }, opener, panel);

  const toggle = (/** @type {boolean} */ open) => {
    panel.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    if (!open) {
      removeEventListener("pointerdown", outside);
      return;
    }
    addEventListener("pointerdown", outside);
    panel.classList.remove("to-left");
    panel.classList.toggle("to-left", panel.getBoundingClientRect().right > innerWidth - 8);
  };
  const outside = (/** @type {Event} */ event) => {
    if (!(event.target instanceof Node) || !root.contains(event.target)) toggle(false);
  };
  add(panel, ...actions.map((action) => h("button", {
    type: "button",
    class: "menu-action",
    onclick: () => {
      toggle(false);
      opener.focus();
      void action.act();
    },
  }, action.icon ? icon(action.icon) : null, action.words)));
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    event.stopPropagation();
    toggle(false);
    opener.focus();
  });
  root.addEventListener("focusout", (event) => {
    const { relatedTarget } = event;
    if (relatedTarget instanceof Node && !root.contains(relatedTarget)) toggle(false);
  });
  return root;
}
