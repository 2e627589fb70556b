/**
 * From probabilities to a result: ranking, doubt, tiers, sections and the verdict.
 *
 * A translation of topgenre/classifier.py and topgenre/result.py; tests hold both to each other.
 *
 * @typedef {import("../../types.js").GenreProbability} GenreProbability
 * @typedef {import("../../types.js").Section} Section
 * @typedef {import("../../types.js").Tier} Tier
 *
 * @typedef {object} ModelInfo the metadata of the model
 * @property {string} name
 * @property {string[]} genres
 * @property {number} temperature
 * @property {number} temperature_whole
 * @property {number} uncertain_below
 * @property {{sure_above: number, probable_above: number, close_within: number}} borders
 * @property {{name: string, threshold: number, outside: boolean}[]} tags
 * @property {number} n_frames
 *
 * @typedef {object} Prediction of one window
 * @property {ArrayLike<number>} probabilities of the genres, in the model's order
 * @property {number} music
 * @property {ArrayLike<number>} tags
 *
 * @typedef {{start: number, end: number, genres: GenreProbability[]}} Ranked
 * @typedef {{name: string, probability: number, outside: boolean}} Tag
 *
 * @typedef {object} Judgement
 * @property {GenreProbability[]} genres
 * @property {string} verdict
 * @property {Tier} tier
 * @property {boolean} uncertain
 * @property {number} music
 * @property {Tag[]} tags
 * @property {Section[]} sections
 * @property {Ranked[]} windows
 */

const SHORTEST_SECTION = 20; // seconds
const SPELLINGS = new Map([["hiphop", "hip-hop"], ["rnb", "R&B"], ["r&b", "R&B"]]);
const NUMBERS = new Map([[10, "ten"]]);

/**
 * @param {ModelInfo} info
 * @param {Prediction[]} predictions
 * @param {{start: number, end: number}[]} times of the windows of a whole track, else empty
 * @returns {Judgement}
 */
export function judge(info, predictions, times = []) {
  let mean = means(predictions.map(({ probabilities }) => probabilities));
  if (times.length) mean = sharpened(mean, info.temperature / info.temperature_whole);
  const genres = rank(info.genres, mean);
  const windows = times.map((time, i) =>
    ({ ...time, genres: rank(info.genres, predictions[i]?.probabilities ?? []) }));
  const tags = namedTags(info, means(predictions.map((prediction) => prediction.tags)));
  const music = means(predictions.map((prediction) => [prediction.music]))[0] ?? 0;
  let uncertain = (genres[0]?.probability ?? 0) < info.uncertain_below || music < 0.5 ||
    tags.some(({ outside }) => outside);
  let tier = tierOf(info.borders, genres, uncertain);
  /** @type {Section[]} */
  let sections = [];
  if (tier !== "sure" && music >= 0.5) {
    sections = findSections(windows, info.borders.probable_above);
  }
  if (sections.length) [uncertain, tier] = [false, "probable"];
  const judgement = { genres, tier, uncertain, music, tags, sections, windows };
  return { ...judgement, verdict: verdict(judgement) };
}

/**
 * @param {string[]} names
 * @param {ArrayLike<number>} probabilities
 * @returns {GenreProbability[]} most probable first, equal ones in the order of the alphabet
 */
export function rank(names, probabilities) {
  return names.map((genre, i) => ({ genre, probability: probabilities[i] ?? 0 }))
    .sort((a, b) => b.probability - a.probability || (a.genre < b.genre ? -1 : 1));
}

/**
 * @param {ModelInfo["borders"]} borders
 * @param {GenreProbability[]} genres
 * @param {boolean} uncertain
 * @returns {Tier}
 */
function tierOf(borders, genres, uncertain) {
  if (uncertain) return "unsure";
  const first = genres[0]?.probability ?? 0;
  const second = genres[1]?.probability;
  if (first >= borders.sure_above) return "sure";
  const isClose = second !== undefined && second >= borders.close_within * first;
  return first < borders.probable_above && isClose ? "close" : "probable";
}

/**
 * @param {Ranked[]} windows
 * @param {number} sureAbove
 * @returns {Section[]} empty if the track does not change
 */
function findSections(windows, sureAbove) {
  /** @type {Section[]} */
  const runs = [];
  for (const { start, end, genres: [best] } of windows) {
    if (!best || best.probability < sureAbove) continue;
    const last = runs.at(-1);
    if (last?.genre === best.genre) last.end = end;
    else runs.push({ start, end, genre: best.genre });
  }
  /** @type {Section[]} */
  const sections = [];
  for (const run of runs) {
    if (run.end - run.start < SHORTEST_SECTION) continue;
    const last = sections.at(-1);
    if (last?.genre === run.genre) last.end = run.end;
    else sections.push(run);
  }
  return sections.length > 1 ? sections : [];
}

/**
 * @param {Omit<Judgement, "verdict">} judgement
 * @returns {string}
 */
function verdict({ genres, tier, uncertain, music, tags, sections }) {
  const [first = "", second] = genres.map(({ genre }) => spoken(genre));
  if (sections.length) {
    return `Changes: ${sections.map(({ genre }) => spoken(genre)).join(" → ")}`;
  }
  if (music < 0.5) return "Does not sound like music";
  const outside = tags.find((tag) => tag.outside);
  if (uncertain && outside) {
    const count = NUMBERS.get(genres.length) ?? String(genres.length);
    return `None of the ${count}; sounds like ${spoken(outside.name)}`;
  }
  switch (tier) {
    case "unsure":
      return `Not sure: closest ${second === undefined ? `is ${first}` : `are ${first} and ${second}`}`;
    case "close": return capital(`${first} or ${second}`);
    case "sure": return capital(first);
    case "probable": return `Probably ${first}`;
  }
}

/**
 * @param {ModelInfo} info
 * @param {number[]} probabilities
 * @returns {Tag[]}
 */
function namedTags(info, probabilities) {
  return info.tags
    .map(({ name, outside }, i) => ({ name, probability: probabilities[i] ?? 0, outside }))
    .filter(({ probability }, i) => probability >= (info.tags[i]?.threshold ?? Infinity))
    .sort((a, b) => b.probability - a.probability);
}

/**
 * @param {ArrayLike<number>[]} rows
 * @returns {number[]} the mean of each column
 */
function means(rows) {
  return Array.from(rows[0] ?? [], (_, i) =>
    rows.reduce((sum, row) => sum + (row[i] ?? 0), 0) / rows.length);
}

/**
 * @param {number[]} probabilities
 * @param {number} exponent
 * @returns {number[]}
 */
function sharpened(probabilities, exponent) {
  const powers = probabilities.map((probability) => probability ** exponent);
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/**
 * @param {string} genre
 * @returns {string}
 */
function spoken(genre) {
  return SPELLINGS.get(genre.toLowerCase()) ?? genre;
}

/**
 * @param {string} text
 * @returns {string}
 */
function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
