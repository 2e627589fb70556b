"""Keep the genres that the user gave to songs of a catalogue."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import NamedTuple

from topgenre.library.database import Database
from topgenre.library.song import utc


class Correction(NamedTuple):
    """A genre that the user gave to a song.

    Attributes
    ----------
    path : str
    hash : bytes or None
        Hash of the content at that time, which identifies the song if it is renamed.
    genre : str
    corrected_at : str
        UTC time in ISO 8601.
    """

    path: str
    hash: bytes | None
    genre: str
    corrected_at: str


class Corrections(Database):
    """The corrections in a catalogue; they survive rescans."""

    def correct(self, path: str, genre: str) -> None:
        """Correct the genre of a song; the correction survives rescans."""
        name = os.fsencode(path)
        self._all(
            "REPLACE INTO corrections VALUES (?, (SELECT hash FROM songs WHERE path = ?), ?, ?)",
            *(name, name, genre, utc(datetime.now(UTC))),
        )

    def corrections(self) -> list[Correction]:
        """Return all corrections, the oldest first."""
        if not self._all("SELECT 1 FROM sqlite_master WHERE name = 'corrections'"):
            return []  # an older version, opened for reading only
        rows = self._all(
            "SELECT path, hash, genre, corrected_at FROM corrections ORDER BY corrected_at, path"
        )
        return [Correction(os.fsdecode(path), *rest) for path, *rest in rows]

    def corrected(self) -> tuple[dict[str, str], dict[bytes, str]]:
        """Return the genres that the user has corrected, by path and by content hash."""
        corrections = self.corrections()
        return (
            {correction.path: correction.genre for correction in corrections},
            {correction.hash: correction.genre for correction in corrections if correction.hash},
        )

    def correct_content(self, content: bytes, genre: str) -> bool:
        """Correct the genre of all songs with this content; return whether there are any."""
        rows = self._all("SELECT path FROM songs WHERE hash = ? AND NOT missing", content)
        for (path,) in rows:
            self.correct(os.fsdecode(path), genre)
        return bool(rows)

    def follow_content(self, old: bytes, new: bytes) -> None:
        """Move corrections to the new hash of a file whose tags have changed."""
        self._all("UPDATE corrections SET hash = ? WHERE hash = ?", new, old)
