/** Light and dark: the system's choice, until the visitor makes another. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

const KEY = "topgenre.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** Tells those who draw on canvases that colours have changed. */
export const themeChanges = new EventTarget();

/** @returns {"light" | "dark"} */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** @param {"light" | "dark"} wanted */
function choose(wanted) {
  const followsSystem = wanted === (system.matches ? "dark" : "light");
  try {
    if (followsSystem) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, wanted);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  if (followsSystem) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
  themeChanges.dispatchEvent(new Event("change"));
}

/** @returns {HTMLButtonElement} */
export function themeButton() {
  const button = h("button", { type: "button", class: "button bare round", id: "theme" });
  const label = () => {
    const other = theme() === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", `Switch to the ${other} theme`);
    button.title = `Switch to the ${other} theme`;
    button.replaceChildren(icon(other === "dark" ? "moon" : "sun"));
  };
  button.addEventListener("click", () => choose(theme() === "dark" ? "light" : "dark"));
  system.addEventListener("change", () => themeChanges.dispatchEvent(new Event("change")));
  themeChanges.addEventListener("change", label);
  label();
  return button;
}

const probe = h("span", { hidden: true });
/** @type {Map<string, string>} */
const colors = new Map();
themeChanges.addEventListener("change", () => colors.clear());

/**
 * A colour of the style sheet as canvases take it, in the theme of the moment.
 *
 * @param {string} name of a custom property, without the dashes
 * @returns {string}
 */
export function color(name) {
  let value = colors.get(name);
  if (!value) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(--${name})`;
    value = getComputedStyle(probe).color;
    colors.set(name, value);
  }
  return value;
}

/**
 * A type face of the style sheet as canvases take it.
 *
 * @param {"display" | "text"} family
 * @param {number} size pixels
 * @param {number} [weight]
 * @returns {string}
 */
export function font(family, size, weight = 400) {
  const names = getComputedStyle(document.documentElement).getPropertyValue(`--${family}`);
  return `${weight} ${size}px ${names}`;
}
