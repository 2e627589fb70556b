"""Define a song of a library: its file, its tags and its analysis."""

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
    """Tags of a file; several values are joined by ``"; "``, None is a missing tag."""

    artist: str | None = None
    title: str | None = None
    album: str | None = None
    genre: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Analysis of a file's content; it does not depend on the path.

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
        Absolute path; undecodable bytes are represented as `os.fsdecode` does.
    size, mtime_ns : int
        Size in bytes and modification time in nanoseconds when the file was scanned.
    missing : bool
        Whether the last scan did not find the file.
    scanned_at : str
        UTC time in ISO 8601.
    model_hash : bytes
        SHA-256 of the model file.
    analysis : Analysis or None
        None for a file that failed.
    error_code, error : str or None
        Why it failed.
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
        """Return the row of a file that was classified, or failed, just now."""
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
        """Build a song from the values of the fields `LISTED`."""
        path, content, artist, title, duration, uncertain, *ranked = values
        genres = tuple(map(GenreProbability, ranked[::2], ranked[1::2]))
        if None in ranked:  # a model of fewer than three genres, or a file that failed
            genres = tuple(pair for pair in genres if pair.genre is not None)
        return cls(path, content, artist, title, duration, uncertain, genres)

    @property
    def name(self) -> str:
        """Name in lists."""
        return song_name(self.path, self.artist, self.title)


def song_name(path: str, artist: str | None, title: str | None) -> str:
    """Return "Artist - Title", or the file's name if the tags lack a title.

    Examples
    --------
    >>> song_name("/music/a.mp3", "Ann", "Song"), song_name("/music/a.mp3", None, None)
    ('Ann - Song', 'a')
    """
    title = title or Path(path).stem
    return f"{artist} - {title}" if artist else title


def utc(time: datetime) -> str:
    """Format a UTC time as ISO 8601."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
