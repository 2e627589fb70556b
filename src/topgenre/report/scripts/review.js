/** The list of songs to review: sorted, filtered, and shown by and by. */

const AT_ONCE = 50;

const table = document.getElementById("review-table");
if (table instanceof HTMLTableElement) startReview(table);

/** @typedef {{ name: string, words: string, genre: string, confidence: number,
 *   element: HTMLTableRowElement }} Row */

/** @param {HTMLTableElement} table */
function startReview(table) {
  const body = /** @type {HTMLTableSectionElement} */ (table.tBodies[0]);
  const find = /** @type {HTMLInputElement} */ (document.getElementById("review-find"));
  const genre = /** @type {HTMLSelectElement} */ (document.getElementById("review-genre"));
  const count = /** @type {HTMLElement} */ (document.getElementById("review-count"));
  const more = /** @type {HTMLButtonElement} */ (document.getElementById("review-more"));
  const tools = /** @type {HTMLElement} */ (document.getElementById("review-tools"));
  const compareNames = new Intl.Collator(undefined, { numeric: true }).compare;

  /** @type {Row[]} */
  const rows = [...body.rows].map((element) => ({
    name: element.querySelector("a")?.textContent ?? "",
    words: (element.cells[0]?.textContent ?? "").toLowerCase(),
    genre: element.dataset.genre ?? "",
    confidence: Number(element.dataset.confidence),
    element,
  }));
  /** @type {Record<string, (a: Row, b: Row) => number>} */
  const orders = {
    name: (a, b) => compareNames(a.name, b.name),
    genre: (a, b) => compareNames(a.genre, b.genre) || a.confidence - b.confidence,
    confidence: (a, b) => a.confidence - b.confidence,
  };
  let order = orders.confidence;
  let sign = 1;
  let shown = AT_ONCE;

  function show() {
    const words = find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = rows.filter((row) =>
      (!genre.value || row.genre === genre.value)
      && words.every((word) => row.words.includes(word)));
    fitting.sort((a, b) => sign * (order?.(a, b) ?? 0));
    body.replaceChildren(...fitting.slice(0, shown).map((row) => row.element));
    const of = fitting.length < rows.length ? ` of ${rows.length.toLocaleString("en")}` : "";
    count.textContent =
      `${fitting.length.toLocaleString("en")}${of} ${rows.length === 1 ? "song" : "songs"}`;
    more.hidden = fitting.length <= shown;
    more.textContent = `Show ${Math.min(AT_ONCE, fitting.length - shown)} more`;
  }

  function showAnew() {
    shown = AT_ONCE;
    show();
  }

  const heads = [...table.querySelectorAll("th")].filter((head) => head.dataset.key);
  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      sign = head.ariaSort === "ascending" ? -1 : 1;
      order = orders[head.dataset.key ?? ""];
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      showAnew();
    });
  }
  find.addEventListener("input", showAnew);
  genre.addEventListener("change", showAnew);
  more.addEventListener("click", () => {
    const next = shown;
    shown += AT_ONCE;
    show();
    // Where the button is gone or has moved away, reading goes on at the first new song.
    body.rows[next]?.querySelector("a")?.focus();
  });
  // Paper has no buttons: there, every song that fits is listed.
  addEventListener("beforeprint", () => { shown = rows.length; show(); });
  tools.hidden = false;
  show();
}

for (const act of document.querySelectorAll(".acts")) act.removeAttribute("hidden");
let said = document.getElementById("review-said");
document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  if (!button?.classList.contains("act")) return;
  said = button.closest("section")?.querySelector(".said") ?? said;
  if (button.dataset.copy) copy(button.dataset.copy, "whole" in button.dataset ? "" : "GENRE");
  if (button.dataset.play) play(button);
});

/** @param {string} text */
function say(text) {
  if (said) said.textContent = text;
}

/**
 * @param {string} command
 * @param {string} missing what is to be typed behind it
 */
function copy(command, missing) {
  const shown = command + missing;
  // Where the clipboard is out of reach, the command can be read and typed.
  (navigator.clipboard?.writeText(command) ?? Promise.reject())
    .then(() => say(`Copied: ${shown}`), () => say(`Type in a terminal: ${shown}`));
}

/** @type {HTMLAudioElement | null} */
let playing = null;

/** @param {HTMLButtonElement} button */
function play(button) {
  const stop = button.getAttribute("aria-pressed") === "true";
  playing?.pause();
  for (const other of document.querySelectorAll("[data-play]")) {
    other.setAttribute("aria-pressed", "false");
    other.textContent = "Play";
  }
  if (stop) return;
  playing = new Audio(button.dataset.play);
  button.setAttribute("aria-pressed", "true");
  button.textContent = "Stop";
  playing.addEventListener("ended", () => {
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Play";
  });
  playing.play().catch(() => {
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Play";
    say("This browser cannot play that file here; open it by its link.");
  });
}
