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
