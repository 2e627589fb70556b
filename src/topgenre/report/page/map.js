/**
 * The map of songs: dots on a canvas, and one link that lies over the song pointed at.
 *
 * A pointer moves the link to the nearest dot, arrow keys to the next one in their direction; so
 * click, Enter and the browser's own menu do what they do with any link.
 */

/** @typedef {{ x: number, y: number, genre: number, confidence: string, uncertain: boolean,
 *   name: string, words: string, url: string }} Song */
/** @typedef {{ key: string, name: string, tone: number }} Genre */

const NEAR = 24; // pixels from which a dot is pointed at
const MARGIN = 28;
const MOST_ZOOM = 40;
const STEP = 1.6; // of zoom

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const view = byId("map-view");
const frame = byId("map-frame");
const canvas = /** @type {HTMLCanvasElement} */ (byId("map-canvas"));
const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
const cursor = /** @type {HTMLAnchorElement} */ (byId("map-cursor"));
const find = /** @type {HTMLInputElement} */ (byId("map-find"));
const onlySure = /** @type {HTMLInputElement} */ (byId("map-sure"));
const chips = /** @type {HTMLButtonElement[]} */ ([...view.querySelectorAll(".chip")]);
const dark = matchMedia("(prefers-color-scheme: dark)");

const data = JSON.parse(byId("map-data").textContent ?? "");
/** @type {Genre[]} */
const genres = data.genres.map((/** @type {[string, string, number]} */ [key, name, tone]) =>
  ({ key, name, tone }));
/** @type {Song[]} */
const songs = data.songs.map(
  (/** @type {[number, number, number, string, number, string, number, string]} */
    [x, y, genre, confidence, uncertain, name, folder, file]) => ({
    x, y, genre, confidence, uncertain: uncertain === 1, name, words: name.toLowerCase(),
    url: `${data.folders[folder]}/${file}`,
  }));
const right = Math.max(...songs.map((song) => song.x));
const bottom = Math.max(...songs.map((song) => song.y));

/** Songs that fit the filters, and so can be pointed at. */
let fitting = songs;
/** @type {Song} */
let current = nearestTo(right / 2, bottom / 2, songs) ?? songs[0];
/** What lies in the middle of the frame, and how much larger than the whole map it is drawn. */
let centre = { x: right / 2, y: bottom / 2 };
let zoom = 1;
let width = 0;
let height = 0;
/** Whether the current song is marked, as it is pointed at. */
let marked = false;

// ---- Where things are

/** Pixels for a unit of the map. */
function scale() {
  const fit = Math.min((width - 2 * MARGIN) / (right || 1e-9), (height - 2 * MARGIN) / (bottom || 1e-9));
  return zoom * Math.min(Math.max(fit, 1), 1e6);
}

/** @param {Song} song */
function place(song) {
  return [
    width / 2 + (song.x - centre.x) * scale(),
    // Upwards, as axes of charts go.
    height / 2 - (song.y - centre.y) * scale(),
  ];
}

/**
 * @param {number} x
 * @param {number} y
 * @param {Song[]} among
 */
function nearestTo(x, y, among) {
  let best;
  let least = Infinity;
  for (const song of among) {
    const distance = (song.x - x) ** 2 + (song.y - y) ** 2;
    if (distance < least) [best, least] = [song, distance];
  }
  return best;
}

/** The map never leaves the frame. */
function keepInside() {
  const [halfWidth, halfHeight] = [width / 2 / scale(), height / 2 / scale()];
  const slack = MARGIN / scale();
  /** @type {(value: number, half: number, end: number) => number} */
  const clamp = (value, half, end) =>
    2 * half > end + 2 * slack ? end / 2
      : Math.min(Math.max(value, half - slack), end + slack - half);
  centre = { x: clamp(centre.x, halfWidth, right), y: clamp(centre.y, halfHeight, bottom) };
}

// ---- Drawing

/** @type {Map<string, string>} */
let colors = new Map();

/** @param {string} name of a custom property that is a colour */
function color(name) {
  let value = colors.get(name);
  if (!value) {
    // Of the link and of no other: what it has by way of colour is never seen.
    cursor.style.setProperty("color", `var(--${name})`);
    value = getComputedStyle(cursor).color;
    cursor.style.removeProperty("color");
    colors.set(name, value);
  }
  return value;
}

