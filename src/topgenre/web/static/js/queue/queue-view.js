/** The list of files: a row each, with what it is at and what can be done about it. */

import { add, byId, h } from "../ui/dom.js";
import { sentence } from "../ui/format.js";
import { icon } from "../ui/icons.js";
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
    this.root.append(h("h2", { id: "queue-title" }, "Your sounds"), this.list);
    queue.addEventListener("change", () => this.renderAll());
    queue.addEventListener("item", (event) => {
      const item = /** @type {CustomEvent<Item>} */ (event).detail;
      this.render(item);
      say(item);
    });
  }

  /** @param {Item | null} item whose result is shown */
  setCurrent(item) {
    const before = this.current;
    this.current = item;
    if (before) this.render(before);
    if (item) this.render(item);
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
    row.dataset.looks = looks;
    const focused = row.contains(document.activeElement)
      ? document.activeElement?.getAttribute("data-act") ?? "open"
      : null;
    row.dataset.state = item.state;
    row.classList.toggle("current", isCurrent);
    row.replaceChildren(this.heading(item), this.actions(item));
    if (item.active) add(row, progress(item));
    if (item.problem) {
      const { title, detail } = item.problem;
      // Of a failure the title stands in the heading; in a pause the countdown does.
      const lead = item.state === "failed" ? "" : `${title}. `;
      add(row, h("p", { class: "row-problem" }, lead, sentence(detail, item.name)));
    }
    // The button that had the focus was replaced by its like, or is gone.
    if (focused) {
      const button = row.querySelector(`[data-act="${focused}"]`) ?? row.querySelector("button");
      if (button instanceof HTMLElement) button.focus();
    }
    if (item.state === "pausing") this.tick();
  }

  /** @param {Item} item */
  heading(item) {
    const name = h("span", { class: "row-name", title: item.name }, item.name);
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
    else add(box, act("end", "Remove", "cross", () => this.queue.remove(item)));
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

/** @param {Item} item */
function progress(item) {
  const label = `Upload of ${item.name}`;
  return item.progress !== null
    ? h("progress", { class: "row-progress", max: 1, value: item.progress, "aria-label": label })
    : h("progress", { class: "row-progress", "aria-label": `Analysis of ${item.name}` });
}
