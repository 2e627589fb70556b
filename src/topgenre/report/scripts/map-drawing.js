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
  const spots = fitting.map(place);
  groups.sort((a, b) => b.songs.length - a.songs.length);
  for (const { genre, songs: members } of groups) {
    if (members.length < least) continue;
    const middle = median(members.map((song) => /** @type {number} */ (place(song)[0])));
    let y = median(members.map((song) => /** @type {number} */ (place(song)[1])));
    context.font = font("display", size, 700);
    const half = context.measureText(genre.name).width / 2 + 4;
    // Inside the map, unless its songs lie outside.
    const seen = middle >= 0 && middle <= width;
    const x = seen ? Math.min(Math.max(middle, half), width - half) : middle;
    /** @type {(at: number) => boolean} */
    const free = (at) => taken.every((other) =>
      Math.abs(other.y - at) > size + 3 || other.right < x - half || other.left > x + half);
    const shifts = [0, 1, -1, 2, -2, 3, -3, 4, -4].map((n) => n * (size + 4));
    const open = shifts.filter((shift) => free(y + shift));
    if (!open.length) continue;
    // Where a name hides the fewest songs, and of such places the nearest.
    const hidden = open.map((shift) => spots.filter(([px = 0, py = 0]) =>
      Math.abs(py - y - shift) < size / 2 + 3 && px > x - half && px < x + half).length);
    y += open[hidden.indexOf(Math.min(...hidden))] ?? 0;
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

