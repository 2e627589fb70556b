/**
 * Who analyses the sound: a server, or this tab.
 *
 * The page knows a `Backend` (see types.js) and nothing of where it works. <html data-engine>
 * names the one to use; each module exports `open()`, which makes it.
 */

/** @typedef {import("../types.js").Backend} Backend */

/** @type {Record<string, () => Promise<{open: () => Promise<Backend>}>>} */
const ENGINES = {
  server: () => import("./server-engine.js"),
  tab: () => import("./tab/tab-engine.js"),
};

/** @returns {Promise<Backend>} */
export async function connect() {
  const { engine = "server" } = document.documentElement.dataset;
  const load = ENGINES[engine];
  if (!load) throw new Error(`there is no engine "${engine}"`);
  return (await load()).open();
}
