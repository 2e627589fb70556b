/** What can be done with a result: copy, save and share it. */

import { announce, download, h } from "../ui/dom.js";
import { asCsv, asJson, asText, copyText, exportName } from "./exports.js";
import { icon } from "../ui/icons.js";
import { sharePicture } from "./share-picture.js";

/** @typedef {import("../types.js").Result} Result */

/**
 * @param {Result} result
 * @param {() => number} top how many genres are shown
 * @returns {HTMLElement}
 */
export function resultActions(result, top) {
  const said = h("span", { class: "action-note small quiet" });
  const say = (/** @type {string} */ words) => {
    said.textContent = words;
    announce(words);
  };
  const button = (/** @type {string} */ picture, /** @type {string} */ words,
    /** @type {() => void | Promise<void>} */ act) =>
    h("button", {
      type: "button",
      class: "button slight",
      onclick: async () => {
        try {
          await act();
        } catch (error) {
          say(error instanceof Error ? error.message : String(error));
        }
      },
    }, icon(picture), words);

  const copy = async () => {
    const copied = await copyText(asText(result, top()));
    say(copied ? "Copied." : "The browser does not let the page copy.");
  };
  const save = async () =>
    download(await sharePicture(result), exportName(result.path, ".png"));
  const share = async () => {
    try {
      await navigator.share({ files: [await pictureFile(result)], text: asText(result, top()) });
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    }
  };

  return h("div", { class: "result-actions", role: "group", "aria-label": "Keep or share it" },
    button("copy", "Copy text", copy),
    button("picture", "Save picture", save),
    canShare() && button("share", "Share picture", share),
    button("down", "JSON", () =>
      download(asJson([result]), exportName(result.path, ".json"))),
    button("down", "CSV", () => download(asCsv([result]), exportName(result.path, ".csv"))),
    said);
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
