/** What was heard since the beginning, in as little room after ten hours as after a minute. */

/**
 * @typedef {import("../engine/tab/live.js").Said} Said
 * @typedef {{start: number, end: number, label: string}} Stretch
 * @typedef {{label: string, share: number}} Part
 */

const STABLE = 3; // answers in a row before a change counts
const MOST_STRETCHES = 120;

/** Labels beside the genres. */
export const SILENCE = "silence";
export const NOT_MUSIC = "not music";
export const NOT_SURE = "not sure";

export class LiveLog {
  /** @type {Stretch[]} */
  stretches = [];
  /** @type {Map<string, number>} */
  seconds = new Map();
  candidate = "";
  count = 0;
  total = 0;

  /**
   * @param {Said} said
   * @returns {string | null} the label, if it has changed
   */
  add(said) {
    const label = labelOf(said);
    const step = Math.max(0, said.seconds - this.total);
    this.total = said.seconds;
    this.seconds.set(label, (this.seconds.get(label) ?? 0) + step);
    this.count = label === this.candidate ? this.count + 1 : 1;
    this.candidate = label;
    const last = this.stretches.at(-1);
    const changed = this.count === STABLE && label !== last?.label;
    if (changed) {
      // It began with the first of the answers that made it count.
      const start = last ? said.seconds - STABLE : 0;
      if (last) last.end = start;
      this.stretches.push({ start, end: said.seconds, label });
      if (this.stretches.length > MOST_STRETCHES) this.thin();
    } else if (last) {
      last.end = said.seconds;
    }
    return changed ? label : null;
  }

  /** Leave out the shortest stretch: the one before it goes on in its place. */
  thin() {
    const inner = this.stretches.slice(1, -1);
    const lengths = inner.map(({ start, end }) => end - start);
    const shortest = 1 + lengths.indexOf(Math.min(...lengths));
    const [{ end } = { end: 0 }] = this.stretches.splice(shortest, 1);
    const before = this.stretches[shortest - 1];
    if (before) before.end = end;
  }

  /** @returns {Part[]} shares of the time, the greatest first */
  parts() {
    const all = [...this.seconds.values()].reduce((a, b) => a + b, 0);
    return [...this.seconds].map(([label, seconds]) => ({ label, share: seconds / (all || 1) }))
      .sort((a, b) => b.share - a.share);
  }
}

/**
 * @param {Said} said
 * @returns {string} a genre, or one of the labels above
 */
export function labelOf({ silent, judgement }) {
  if (silent || !judgement) return SILENCE;
  if (judgement.music < 0.5) return NOT_MUSIC;
  return judgement.uncertain ? NOT_SURE : judgement.genres[0]?.genre ?? NOT_SURE;
}
