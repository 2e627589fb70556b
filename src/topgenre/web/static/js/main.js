/** Puts the page together. */

import { connect } from "./engine/engine.js";
import { Problem } from "./engine/problem.js";
import { History } from "./history/history.js";
import { HistoryView } from "./history/history-view.js";
import { Intake } from "./intake/intake.js";
import { Queue } from "./queue/queue.js";
import { QueueView } from "./queue/queue-view.js";
import { ResultView } from "./result/result-view.js";
import { Strings } from "./strings/strings.js";
import { byId, h, lessMotion } from "./ui/dom.js";
import { inWords, listed, sentence } from "./ui/format.js";
import { displayName, genres, setGenres, spoken } from "./ui/genres.js";
import { themeButton } from "./ui/theme.js";

/**
 * @typedef {import("./queue/queue-item.js").Item} Item
 * @typedef {import("./types.js").Info} Info
 * @typedef {import("./types.js").Mode} Mode
 * @typedef {import("./types.js").Result} Result
 * @typedef {import("./types.js").Shown} Shown
 */

setGenres([...byId("string-names").children].map((name) =>
  name instanceof HTMLElement ? name.dataset.genre ?? "" : ""));
byId("masthead-tools").append(themeButton());

const canvas = byId("strings");
if (!(canvas instanceof HTMLCanvasElement)) throw new Error("#strings is not a canvas");
const strings = new Strings(canvas);
const backend = await connect();
const queue = new Queue(backend.analyser);
const history = new History();

/** Items of which the first that has a result is shown by itself. */
let awaited = /** @type {Item[]} */ ([]);

const intake = new Intake(strings, async (files, mode) => {
  awaited = await queue.add(files, mode);
  showAwaited();
}, changeMode);
const queueView = new QueueView(queue, (item) => openItem(item, true));
const historyView = new HistoryView(history, (entry) => {
  awaited = [];
  show({ result: entry.result, item: null }, entry.id);
  reveal(true);
});
const resultView = new ResultView(backend);

/** The history's entry for each result of this visit. */
const kept = /** @type {WeakMap<Result, string>} */ (new WeakMap());

queue.addEventListener("item", (event) => {
  const item = /** @type {CustomEvent<Item>} */ (event).detail;
  resultView.follow(item);
  followProgress();
  if (item.state === "done" && item.result && !kept.has(item.result)) {
    kept.set(item.result, history.add(item.result));
    refreshHistory();
  }
  showAwaited();
});
queue.addEventListener("change", () => {
  const { shown } = resultView;
  if (shown?.item && !queue.items.includes(shown.item)) {
    resultView.hide();
    queueView.setCurrent(null);
  }
  followProgress();
  refreshHistory();
  refreshDesk();
});
history.addEventListener("change", refreshDesk);
refreshDesk();

/** Show the first of the awaited items as soon as it is done, or the next one if it failed. */
function showAwaited() {
  while (awaited[0] && (awaited[0].state === "failed" || awaited[0].state === "cancelled" ||
      !queue.items.includes(awaited[0]))) awaited.shift();
  // One that is tried again by hand is not awaited; it is shown where nothing else is.
  const candidates = awaited.length || resultView.shown ? awaited
    : queue.items.filter(({ state }) => state === "done");
  const [first] = candidates;
  if (first?.state !== "done") return;
  awaited = [];
  openItem(first, false);
}

/** @param {Mode} mode */
function changeMode(mode) {
  queue.setMode(mode);
  const item = resultView.shown?.item;
  if (!item) return;
  awaited = [item];
  queue.analyse(item, mode);
}

/**
 * @param {Item} item
 * @param {boolean} byHand
 */
function openItem(item, byHand) {
  if (!item.result) return;
  if (byHand) awaited = [];
  const again = resultView.shown?.item === item;
  show({ result: item.result, item }, null);
  reveal(byHand && !again);
  // The switch holds for every song that is looked at.
  const { mode } = intake.modeSwitch;
  if (byHand && item.state === "done" && item.result.mode !== mode) changeMode(mode);
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
  document.title = `${byId("result-title").textContent} · ${shown.result.path} · topgenre`;
}

/** Show in the switch how far the analysis of a whole track is. */
function followProgress() {
  const whole = queue.items.find((item) => item.state === "analysing" && item.mode === "whole");
  intake.modeSwitch.follow(whole?.progress ?? null);
}

/** @param {boolean} withFocus */
function reveal(withFocus) {
  if (withFocus) resultView.focus();
  const { top } = resultView.root.getBoundingClientRect();
  if (top < 0 || top > 0.5 * innerHeight) {
    resultView.root.scrollIntoView({ behavior: lessMotion() ? "auto" : "smooth" });
  }
}

/** What is in the queue is not shown among the earlier results too. */
function refreshHistory() {
  const results = queue.items.flatMap((item) => Object.values(item.results));
  historyView.setElsewhere(new Set(results.map((result) => kept.get(result) ?? "")));
}

function refreshDesk() {
  const hasResult = resultView.shown !== null;
  const filled = hasResult || queue.items.length > 0 || history.entries.length > 0 ||
    history.cleared.length > 0;
  byId("desk").hidden = !filled;
  const { classList } = document.documentElement;
  classList.toggle("has-result", hasResult);
  classList.toggle("has-queue", queue.items.length > 0);
  intake.setCompact(hasResult);
}

/** @param {Info} info */
function learn(info) {
  queue.maxBytes = info.max_upload_bytes ?? Infinity;
  intake.learn(info);
  resultView.info = info;
  byId("colophon-version").textContent = `topgenre ${info.version} · model “${info.model}”`;
  if (info.genres.join() === genres().join()) return;
  setGenres(info.genres);
  byId("string-names").replaceChildren(...info.genres.map((genre) =>
    h("li", { "data-genre": genre }, displayName(genre))));
  byId("genre-count").textContent = inWords(info.genres.length);
  byId("genre-list").textContent = listed(info.genres.map(spoken));
  strings.restring();
}

byId("privacy").textContent = backend.privacy;
if (backend.apiDocs) {
  byId("masthead-tools").prepend(h("a", { class: "button bare", href: backend.apiDocs }, "API"));
}
try {
  learn(await backend.info());
} catch (error) {
  const words = error instanceof Problem ? `${error.title}. ${sentence(error.detail)}` : String(error);
  intake.complain(words);
}
if (backend.listener) {
  const { LiveView } = await import("./live/live-view.js");
  new LiveView(backend.listener, (shares) => strings.sound(shares),
    (words) => intake.complain(words));
}
strings.strum();