let asked = false;

function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw();
  });
}

function draw() {
  const sharp = devicePixelRatio || 1;
  canvas.width = Math.round(width * sharp);
  canvas.height = Math.round(height * sharp);
  context.scale(sharp, sharp);
  context.clearRect(0, 0, width, height);
  const crowd = Math.sqrt((width * height) / (songs.length * 60));
  const radius = Math.min(6, Math.max(2.2, crowd)) * Math.min(1.8, Math.sqrt(zoom));
  const fits = new Set(fitting);
  context.fillStyle = color("edge");
  context.globalAlpha = 0.4;
  for (const song of songs) {
    if (!fits.has(song)) dot(song, Math.min(radius, 2));
  }
  for (const song of fitting) {
    const ink = color(`tone-${genres[song.genre]?.tone}`);
    context.globalAlpha = 0.85;
    if (song.uncertain) {
      context.strokeStyle = ink;
      context.lineWidth = 1.5;
      ring(song, radius - 0.5);
    } else {
      context.fillStyle = ink;
      dot(song, radius);
    }
    context.globalAlpha = 1;
  }
  const label = marked && fits.has(current) ? currentLabel() : null;
  drawNames(label ? [label] : []);
  if (label) {
    context.fillStyle = color(`tone-${genres[current.genre]?.tone}`);
    dot(current, radius + 2.5);
    context.font = LABEL.font();
    write(label.text, label.left + LABEL.padding, label.y, "left");
  }
  placeCursor();
}

/**
 * @param {Song} song
 * @param {number} radius
 */
function dot(song, radius) {
  trace(song, radius);
  context.fill();
}

/**
 * @param {Song} song
 * @param {number} radius
 */
function ring(song, radius) {
  trace(song, radius);
  context.stroke();
}

/**
 * @param {Song} song
 * @param {number} radius
 */
function trace(song, radius) {
  const [x, y] = place(song);
  context.beginPath();
  context.arc(/** @type {number} */ (x), /** @type {number} */ (y), radius, 0, 2 * Math.PI);
}

/** @typedef {{ left: number, right: number, y: number }} Box */

/**
 * Name each genre where most of its songs are, unless names would lie upon each other.
 *
 * @param {Box[]} taken where there is text already
 */
function drawNames(taken) {
  const least = Math.max(3, fitting.length / 100);
  const groups = genres.map((genre) => ({ genre, songs: /** @type {Song[]} */ ([]) }));
  for (const song of fitting) groups[song.genre]?.songs.push(song);
  const size = width < 480 ? 15 : 18;
  groups.sort((a, b) => b.songs.length - a.songs.length);
  for (const { genre, songs: members } of groups) {
    if (members.length < least) continue;
    const x = median(members.map((song) => /** @type {number} */ (place(song)[0])));
    let y = median(members.map((song) => /** @type {number} */ (place(song)[1])));
    context.font = font("display", size, 700);
    const half = context.measureText(genre.name).width / 2 + 4;
    /** @type {(at: number) => boolean} */
    const free = (at) => taken.every((other) =>
      Math.abs(other.y - at) > size + 3 || other.right < x - half || other.left > x + half);
    const shift = [0, 1, -1, 2, -2, 3, -3, 4, -4].map((n) => n * (size + 4)).find((n) => free(y + n));
    if (shift === undefined) continue;
    y += shift;
    taken.push({ left: x - half, right: x + half, y });
    write(genre.name, x, y, "center");
  }
}

/**
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {CanvasTextAlign} align
 */
function write(text, x, y, align) {
  context.textAlign = align;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 5;
  context.strokeStyle = color("sheet");
  context.strokeText(text, x, y);
  context.fillStyle = color("ink");
  context.fillText(text, x, y);
}

const LABEL = { font: () => font("text", 14, 600), padding: 4, gap: 16, most: 48 };

/** What is written beside the current song, on the side where there is room. */
function currentLabel() {
  const [x = 0, y = 0] = place(current);
  context.font = LABEL.font();
  const { name } = current;
  const text = name.length > LABEL.most ? `${name.slice(0, LABEL.most - 1)}…` : name;
  const room = context.measureText(text).width + 2 * LABEL.padding;
  const wanted = x + LABEL.gap + room > width ? x - LABEL.gap - room : x + LABEL.gap;
  const left = Math.max(0, Math.min(wanted, width - room));
  return { text, left, right: left + room, y };
}

