"""Songs that sound like a song: its nearest neighbours in a catalogue, by the network's embedding.

Exact cosine similarity of all songs, block by block: there is nothing to build, to keep up to date
or to tune, and it takes a fraction of a second for 100 000 songs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topgenre.library.catalogue import Catalogue
from topgenre.library.likeness import Likeness
from topgenre.library.song import Song, Tags
from topgenre.result import GenreProbability

SHARED_FROM = 0.1  # probability that a genre must have in both songs to be named as shared
_NAMED_GENRES = 3
_VARIETY = 3  # candidates for each place when a seed shuffles

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A song that lies near another one.

    Attributes
    ----------
    path : str
    similarity : float
        Cosine of the angle between the embeddings: 1 for songs that sound the same to the network.
    genres : tuple of GenreProbability
        The song's own, most probable first.
    uncertain : bool
        Whether the evidence for them is thin.
    shared_genres : tuple of str
        Genres that both songs have to some degree (`SHARED_FROM`), the most shared first.
    artist, title, album : str or None
        From the file's tags.
    duration : float or None
        Seconds.
    likeness : Likeness, optional
        In which of the four spectrograms the two songs are closest, where that was asked for and
        both files can be read.
    """

    path: str
    similarity: float
    genres: tuple[GenreProbability, ...]
    uncertain: bool
    shared_genres: tuple[str, ...]
    artist: str | None
    title: str | None
    album: str | None
    duration: float | None
    likeness: Likeness | None = None

    @property
    def name(self) -> str:
        """What the song is called in lists."""
        return Tags(self.artist, self.title).name(self.path)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "path": self.path,
            "similarity": round(self.similarity, 4),
            "shared_genres": list(self.shared_genres),
            "closest_spectrogram": self.likeness.closest if self.likeness else None,
            "closeness": self.likeness.to_dict() if self.likeness else None,
            "genres": [genre.to_dict() for genre in self.genres[:_NAMED_GENRES]],
            "uncertain": self.uncertain,
            "artist": self.artist,
            "title": self.title,
            "album": self.album,
            "duration": None if self.duration is None else round(self.duration, 3),
        }


def neighbours(
    catalogue: Catalogue,
    embedding: Array,
    *,
    model: bytes,
    limit: int = 10,
    genres: Mapping[str, float] | None = None,
    content: bytes | None = None,
    genre: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    seed: int | None = None,
) -> list[Neighbour]:
    """Find the songs of a catalogue that lie nearest to an embedding.

    No artist is named twice, nor is the same content. Where songs have no artist in their tags,
    each folder counts as one, unless there are then too few songs.

    Parameters
    ----------
    catalogue : Catalogue
    embedding : ndarray of float32, shape (n_embedding,)
    model : bytes
        `topgenre.library.catalogue.model_hash` of the model that made the embedding; only its songs
        can be compared.
    limit : int
        How many songs at most.
    genres : mapping of str to float, optional
        Probabilities of the song in question, to say which genres are shared.
    content : bytes, optional
        SHA-256 of the song in question, which is no neighbour of itself.
    genre : str, optional
        Only songs with this most probable genre.
    folder : path-like, optional
        Only songs in this folder, or in a folder in it.
    seed : int, optional
        Draw from the nearest songs at random, nearer ones with a better chance: another seed gives
        other songs. By default the very nearest are given.

    Returns
    -------
    list of Neighbour
        The nearest first.

    Raises
    ------
    CatalogueError
        If the catalogue cannot be read.
    ValueError
        If `limit` is below 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    inside = None if folder is None else os.path.abspath(folder)  # noqa: PTH100 - follows no links
    ids, scores = _scores(catalogue, embedding, model, genre, inside)
    order = np.argsort(-scores, kind="stable")
    wanted = limit if seed is None else _VARIETY * limit
    near = ((catalogue.song(int(ids[index])), float(scores[index])) for index in order)
    chosen = _one_an_artist(near, wanted, content)
    if seed is not None:
        chosen = _drawn(chosen, limit, np.random.default_rng(seed))
    return [_neighbour(song, score, genres or {}) for song, score in chosen]


def _scores(
    catalogue: Catalogue, embedding: Array, model: bytes, genre: str | None, folder: str | None
) -> tuple[NDArray[np.int64], Array]:
    """Compare with all songs; return their ids and the cosines."""
    ids, scores = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    query = unit(embedding[None])[0]
    for block in catalogue.embeddings(model, genre=genre, folder=folder):
        ids.append(block.ids)
        scores.append(unit(block.vectors) @ query)
    return np.concatenate(ids), np.concatenate(scores)


def unit(vectors: Array) -> Array:
    """Scale rows to length 1; what is zero stays so, and is similar to nothing."""
    length = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    unit: Array = vectors / np.maximum(length, np.float32(1e-12))
    return unit


def _one_an_artist(
    near: Iterator[tuple[Song, float]], wanted: int, content: bytes | None
) -> list[tuple[Song, float]]:
    chosen: list[tuple[Song, float]] = []
    untagged: list[tuple[Song, float]] = []  # further songs of a folder, as a reserve
    artists: set[str] = set()
    contents = {content}
    for song, score in near:
        assert song.analysis is not None
        if song.analysis.hash in contents:
            continue
        contents.add(song.analysis.hash)
        artist = song.analysis.tags.artist
        key = artist.casefold() if artist else f"/{Path(song.path).parent}"
        if key not in artists:
            artists.add(key)
            chosen.append((song, score))
        elif not artist and len(untagged) < wanted:
            untagged.append((song, score))
        if len(chosen) == wanted:
            return chosen
    chosen += untagged[: wanted - len(chosen)]
    return sorted(chosen, key=lambda pair: -pair[1])


def _drawn(
    chosen: list[tuple[Song, float]], limit: int, rng: np.random.Generator
) -> list[tuple[Song, float]]:
    """Draw without replacement, with weights that fall off with the rank."""
    weights = np.exp(-np.arange(len(chosen)) / limit)
    # The largest of values disturbed by Gumbel noise are such a draw.
    order = np.argsort(-(np.log(weights) + rng.gumbel(size=len(chosen))))
    return [chosen[index] for index in sorted(order[:limit])]


def _neighbour(song: Song, score: float, genres: Mapping[str, float]) -> Neighbour:
    assert song.analysis is not None
    result, tags = song.analysis.result, song.analysis.tags
    common = [
        (min(probability, genres.get(genre, 0.0)), genre) for genre, probability in result.genres
    ]
    shared = sorted((pair for pair in common if pair[0] >= SHARED_FROM), reverse=True)
    return Neighbour(
        path=song.path,
        similarity=score,
        genres=result.genres,
        uncertain=result.uncertain,
        shared_genres=tuple(genre for _, genre in shared),
        artist=tags.artist,
        title=tags.title,
        album=tags.album,
        duration=result.duration,
    )
