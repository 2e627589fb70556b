/**
 * The shapes that the page works with. Types alone: no code.
 *
 * Results have the shape of the REST API's answers, whichever engine they come from. What is
 * optional may be missing in answers of older servers and in the history.
 *
 * @typedef {"middle" | "whole"} Mode
 * @typedef {"sure" | "probable" | "close" | "unsure"} Tier
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
 * @typedef {object} Section a part of a whole track that is of one genre
 * @property {number} start seconds
 * @property {number} end seconds
 * @property {string} genre
 *
 * @typedef {object} Tag a style, an instrument or a mood, beside the genres
 * @property {string} name
 * @property {number} probability
 *
 * @typedef {object} Song what the file's own tags say
 * @property {string | null} [title]
 * @property {string | null} [artist]
 * @property {string | null} [album]
 * @property {string | null} [cover] a data: URL
 *
 * @typedef {object} SpectrogramChannel
 * @property {"full" | "harmonic" | "percussive" | "onset"} name
 * @property {"dB" | "strength"} unit
 * @property {number[]} bands_hz centre of each row; for onset the edges of its sub-bands
 * @property {number} low the value of a byte of 0
 * @property {number} high the value of a byte of 255
 * @property {number} rows
 * @property {string} data base64, row after row, lowest frequency first
 *
 * @typedef {object} Spectrograms
 * @property {number} start seconds from the beginning of the file
 * @property {number} hop_seconds
 * @property {number} n_frames
 * @property {SpectrogramChannel[]} channels
 *
 * @typedef {object} Result
 * @property {string | null} [id] by which the server knows its content; for corrections
 * @property {string} path the file's name
 * @property {GenreProbability[]} genres most probable first
 * @property {boolean} uncertain
 * @property {{start: number, end: number}} segment
 * @property {string} model
 * @property {string[]} notices
 * @property {number | null} duration
 * @property {Mode} mode
 * @property {string} [verdict] the answer in one sentence
 * @property {Tier} [tier]
 * @property {Tag[]} [tags]
 * @property {Section[] | null} [sections]
 * @property {TimelineWindow[] | null} [timeline]
 * @property {Song | null} [song]
 * @property {Spectrograms | null} [spectrograms]
 *
 * ---- Engines: see engine/engine.js
 *
 * @typedef {object} Progress
 * @property {"sending" | "analysing"} stage
 * @property {number | null} share of the stage that is done, 0 to 1; null if unknown
 *
 * @typedef {object} AnalyseOptions
 * @property {string} name of the file
 * @property {Mode} mode
 * @property {(progress: Progress) => void} onProgress
 * @property {AbortSignal} signal
 *
 * @typedef {object} Analyser
 * @property {number} atOnce how many files it takes at the same time
 * @property {(file: Blob, options: AnalyseOptions) => Promise<Result>} analyse rejects with a
 *   Problem (see engine/problem.js), or an AbortError where the signal said so
 *
 * @typedef {object} Wish what to recommend music for
 * @property {GenreProbability[]} weights
 * @property {string} [artist]
 * @property {string} [title]
 * @property {string} [provider] by default the engine chooses
 *
 * @typedef {object} Recommender
 * @property {(wish: Wish, signal: AbortSignal) => Promise<RecommendationSection[]>} recommend
 *
 * @typedef {object} Library the songs that the server has catalogued; for info.library only
 * @property {(result: Result, file: Blob | null, signal: AbortSignal) => Promise<Neighbour[]>}
 *   similar most similar first
 *
 * @typedef {object} Corrections for info.corrections only
 * @property {(result: Result, genre: string) => Promise<void>} correct
 *
 * @typedef {object} Backend everything that the page asks somebody else for
 * @property {() => Promise<Info>} info
 * @property {Analyser} analyser
 * @property {Recommender} recommender
 * @property {Library} library
 * @property {Corrections} corrections
 * @property {import("./engine/tab/host.js").Host | null} [listener] where it can listen live
 * @property {string} privacy where the sound goes, in a sentence
 * @property {string | null} apiDocs address of the API's documentation
 *
 * @typedef {object} Info
 * @property {string} version
 * @property {string} model
 * @property {string[]} genres
 * @property {number | null} max_upload_bytes null: no limit
 * @property {string[]} suffixes
 * @property {RecommendationProvider[]} recommendation_providers
 * @property {boolean} needs_api_key
 * @property {boolean} [library] whether it can find similar songs in a library
 * @property {boolean} [corrections] whether it takes corrections
 *
 * ---- Music
 *
 * @typedef {{name: string, label: string, kind: string}} RecommendationProvider
 *
 * @typedef {object} RecommendedItem
 * @property {"track" | "playlist" | "search"} kind
 * @property {string} name
 * @property {string[]} artists
 * @property {string | null} url null if it cannot be heard
 * @property {string | null} artwork_url
 * @property {string} genre empty if it was found for the artist
 * @property {string} query
 * @property {string | null} [preview_url] thirty seconds to play
 * @property {string | null} [spotify_url] the same on Spotify, or a search for it there
 *
 * @typedef {object} RecommendationSection
 * @property {string} provider
 * @property {string} label
 * @property {"search" | "tracks" | "artist" | "charts" | "library"} kind
 * @property {RecommendedItem[]} items
 * @property {string[]} notices
 *
 * @typedef {object} Neighbour a song of the library
 * @property {string} title
 * @property {string | null} [artist]
 * @property {string | null} [album]
 * @property {string} genre
 * @property {number} score 0 to 1
 * @property {string[]} [reasons]
 * @property {string | null} [audio_url] null if it may not be played
 *
 * ---- The page's own
 *
 * @typedef {object} HistoryEntry
 * @property {string} id
 * @property {string} when ISO 8601
 * @property {Result} result without spectrograms and cover
 *
 * @typedef {object} Shown what the result pane shows: a queue item's result, or one of the past
 * @property {Result} result
 * @property {import("./queue/queue-item.js").Item | null} item null for one of the past
 */
export {};