/**
 * @param {"display" | "text"} family
 * @param {number} size
 * @param {number} weight
 */
function font(family, size, weight) {
  const names = getComputedStyle(document.documentElement).getPropertyValue(`--${family}`);
  return `${weight} ${size}px ${names}`;
}

/** @param {number[]} values */
function median(values) {
  values.sort((a, b) => a - b);
  return values[values.length >> 1] ?? 0;
}

function placeCursor() {
  const [x = 0, y = 0] = place(current);
  cursor.style.setProperty("transform", `translate(${x}px, ${y}px)`);
}

// ---- The current song

/** @param {Song} song */
function choose(song) {
  current = song;
  cursor.href = song.url;
  cursor.setAttribute("aria-label", `${song.name}: ${describe(song)}`);
}

/** @param {Song} song */
function describe(song) {
  return `${genres[song.genre]?.name} ${song.confidence}${song.uncertain ? ", not sure" : ""}`;
}

/** Write the current song below the map, where it stays when the pointer leaves. */
function readOut() {
  const song = current;
  const link = document.createElement("a");
  link.href = song.url;
  link.target = "_blank";
  link.rel = "noreferrer";
  const name = document.createElement("bdi");
  name.textContent = song.name;
  link.append(name);
  byId("map-name").replaceChildren(link);
  const sign = document.createElement("span");
  sign.className = `dot tone-${genres[song.genre]?.tone}`;
  byId("map-words").replaceChildren(sign, describe(song));
}

/** @param {boolean} wanted */
function setMarked(wanted) {
  marked = wanted;
  cursor.classList.toggle("shown", wanted);
  if (wanted) readOut();
  redraw();
}

/**
 * The next song in a direction: near, and no farther off the way than along it.
 *
 * @param {number} dx
 * @param {number} dy upwards
 * @param {number} [widest] how much farther off it may be
 */
function nextTo(dx, dy, widest = 1) {
  let best;
  let least = Infinity;
  for (const song of fitting) {
    const along = (song.x - current.x) * dx + (song.y - current.y) * dy;
    const aside = Math.abs((song.x - current.x) * dy) + Math.abs((song.y - current.y) * dx);
    if (song === current || along <= 0 || aside > widest * along) continue;
    const cost = along + 2 * aside;
    if (cost < least) [best, least] = [song, cost];
  }
  return best;
}

/**
 * Go to the next song in a direction, or else to one that lies only just that way.
 *
 * @param {number} dx
 * @param {number} dy upwards
 */
function step(dx, dy) {
  const best = nextTo(dx, dy) ?? nextTo(dx, dy, Infinity);
  if (!best) return;
  choose(best);
  byId("map-spoken").textContent = cursor.getAttribute("aria-label");
  const [x = 0, y = 0] = place(best);
  if (x < MARGIN || y < MARGIN || x > width - MARGIN || y > height - MARGIN) {
    centre = { x: best.x, y: best.y };
    keepInside();
  }
  setMarked(true);
}

// ---- Zoom

/**
 * @param {number} wanted
 * @param {number} [x] pixels; what lies here stays here
 * @param {number} [y]
 */
function zoomTo(wanted, x = width / 2, y = height / 2) {
  const before = scale();
  zoom = Math.min(Math.max(wanted, 1), MOST_ZOOM);
  const after = scale();
  centre.x += (x - width / 2) * (1 / before - 1 / after);
  centre.y -= (y - height / 2) * (1 / before - 1 / after);
  keepInside();
  frame.classList.toggle("zoomed", zoom > 1);
  redraw();
}

/** @param {number} factor */
function zoomBy(factor) {
  const [x = 0, y = 0] = place(current);
  const inside = marked && x > 0 && y > 0 && x < width && y < height;
  if (inside) zoomTo(zoom * factor, x, y);
  else zoomTo(zoom * factor);
}

// ---- Filters

