/**
 * The shapes of what the server answers, and of what the page keeps. Types alone: no code.
 *
 * @typedef {"middle" | "whole"} Mode
 *
 * @typedef {object} GenreProbability
 * @property {string} genre
 * @property {number} probability
 *
 * @typedef {object} TimelineWindow
 * @property {number} start seconds
 * @property {number} end seconds
 * @property {Record<string, number>} probabilities
 *
 * @typedef {object} SpectrogramChannel
 * @property {"full" | "harmonic" | "percussive" | "onset"} name
 * @property {"dB" | "strength"} unit
 * @property {number[]} bands_hz centre of each row; for onset the edges of its sub-bands
 * @property {number} low what a byte of 0 stands for
 * @property {number} high what a byte of 255 stands for
 * @property {number} rows
 * @property {string} data base64, row after row, lowest frequency first
 *
 * @typedef {object} Spectrograms
 * @property {number} start seconds from the beginning of the sound
 * @property {number} hop_seconds
 * @property {number} n_frames
 * @property {SpectrogramChannel[]} channels
 *
 * @typedef {object} Result
 * @property {string} path the file's name as it was sent
 * @property {GenreProbability[]} genres most probable first
 * @property {boolean} uncertain
 * @property {{start: number, end: number}} segment
 * @property {string} model
 * @property {string[]} notices
 * @property {number | null} duration
 * @property {Mode} mode
 * @property {TimelineWindow[] | null} [timeline]
 * @property {Spectrograms | null} [spectrograms]
 *
 * @typedef {{name: string, label: string, kind: string}} RecommendationProvider
 *
 * @typedef {object} Info
 * @property {string} version
 * @property {string} model
 * @property {string[]} genres
 * @property {number} max_upload_bytes
 * @property {string[]} suffixes
 * @property {RecommendationProvider[]} recommendation_providers
 * @property {boolean} needs_api_key
 *
 * @typedef {object} RecommendedItem
 * @property {"track" | "playlist" | "search"} kind
 * @property {string} name
 * @property {string[]} artists
 * @property {string} url
 * @property {string | null} artwork_url
 * @property {string} genre
 * @property {string} query
 *
 * @typedef {object} RecommendationSection
 * @property {string} provider
 * @property {string} label
 * @property {"search" | "tracks" | "charts" | "library"} kind
 * @property {RecommendedItem[]} items
 * @property {string[]} notices
 *
 * @typedef {object} HistoryEntry
 * @property {string} id
 * @property {string} when ISO 8601
 * @property {Result} result without spectrograms
 *
 * @typedef {object} Shown what the result pane shows: a queue item's result, or one of the past
 * @property {Result} result
 * @property {import("./queue-item.js").Item | null} item null for one of the past
 */
export {};
