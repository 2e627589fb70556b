/** The server's API key, if it wants one: asked for in a dialog, kept as long as the tab. */

import { h } from "../ui/dom.js";
import { Problem } from "./problem.js";

const STORE = "topgenre.api-key";

let current = "";
let isNeeded = false;
/** @type {Promise<void> | null} */
let asking = null;

try {
  current = sessionStorage.getItem(STORE) ?? "";
} catch {
  // Without storage the key lasts as long as the page.
}

/** @param {string} value */
function keep(value) {
  current = value;
  try {
    sessionStorage.setItem(STORE, value);
  } catch {
    // As above.
  }
}

/** @returns {Record<string, string>} headers */
export function key() {
  return current ? { "X-API-Key": current } : {};
}

/** The server has said that nothing goes without a key: ask before anything is uploaded. */
export function needKey() {
  isNeeded = true;
}

/**
 * Make a request; where the server wants a key, ask for it and make the request again.
 *
 * @template T
 * @param {() => Promise<T>} request
 * @returns {Promise<T>}
 */
export async function withKey(request) {
  if (isNeeded && !current) await ask("");
  for (;;) {
    const used = current;
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof Problem && error.code === "unauthorized")) throw error;
      // Another request may have got a new key while this one was under way.
      if (current === used) await ask(used && "The server did not take that key.");
    }
  }
}

/**
 * @param {string} complaint
 * @returns {Promise<void>}
 */
function ask(complaint) {
  asking ??= openDialog(complaint).finally(() => {
    asking = null;
  });
  return asking;
}

/**
 * @param {string} complaint
 * @returns {Promise<void>}
 */
function openDialog(complaint) {
  const input = h("input", {
    id: "api-key",
    class: "field",
    type: "password",
    autocomplete: "off",
    required: true,
    "aria-describedby": "api-key-why",
  });
  const cancel = h("button", { type: "button", class: "button" }, "Not now");
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "api-key-title" }, "This server wants a key"),
    h("p", { id: "api-key-why", class: "quiet" }, "Whoever runs it can give you one. ",
      "It is kept in this tab alone, until you close it."),
    h("p", { class: "dialog-complaint", role: "alert" }, complaint),
    h("label", { for: "api-key" }, "API key"),
    input,
    h("div", { class: "dialog-buttons" }, cancel,
      h("button", { type: "submit", class: "button primary" }, "Use this key")),
  );
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "api-key-title" }, form);
  document.body.append(dialog);
  return new Promise((resolve, reject) => {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      keep(input.value.trim());
      dialog.close("given");
    });
    cancel.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue === "given") resolve();
      else reject(new Problem("unauthorized", "The server wants a key", "Try again with its key."));
    });
    dialog.showModal();
  });
}
