/** What the browser remembers. Storage may be full, or switched off: then it just forgets. */

const PREFIX = "topgenre.";

/**
 * @template T
 * @param {string} name
 * @param {T} fallback
 * @param {(value: unknown) => value is T} isValid anybody may have written there
 * @returns {T}
 */
export function recall(name, fallback, isValid) {
  try {
    const value = JSON.parse(localStorage.getItem(PREFIX + name) ?? "null");
    return isValid(value) ? value : fallback;
  } catch {
    return fallback;
  }
}

/**
 * @param {string} name
 * @param {unknown} value null forgets it
 * @returns {boolean} whether it is remembered
 */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

/**
 * Call back when another tab changes something.
 *
 * @param {string} name
 * @param {() => void} callback
 */
export function onChangeElsewhere(name, callback) {
  addEventListener("storage", (event) => {
    if (event.key === PREFIX + name || event.key === null) callback();
  });
}
