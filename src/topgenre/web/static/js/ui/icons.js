/** The page's icons, as strokes on a grid of 24 by 24. */

/** @type {Record<string, string>} */
const STROKES = {
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.500Z",
  sun: "M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.400M5.6 18.4 7 17M17 7l1.4-1.400M8 12a4 4 0 1 0 8 0 4 4 0 1 0-8 0",
  cross: "M6 6l12 12M18 6 6 18",
  again: "M19 12a7 7 0 1 1-2-4.900L19 9M19 4v5h-5",
  out: "M9 5h10v10M19 5 6 18",
  copy: "M9 9h10v11H9ZM5 15V4h10",
  picture: "M4 5h16v14H4ZM4 16l5-5 4 4 2-2 5 5M15.5 9h.01",
  share: "M12 15V4M8 7.5 12 4l4 3.500M6 11v9h12v-9",
  chevron: "M7 10l5 5 5-5",
  down: "M12 4v11M7.5 11l4.5 4.500L16.5 11M5 20h14",
  search: "M5 11a6 6 0 1 0 12 0 6 6 0 1 0-12 0M15.5 15.5 20 20",
  note: "M9 18V6l10-2v12M4 18a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0M14 16a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0",
  wave: "M3 12h2M8 7v10M12 4v16M16 8v8M19 12h2",
};

/** @type {Record<string, string>} */
const SOLIDS = {
  play: "M7 4.500v15l13-7.500Z",
  pause: "M6 5h4.500v14H6ZM13.5 5H18v14h-4.500Z",
  record: "M6 12a6 6 0 1 0 12 0 6 6 0 1 0-12 0",
  stop: "M6 6h12v12H6Z",
};

const NAMESPACE = "http://www.w3.org/2000/svg";

/**
 * @param {string} name
 * @returns {SVGSVGElement} decoration: what it means is said in words beside it
 */
export function icon(name) {
  const svg = document.createElementNS(NAMESPACE, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const path = document.createElementNS(NAMESPACE, "path");
  path.setAttribute("d", SOLIDS[name] ?? STROKES[name] ?? "");
  if (name in SOLIDS) path.setAttribute("class", "solid");
  svg.append(path);
  return svg;
}
