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