function filter() {
  const wanted = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true")
    .map((chip) => chip.dataset.genre);
  const words = find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  fitting = songs.filter((song) =>
    (!wanted.length || wanted.includes(genres[song.genre]?.key))
    && !(onlySure.checked && song.uncertain)
    && words.every((word) => song.words.includes(word)));
  const all = songs.length.toLocaleString("en");
  byId("map-count").textContent = fitting.length === songs.length
    ? `${all} ${songs.length === 1 ? "song" : "songs"}`
    : `${fitting.length.toLocaleString("en")} of ${all} songs`;
  const found = fitting.includes(current) ? current : nearestTo(current.x, current.y, fitting);
  if (found) choose(found);
  cursor.hidden = !found;
  // Who looks for one song wants to see which it is.
  setMarked(Boolean(found && words.length));
}

for (const chip of chips) {
  chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
    filter();
  });
}
find.addEventListener("input", filter);
onlySure.addEventListener("change", filter);

// ---- Pointer and keys

/** @type {{ x: number, y: number, moved: boolean } | null} */
let drag = null;

/** @param {MouseEvent} event */
function spot(event) {
  const box = frame.getBoundingClientRect();
  return { x: event.clientX - box.left - 1, y: event.clientY - box.top - 1 };
}

/** @param {MouseEvent} event */
function point(event) {
  const { x, y } = spot(event);
  const at = { x: centre.x + (x - width / 2) / scale(), y: centre.y - (y - height / 2) / scale() };
  const found = nearestTo(at.x, at.y, fitting);
  if (!found) return;
  const [px = 0, py = 0] = place(found);
  const near = Math.hypot(px - x, py - y) <= NEAR;
  if (near) choose(found);
  if (near || document.activeElement !== cursor) setMarked(near);
}

frame.addEventListener("pointerdown", (event) => {
  if (event.target instanceof Element && event.target.closest(".map-zoom")) return;
  if (event.button === 0) drag = { ...spot(event), moved: false };
  if (event.pointerType !== "mouse") point(event);
});
frame.addEventListener("pointermove", (event) => {
  if (!drag || zoom === 1) {
    if (event.pointerType === "mouse") point(event);
    return;
  }
  const { x, y } = spot(event);
  if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < 5) return;
  if (!drag.moved) frame.setPointerCapture(event.pointerId);
  frame.classList.add("dragging");
  centre = { x: centre.x - (x - drag.x) / scale(), y: centre.y + (y - drag.y) / scale() };
  drag = { x, y, moved: true };
  keepInside();
  redraw();
});
/** What a drag ends with is no click on the link that lies there. */
let dragged = false;
function drop() {
  dragged = drag?.moved ?? false;
  drag = null;
  frame.classList.remove("dragging");
}
frame.addEventListener("pointerup", drop);
frame.addEventListener("pointercancel", drop);
frame.addEventListener("pointerleave", () => {
  if (document.activeElement !== cursor) setMarked(false);
});
frame.addEventListener("dragstart", (event) => event.preventDefault());
frame.addEventListener("click", (event) => {
  if (dragged && event.target === cursor) event.preventDefault();
  dragged = false;
});
frame.addEventListener("wheel", (event) => {
  // Without a key, the wheel scrolls the page; a pinch comes with one.
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const { x, y } = spot(event);
  zoomTo(zoom * Math.exp(-event.deltaY / 200), x, y);
}, { passive: false });

cursor.addEventListener("focus", () => setMarked(true));
cursor.addEventListener("blur", () => setMarked(false));
/** @type {Record<string, () => void>} */
const keys = {
  ArrowLeft: () => step(-1, 0),
  ArrowRight: () => step(1, 0),
  ArrowUp: () => step(0, 1),
  ArrowDown: () => step(0, -1),
  "+": () => zoomBy(STEP),
  "=": () => zoomBy(STEP),
  "-": () => zoomBy(1 / STEP),
  "0": () => zoomTo(1),
};
cursor.addEventListener("keydown", (event) => {
  const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
byId("map-in").addEventListener("click", () => zoomBy(STEP));
byId("map-out").addEventListener("click", () => zoomBy(1 / STEP));
byId("map-whole").addEventListener("click", () => zoomTo(1));

// ---- Start

view.hidden = false;
new ResizeObserver(() => {
  ({ clientWidth: width, clientHeight: height } = frame);
  keepInside();
  redraw();
}).observe(frame);
dark.addEventListener("change", () => {
  colors = new Map();
  redraw();
});
choose(current);
filter();
