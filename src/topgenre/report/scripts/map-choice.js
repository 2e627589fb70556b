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

