"""Gather examples to teach from: embeddings of songs with genres and artists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topgenre.errors import TeachingError
from topgenre.teaching.labels import Labels, clean_labels

Floats = NDArray[np.float32]

CORRECTED = 3.0  # weight of a song whose genre the user has corrected
_MAX_GENRES = 2000


@dataclass(frozen=True, slots=True, eq=False)
class TaggedSong:
    """A song as an example.

    Attributes
    ----------
    path : str
    embeddings : ndarray of float32, shape (n_windows, n_embedding)
    genres : tuple of str
        Names from the tag, the folder or the user.
    group : str
        Artist, else album, else folder; a group is never split between training and test.
    corrected : bool
        Whether the user has corrected the genre, so that it counts more than a tag.
    """

    path: str
    embeddings: Floats
    genres: tuple[str, ...]
    group: str
    corrected: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Songs as arrays.

    Attributes
    ----------
    genres : tuple of str
    paths : tuple of str, length n_songs
    embeddings : ndarray of float32, shape (n, n_embedding)
        One row per window.
    song : ndarray of int64, shape (n,)
        The song of each window.
    weights : ndarray of float32, shape (n,)
        Songs count equally, except that n songs of one artist in a genre count as the square root
        of n, and a corrected song as `CORRECTED`.
    targets : ndarray of float32, shape (n_songs, n_genres)
        Share of each genre in a song; rows sum to 1.
    groups : ndarray of str, shape (n_songs,)
    labels : Labels
        Merged and dropped names.
    """

    genres: tuple[str, ...]
    paths: tuple[str, ...]
    embeddings: Floats
    song: NDArray[np.int64]
    weights: Floats
    targets: Floats
    groups: NDArray[np.str_]
    labels: Labels

    @property
    def n_songs(self) -> int:
        """Number of songs."""
        return len(self.paths)

    @property
    def main_genre(self) -> NDArray[np.int64]:
        """The first genre of each song, shape (n_songs,)."""
        return np.asarray(self.targets.argmax(axis=1), np.int64)


def gather(
    songs: Iterable[TaggedSong],
    *,
    min_songs: int = 3,
    names: Mapping[str, str] | None = None,
) -> Examples:
    """Build examples from songs.

    Parameters
    ----------
    songs : iterable of TaggedSong
    min_songs : int
        A genre with fewer songs is dropped.
    names : mapping of str to str, optional
        Other names for genres; an empty name drops the genre.

    Raises
    ------
    TeachingError
        If fewer than two genres are left, or more than 2,000.
    """
    given: Sequence[TaggedSong] = list(songs)
    labels = clean_labels([song.genres for song in given], min_songs=min_songs, names=names)
    if len(labels.genres) < 2:
        one = f"only one genre ({labels.genres[0]})" if labels.genres else "no genre"
        raise TeachingError(
            f"there is {one} with at least {min_songs} songs; "
            "at least two are needed: add songs, or lower --min-songs"
        )
    if len(labels.genres) > _MAX_GENRES:
        raise TeachingError(
            f"{len(labels.genres):,} genres are too many; raise --min-songs, or merge with --map"
        )
    kept = [
        (song, of_song) for song, of_song in zip(given, labels.of_songs, strict=True) if of_song
    ]
    targets = np.zeros((len(kept), len(labels.genres)), np.float32)
    for row, (_, of_song) in enumerate(kept):
        targets[row, list(of_song)] = 1 / len(of_song)
    of_artist = Counter((song.group, of_song) for song, of_song in kept)
    weights = [
        (CORRECTED if song.corrected else 1.0)
        / (len(song.embeddings) * of_artist[song.group, of_song] ** 0.5)
        for song, of_song in kept
    ]
    n_windows = [len(song.embeddings) for song, _ in kept]
    return Examples(
        genres=labels.genres,
        paths=tuple(song.path for song, _ in kept),
        embeddings=np.concatenate([song.embeddings for song, _ in kept]).astype(np.float32),
        song=np.repeat(np.arange(len(kept)), n_windows),
        weights=np.repeat(np.array(weights, np.float32), n_windows),
        targets=targets,
        groups=np.array([song.group for song, _ in kept]),
        labels=labels,
    )
