/** Puts the page together. */

import { connect } from "./engine/engine.js";
import { byId, h, lessMotion } from "./ui/dom.js";
import { inWords, listed, sentence } from "./ui/format.js";
import { genres, setGenres } from "./ui/genres.js";
import { History } from "./history/history.js";
import { HistoryView } from "./history/history-view.js";
import { Intake } from "./intake/intake.js";
import { Problem } from "./engine/problem.js";
import { Queue } from "./queue/queue.js";
import { QueueView } from "./queue/queue-view.js";
import { ResultView } from "./result/result-view.js";
import { Strings } from "./strings/strings.js";
import { themeButton } from "./ui/theme.js";

/**
 * @typedef {import("./queue/queue-item.js").Item} Item
 * @typedef {import("./types.js").Info} Info
 * @typedef {import("./types.js").Result} Result
 * @typedef {import("./types.js").Shown} Shown
 */

const names = [...byId("string-names").children];
setGenres(names.map((name) => name.textContent ?? ""));
byId("masthead-tools").append(themeButton());

const canvas = byId("strings");
if (!(canvas instanceof HTMLCanvasElement)) throw new Error("#strings is no canvas");
const strings = new Strings(canvas);
const backend = await connect();
const queue = new Queue(backend.analyser);
const history = new History();

/** Items of which the first that is done is shown by itself. */
let awaited = new Set(/** @type {Item[]} */ ([]));

const intake = new Intake(strings, (files, mode) => {
  awaited = new Set(queue.add(files, mode));
});
const queueView = new QueueView(queue, (item) => openItem(item, true));
const historyView = new HistoryView(history, (entry) => {
  awaited.clear();
  show({ result: entry.result, item: null }, entry.id);
  reveal(true);
});
const resultView = new ResultView(backend, (item, mode) => {
  awaited = new Set([item]);
  queue.analyse(item, mode);
});

/** The history's entry for each result of this visit. */
const kept = /** @type {WeakMap<Result, string>} */ (new WeakMap());

queue.addEventListener("item", (event) => {
  const item = /** @type {CustomEvent<Item>} */ (event).detail;
  resultView.follow(item);
  if (item.state !== "done" || !item.result) return;
  if (!kept.has(item.result)) {
    kept.set(item.result, history.add(item.result));
    refreshHistory();
  }
  if (awaited.has(item)) {
    awaited.clear();
    openItem(item, false);
  }
});
queue.addEventListener("change", () => {
  const { shown } = resultView;
  if (shown?.item && !queue.items.includes(shown.item)) {
    resultView.hide();
    queueView.setCurrent(null);
    soundStrings(null);
  }
  refreshHistory();
  refreshDesk();
});
history.addEventListener("change", refreshDesk);
refreshDesk();

/**
 * @param {Item} item
 * @param {boolean} byHand
 */
function openItem(item, byHand) {
  if (!item.result) return;
  if (byHand) awaited.clear();
  const again = resultView.shown?.item === item;
  show({ result: item.result, item }, null);
  reveal(byHand && !again);
}

/**
 * @param {Shown} shown
 * @param {string | null} entryId
 */
function show(shown, entryId) {
  resultView.show(shown);
  queueView.setCurrent(shown.item);
  historyView.setCurrent(entryId);
  refreshDesk();
  soundStrings(shown.result);
  document.title = `${byId("result-title").textContent}: ${shown.result.path} · topgenre`;
}

/** @param {Result | null} result */
function soundStrings(result) {
  const shares = result?.genres.map(({ genre, probability }) =>
    /** @type {[string, number]} */ ([genre, probability]));
  strings.sound(shares ? new Map(shares) : null);
  const best = result?.uncertain ? "" : result?.genres[0]?.genre;
  for (const name of byId("string-names").children) {
    name.classList.toggle("sounding", name.textContent === best);
  }
}

/** @param {boolean} withFocus */
function reveal(withFocus) {
  if (withFocus) resultView.focus();
  const { top } = resultView.root.getBoundingClientRect();
  if (top < 0 || top > 0.75 * innerHeight) {
    resultView.root.scrollIntoView({ behavior: lessMotion() ? "auto" : "smooth" });
  }
}

/** What is in the queue is not shown among the past results too. */
function refreshHistory() {
  const results = queue.items.flatMap((item) => Object.values(item.results));
  historyView.setElsewhere(new Set(results.map((result) => kept.get(result) ?? "")));
}

function refreshDesk() {
  const filled = queue.items.length > 0 || history.entries.length > 0 ||
    history.cleared.length > 0 || resultView.shown !== null;
  byId("desk").hidden = !filled;
  document.documentElement.classList.toggle("has-results", filled);
}

/** @param {Info} info */
function learn(info) {
  queue.maxBytes = info.max_upload_bytes ?? Infinity;
  intake.suggest(info.suffixes);
  resultView.providers = info.recommendation_providers;
  byId("colophon-version").textContent = `topgenre ${info.version} · model “${info.model}”`;
  if (info.genres.join() === genres().join()) return;
  setGenres(info.genres);
  byId("string-names").replaceChildren(...info.genres.map((genre) => h("li", {}, genre)));
  byId("genre-count").textContent = inWords(info.genres.length);
  byId("genre-list").textContent = listed(info.genres);
  strings.restring();
}

try {
  learn(await backend.info());
} catch (error) {
  const words = error instanceof Problem ? `${error.title}. ${sentence(error.detail)}` : String(error);
  intake.complain(`${words} The page goes on without knowing the server's limits.`);
}
strings.strum();
