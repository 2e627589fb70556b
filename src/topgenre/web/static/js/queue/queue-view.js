/** The list of files: a row each, with what it is at; those that failed are grouped by reason. */

import { songName } from "../result/song-head.js";
import { add, byId, h } from "../ui/dom.js";
import { counted, sentence } from "../ui/format.js";
import { icon } from "../ui/icons.js";
import { QueueSummary } from "./queue-summary.js";
import { say, stateWords } from "./queue-words.js";

/**
 * @typedef {import("./queue-item.js").Item} Item
 * @typedef {import("./queue.js").Queue} Queue
 */

export class QueueView {
  /** @type {Map<Item, HTMLLIElement>} */
  rows = new Map();
  /** @type {Item | null} */
  current = null;
  ticking = 0;

  /**
   * @param {Queue} queue
   * @param {(item: Item) => void} open show an item's result
   */
  constructor(queue, open) {
    this.queue = queue;
    this.open = open;
    this.root = byId("queue");
    this.list = h("ol", { class: "rows" });
    this.empty = h("p", { class: "small quiet", hidden: true }, "No file matches.");
    this.failures = h("details", { class: "failures", hidden: true });
    this.failureTitle = h("summary", {});
    this.failureRows = h("div", { class: "failure-groups" });
    add(this.failures, this.failureTitle, this.failureRows);
    this.summary = new QueueSummary(queue, () => this.filter());
    this.root.append(this.summary.element, this.failures, this.empty, this.list);
    this.keepStripInSight();
    queue.addEventListener("change", () => this.renderAll());
    queue.addEventListener("item", (event) => {
      const item = /** @type {CustomEvent<Item>} */ (event).detail;
      this.render(item);
      say(item);
    });
  }

  /** On narrow screens all but the strip of files scrolls away. */
  keepStripInSight() {
    new ResizeObserver(() => {
      const above = this.list.getBoundingClientRect().top - this.root.getBoundingClientRect().top;
      this.root.style.setProperty("--above-strip", `${Math.max(0, above)}px`);
    }).observe(this.root);
  }

  /** @param {Item | null} item whose result is shown */
  setCurrent(item) {
    const before = this.current;
    this.current = item;
    if (before) this.render(before);
    if (!item) return;
    this.render(item);
    const row = this.rows.get(item);
    if (!row) return;
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = row;
    const { list } = this;
    // Not scrollIntoView(), which would move the page as well.
    list.scrollTo({ left: offsetLeft - (list.clientWidth - offsetWidth) / 2,
      top: offsetTop - (list.clientHeight - offsetHeight) / 2 });
  }

  renderAll() {
    const { items } = this.queue;
    for (const [item, row] of this.rows) {
      if (items.includes(item)) continue;
      row.remove();
      this.rows.delete(item);
    }
    for (const item of items) {
      if (this.rows.has(item)) continue;
      const row = h("li", { class: "row" });
      this.rows.set(item, row);
      this.list.append(row);
      this.render(item);
      if (item.state === "failed") say(item);
    }
    this.root.hidden = items.length === 0;
    this.root.classList.toggle("single", items.length === 1);
    this.summary.render();
    this.filter();
    this.renderFailures();
  }

  filter() {
    let shown = 0;
    for (const [item, row] of this.rows) {
      // Those that failed stand in a group of their own.
      row.hidden = item.hopeless || !this.summary.shows(item);
      if (!row.hidden) shown += 1;
    }
    this.list.hidden = !shown;
    this.empty.hidden = shown > 0 || this.queue.items.every(({ hopeless }) => hopeless);
  }

  /** @param {Item} item */
  render(item) {
    const row = this.rows.get(item);
    if (!row) return;
    const isCurrent = item === this.current;
    const looks = [item.state, isCurrent, item.result?.mode, item.problem?.detail].join("|");
    if (row.dataset.looks === looks) {
      // Buttons stay as they are while an upload advances, or no click would ever hit them.
      row.querySelector(".row-state")?.replaceChildren(...stateWords(item));
      const bar = row.querySelector("progress");
      if (bar && item.progress !== null) bar.value = item.progress;
      return;
    }
    const failedBefore = row.dataset.state === "failed";
    row.dataset.looks = looks;
    const focused = row.contains(document.activeElement)
      ? document.activeElement?.getAttribute("data-act") ?? "open"
      : null;
    row.dataset.state = item.state;
    row.classList.toggle("current", isCurrent);
    row.replaceChildren(this.heading(item), this.actions(item));
    if (item.active) add(row, progress(item));
    if (item.problem && !item.hopeless) {
      const { title, detail } = item.problem;
      add(row, h("p", { class: "row-problem" }, `${title}. `, sentence(detail, item.name)));
    }
    // The button that had the focus was replaced by its like, or is gone.
    if (focused) {
      const button = row.querySelector(`[data-act="${focused}"]`) ?? row.querySelector("button");
      if (button instanceof HTMLElement) button.focus();
    }
    if (item.state === "pausing") this.tick();
    this.summary.render();
    this.filter();
    if (failedBefore || item.state === "failed") this.renderFailures();
  }

