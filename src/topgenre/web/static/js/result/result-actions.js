/** Sharing and exporting a result: a menu for each. */

import { copyText } from "../ui/clipboard.js";
import { announce, download, h } from "../ui/dom.js";
import { menu } from "../ui/menu.js";
import { asCsv, asJson, asText, exportName } from "./exports.js";
import { sharePicture } from "./share-picture.js";

/** @typedef {import("../types.js").Result} Result */

/**
 * @param {Result} result
 * @param {() => number} top how many genres are shown
 * @returns {HTMLElement}
 */
export function resultActions(result, top) {
  const note = h("span", { class: "action-note small quiet" });
  const say = (/** @type {string} */ words) => {
    note.textContent = words;
    announce(words);
  };
  const tried = (/** @type {() => void | Promise<void>} */ act) => async () => {
    try {
      await act();
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
    }
  };
  const copy = async () => {
    const copied = await copyText(asText(result, top()));
    say(copied ? "Copied." : "The browser does not let the page copy.");
  };
  const save = async () =>
    download(await sharePicture(result), exportName(result.path, ".png"));
  const send = async () => {
    try {
      await navigator.share({ files: [await pictureFile(result)], text: asText(result, top()) });
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    }
  };

  return h("div", { class: "result-actions" },
    menu("share", "Share", [
      ...canShare() ? [{ words: "Send picture …", icon: "share", act: tried(send) }] : [],
      { words: "Copy as text", icon: "copy", act: tried(copy) },
      { words: "Save as picture", icon: "picture", act: tried(save) },
    ]),
    menu("down", "Export", [
      { words: "JSON", act: () => download(asJson([result]), exportName(result.path, ".json")) },
      { words: "CSV", act: () => download(asCsv([result]), exportName(result.path, ".csv")) },
    ]),
    note);
}

/** @param {Result} result */
async function pictureFile(result) {
  const name = exportName(result.path, ".png");
  return new File([await sharePicture(result)], name, { type: "image/png" });
}

function canShare() {
  const probe = new File([], "picture.png", { type: "image/png" });
  return Boolean(navigator.canShare?.({ files: [probe] }));
}
