"""A song of a library: what is known of its file, and what was found out of its sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.result import Failure, GenreProbability, Result

Array = NDArray[np.float32]


class Tags(NamedTuple):
    """What a file says of itself; several values are joined by ``"; "``, None is no value."""

    artist: str | None = None
    title: str | None = None
    album: str | None = None
    genre: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What follows from the content of a file, wherever the file lies.

    Attributes
    ----------
    hash : bytes
        `topgenre.library.analysis.file_hash` of the file.
    result : Result
    embedding : ndarray of float32, shape (n_embedding,)
        Similar sounds have nearby embeddings; see `topgenre.classifier.Prediction`.
    tags : Tags
    """

    hash: bytes
    result: Result
    embedding: Array
    tags: Tags


@dataclass(frozen=True, slots=True, eq=False)
class Song:
    """A row of the catalogue.

    Attributes
    ----------
    path : str
        Absolute. Bytes that are no characters stand as `os.fsdecode` gives them.
    size, mtime_ns : int
        Bytes, and time of the last change in nanoseconds, when the file was scanned.
    missing : bool
        Whether the file was gone when it was last looked for.
    scanned_at : str
        Time in UTC, as ISO 8601 has it.
    model_hash : bytes
        SHA-256 of the model file.
    analysis : Analysis or None
        None for a file that cannot be classified.
    error_code, error : str or None
        Why it cannot be classified.
    """

    path: str
    size: int
    mtime_ns: int
    missing: bool
    scanned_at: str
    model_hash: bytes
    analysis: Analysis | None
    error_code: str | None = None
    error: str | None = None

    @classmethod
    def of(
        cls, path: str, size: int, mtime_ns: int, model: bytes, found: Analysis | Failure
    ) -> Song:
        """Return the row for a file that was classified, or failed, just now."""
        now = utc(datetime.now(UTC))
        if isinstance(found, Failure):
            failure = found.error.code, str(found.error)
            return cls(path, size, mtime_ns, False, now, model, None, *failure)
        return cls(path, size, mtime_ns, False, now, model, found)


# The fields that `Listed.of` takes; see `topgenre.library.fields`.
LISTED = (
    *("path", "hash", "artist", "title", "duration", "uncertain"),
    *("genre_1", "probability_1", "genre_2", "probability_2", "genre_3", "probability_3"),
)


class Listed(NamedTuple):
    """A song as playlists, reports and recommendations list it.

    Attributes
    ----------
    path : str
    hash : bytes
    artist, title : str or None
    duration : float or None
        Seconds.
    uncertain : bool
    genres : tuple of GenreProbability
        The three most probable, best first.
    """

    path: str
    hash: bytes
    artist: str | None
    title: str | None
    duration: float | None
    uncertain: bool
    genres: tuple[GenreProbability, ...]

    @classmethod
    def of(cls, values: Sequence[Any]) -> Listed:
        """Return the song whose fields `LISTED` have these values."""
        path, content, artist, title, duration, uncertain, *ranked = values
        genres = tuple(map(GenreProbability, ranked[::2], ranked[1::2]))
        if None in ranked:  # a model of less than three genres, or a file that failed
            genres = tuple(pair for pair in genres if pair.genre is not None)
        return cls(path, content, artist, title, duration, uncertain, genres)

    @property
    def name(self) -> str:
        """The song's name in lists."""
        return song_name(self.path, self.artist, self.title)


def song_name(path: str, artist: str | None, title: str | None) -> str:
    """Return who plays what, or the file's name where the tags do not say.

    Examples
    --------
    >>> song_name("/music/a.mp3", "Ann", "Song"), song_name("/music/a.mp3", None, None)
    ('Ann - Song', 'a')
    """
    title = title or Path(path).stem
    return f"{artist} - {title}" if artist else title


def utc(time: datetime) -> str:
    """Write a time in UTC as ISO 8601 has it."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