  renderFailures() {
    const failed = this.queue.items.filter(({ hopeless }) => hopeless);
    this.failures.hidden = !failed.length;
    // Where nothing but failures came out, they are what there is to see.
    if (failed.length && failed.length === this.queue.items.length) this.failures.open = true;
    this.failureTitle.replaceChildren(`${counted(failed.length, "file")} failed`);
    const groups = grouped(failed);
    const { activeElement } = document;
    const focused = this.failureRows.contains(activeElement)
      ? activeElement?.getAttribute("aria-label") ?? activeElement?.textContent : null;
    const again = failed.filter(({ problem }) => problem?.mayTryAgain);
    this.failureRows.replaceChildren(
      ...[...groups].map(([title, items]) => this.failureGroup(title, items)),
      h("div", { class: "failure-tools" },
        again.length > 1 && h("button", { type: "button", class: "button slight", onclick: () =>
          again.forEach((item) => this.queue.analyse(item)) }, "Try all again"),
        failed.length > 1 && h("button", { type: "button", class: "button slight", onclick: () =>
          this.queue.remove(failed) }, "Remove all failed")));
    if (focused == null || this.failures.hidden) return;
    const like = [...this.failureRows.querySelectorAll("button")].find((button) =>
      focused === (button.getAttribute("aria-label") ?? button.textContent));
    (like ?? this.failureTitle).focus();
  }

  /**
   * @param {string} title
   * @param {Item[]} items
   */
  failureGroup(title, items) {
    const why = items.map((item) => sentence(item.problem?.detail ?? "", item.name));
    const shared = items.length > 1 && new Set(why).size === 1;
    return h("section", { "aria-label": title },
      h("h3", { class: "failure-title" }, items.length > 1 ? `${title} (${items.length})` : title),
      shared && h("p", { class: "small" }, why[0]),
      h("ul", {}, ...items.map((item, index) => h("li", { class: "failure" },
        h("span", { class: "failure-words" }, h("span", { class: "row-name" }, item.name),
          !shared && h("span", { class: "small" }, why[index])),
        this.actions(item)))));
  }

  /** @param {Item} item */
  heading(item) {
    const words = songName(item.result, item.name);
    const name = h("span", { class: "row-name", title: item.name }, words);
    const state = h("span", { class: "row-state figures" }, ...stateWords(item));
    if (!item.result) return h("div", { class: "row-open" }, name, state);
    return h(
      "button",
      {
        type: "button",
        class: "row-open",
        "data-act": "open",
        "aria-current": item === this.current && "true",
        onclick: () => this.open(item),
      },
      name,
      state,
    );
  }

  /** @param {Item} item */
  actions(item) {
    const box = h("div", { class: "row-actions" });
    const act = (/** @type {string} */ name, /** @type {string} */ label,
      /** @type {string} */ picture, /** @type {() => void} */ onclick) =>
      h("button", {
        type: "button",
        class: "button bare round slight",
        "data-act": name,
        "aria-label": `${label} ${item.name}`,
        title: label,
        onclick,
      }, icon(picture));
    if (item.state === "pausing" || (item.state === "failed" && item.problem?.mayTryAgain) ||
        item.state === "cancelled") {
      add(box, act("again", item.state === "pausing" ? "Try now:" : "Try again:", "again",
        () => this.queue.analyse(item)));
    }
    if (item.pending) add(box, act("end", "Cancel", "cross", () => this.queue.cancel(item)));
    else add(box, act("end", "Remove", "cross", () => this.queue.remove([item])));
    return box;
  }

  /** Count the seconds of pauses down. */
  tick() {
    clearTimeout(this.ticking);
    this.ticking = setTimeout(() => {
      for (const item of this.queue.items) {
        if (item.state !== "pausing") continue;
        const state = this.rows.get(item)?.querySelector(".row-state");
        state?.replaceChildren(...stateWords(item));
        this.tick();
      }
    }, 250);
  }
}

/**
 * @param {Item[]} items
 * @returns {Map<string, Item[]>} by the title of their problem
 */
function grouped(items) {
  /** @type {Map<string, Item[]>} */
  const groups = new Map();
  for (const item of items) {
    const title = item.problem?.title ?? "";
    groups.set(title, [...groups.get(title) ?? [], item]);
  }
  return groups;
}

/** @param {Item} item */
function progress(item) {
  const label = `Upload of ${item.name}`;
  return item.progress !== null
    ? h("progress", { class: "row-progress", max: 1, value: item.progress, "aria-label": label })
    : h("progress", { class: "row-progress", "aria-label": `Analysis of ${item.name}` });
}
