"""What is known of a song, however it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.result import Failure, Result


class Tags(NamedTuple):
    """What a file says of itself; None where it says nothing."""

    artist: str | None = None
    title: str | None = None
    album: str | None = None
    genre: str | None = None

    def name(self, path: str) -> str:
        """Return what the song in a file is called in lists: who plays what, or the file's name."""
        title = self.title or Path(path).stem
        return f"{self.artist} - {title}" if self.artist else title


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What follows from the content of a file, wherever the file lies.

    Attributes
    ----------
    hash : bytes
        SHA-256 of the whole file.
    result : Result
    embedding : ndarray of float32, shape (n_embedding,)
        Where the sound lies among others; see `topgenre.classifier.Prediction`.
    tags : Tags
    """

    hash: bytes
    result: Result
    embedding: NDArray[np.float32]
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
        None of a file that cannot be judged.
    error_code, error : str or None
        Why it cannot be judged.
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
        """Return the row that says what has just come of a file."""
        now = written(datetime.now(UTC))
        if isinstance(found, Failure):
            failure = found.error.code, str(found.error)
            return cls(path, size, mtime_ns, False, now, model, None, *failure)
        return cls(path, size, mtime_ns, False, now, model, found)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        found = self.analysis
        result = found.result if found else None
        tags = found.tags if found else Tags()
        return {
            "path": self.path,
            "hash": found.hash.hex() if found else None,
            "size": self.size,
            "modified_at": _date(self.mtime_ns),
            "missing": self.missing,
            "scanned_at": self.scanned_at,
            "model": result.model if result else None,
            "model_hash": self.model_hash.hex(),
            "genres": [genre.to_dict() for genre in result.genres] if result else None,
            "uncertain": result.uncertain if result else None,
            "segment": {"start": round(result.start, 3), "end": round(result.end, 3)}
            if result
            else None,
            "duration": round(result.duration, 3) if result and result.duration else None,
            "notices": list(result.notices) if result else [],
            "artist": tags.artist,
            "title": tags.title,
            "album": tags.album,
            "genre_tag": tags.genre,
            "error": None
            if self.error_code is None
            else {"type": self.error_code, "message": self.error},
        }


def written(time: datetime) -> str:
    """Write a time in UTC as ISO 8601 has it."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _date(mtime_ns: int) -> str | None:
    """Write the time of a file's last change, unless it is one that no calendar knows."""
    try:
        return written(datetime.fromtimestamp(mtime_ns // 10**9, UTC))
    except (ValueError, OverflowError, OSError):
        return None
