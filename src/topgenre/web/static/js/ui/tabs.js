/** Tabs that the arrow keys switch. */

import { h } from "./dom.js";

/**
 * @param {string} label of the list
 * @param {{id: string, words: string}[]} tabs
 * @param {string} panelId the panel is the same for all; only what it shows changes
 * @param {(id: string) => void} onchange
 * @returns {HTMLDivElement} the first tab is chosen, without a call
 */
export function tabList(label, tabs, panelId, onchange) {
  const buttons = tabs.map(({ id, words }) => h("button", {
    type: "button",
    role: "tab",
    id: `tab-${id}`,
    class: "tab",
    "aria-controls": panelId,
    onclick: () => choose(id),
  }, words));

  const mark = (/** @type {string} */ id) => {
    for (const button of buttons) {
      const chosen = button.id === `tab-${id}`;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
  };
  const choose = (/** @type {string} */ id) => {
    mark(id);
    onchange(id);
  };

  const list = h("div", { role: "tablist", "aria-label": label, class: "tabs" }, ...buttons);
  list.addEventListener("keydown", (event) => {
    const at = buttons.findIndex((button) => button === document.activeElement);
    const last = buttons.length - 1;
    const targets = /** @type {Record<string, number>} */ ({
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at === 0 ? last : at - 1,
      Home: 0,
      End: last,
    });
    const next = targets[event.key];
    const tab = next === undefined ? undefined : tabs[next];
    if (at < 0 || next === undefined || !tab) return;
    event.preventDefault();
    choose(tab.id);
    buttons[next]?.focus();
  });
  mark(tabs[0]?.id ?? "");
  return list;
}
