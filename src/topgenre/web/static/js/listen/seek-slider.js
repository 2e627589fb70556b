/** An element that moves the transport: by pointer, and by keyboard as a slider. */

/** @typedef {import("./transport.js").Transport} Transport */

/**
 * @param {HTMLElement} element spans the sound from its beginning to its end
 * @param {Transport} transport
 * @param {object} options
 * @param {string} options.label
 * @param {() => string} options.words of the position
 * @param {(position: number, forward: boolean) => number} options.step where an arrow key leads
 */
export function seekSlider(element, transport, { label, words, step }) {
  element.setAttribute("role", "slider");
  element.setAttribute("aria-label", label);
  element.setAttribute("aria-valuemin", "0");
  element.setAttribute("aria-valuemax", transport.duration.toFixed(1));
  element.tabIndex = 0;
  const tell = () => {
    element.setAttribute("aria-valuenow", transport.position.toFixed(1));
    element.setAttribute("aria-valuetext", words());
  };
  transport.addEventListener("time", tell);
  tell();

  const seekTo = (/** @type {PointerEvent} */ event) => {
    const box = element.getBoundingClientRect();
    transport.seek(((event.clientX - box.left) / box.width) * transport.duration);
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    seekTo(event);
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) seekTo(event);
  });

  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { position, duration } = transport;
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowRight: () => transport.seek(step(position, true)),
      ArrowUp: () => transport.seek(step(position, true)),
      ArrowLeft: () => transport.seek(step(position, false)),
      ArrowDown: () => transport.seek(step(position, false)),
      PageUp: () => transport.seek(position + duration / 10),
      PageDown: () => transport.seek(position - duration / 10),
      Home: () => transport.seek(0),
      End: () => transport.seek(duration),
      " ": () => transport.toggle(),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
