"""Store every song of a library in a catalogue, one SQLite file.

The schema follows from `topgenre.library.fields` and is documented in ``docs/catalogue.md``. Every
change is committed at once, so a process that is killed loses only the files in progress.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.errors import CatalogueError, ModelError
from topgenre.library import fields
from topgenre.library.corrections import Correction, Corrections
from topgenre.library.database import default_path, paths_inside
from topgenre.library.find import is_gone
from topgenre.library.song import LISTED, Analysis, Array, Listed, Song
from topgenre.result import Failure

_ROWS_AT_ONCE = 1000
_MANY_COPIES = 20  # most copies of a content to check for a file that has moved

_STORED = tuple(field.name for field in fields.STORED)
_CLASSIFIED = "model_hash = ? AND error_code IS NULL AND NOT missing"

__all__ = ["Catalogue", "Correction", "Embeddings", "Stamp", "Stored", "default_path", "model_hash"]

Stored = Literal["classified", "unchanged", "moved", "copied"]


class Stamp(NamedTuple):
    """State of a file, which tells whether to scan it again."""

    size: int
    mtime_ns: int
    model_hash: bytes
    failed: bool
    missing: bool


class Totals(NamedTuple):
    """Songs that have something in common, added up.

    Attributes
    ----------
    missing : bool
    error_code : str or None
    other_model : bool
        Whether another model classified them.
    genre : str or None
        Their top genre; None if they failed.
    uncertain : bool or None
    tenth : int or None
        The tenth of 0 to 1 in which the probability of the top genre lies, counted from 0.
    songs, known_lengths : int
        How many they are, and of how many the length is known.
    seconds, probability : float
        Sums of the lengths, and of the probabilities of the top genre.
    """

    missing: bool
    error_code: str | None
    other_model: bool
    genre: str | None
    uncertain: bool | None
    tenth: int | None
    songs: int
    known_lengths: int
    seconds: float
    probability: float


class Embeddings(NamedTuple):
    """A block of embeddings.

    Attributes
    ----------
    ids : ndarray of int64, shape (n,)
        Ids for `Catalogue.song`.
    vectors : ndarray of float32, shape (n, n_embedding)
    """

    ids: NDArray[np.int64]
    vectors: Array


def model_hash(model: str | os.PathLike[str] | None = None) -> bytes:
    """Return the SHA-256 of a model file, or of the bundled one.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    from importlib import resources

    shipped = resources.files("topgenre") / "model" / "topgenre.onnx"
    try:
        data = shipped.read_bytes() if model is None else Path(model).read_bytes()
    except OSError as error:
        raise ModelError(
            f"{model or shipped}: the model cannot be read ({error.strerror}); "
            "name one that `topgenre train` wrote"
        ) from error
    return hashlib.sha256(data).digest()


class Catalogue(Corrections):
    """An open catalogue, for one thread at a time.

    Parameters
    ----------
    path : path-like, optional
        SQLite file; by default `default_path`. A missing file is created, an older version is
        migrated.
    read_only : bool
        Whether to open the file, which must exist, for reading only.

    Raises
    ------
    CatalogueError
        If the file cannot be used; all methods raise this too.
    """

    # Reads of a scan.

    def stamp(self, path: str) -> Stamp | None:
        """Return the stamp of the file at a path, or None."""
        row = self._all(
            "SELECT size, mtime_ns, model_hash, error_code IS NOT NULL, missing "
            "FROM songs WHERE path = ?",
            os.fsencode(path),
        )
        return Stamp(*row[0][:3], *map(bool, row[0][3:])) if row else None

    def find(self, content: bytes, model: bytes) -> Analysis | None:
        """Return a model's analysis of a content, whatever the path of the file.

        Parameters
        ----------
        content, model : bytes
            `topgenre.library.analysis.file_hash` of a music file, and `model_hash` of a model.
        """
        rows = self._select(_STORED, "hash = ? AND model_hash = ? LIMIT 1", content, model)
        return self._song(rows[0]).analysis if rows else None

    def below(self, path: str) -> Iterator[tuple[str, bool]]:
        """Yield the paths in a folder, or the path itself, with whether they are missing."""
        stamp = self.stamp(path)
        if stamp:
            yield path, stamp.missing
        yield from self.rows(("path", "missing"), folder=path)

    # Writes of a scan.

    def add(
        self, path: str, size: int, mtime_ns: int, model: bytes, found: Analysis | Failure
    ) -> Stored:
        """Store the outcome of a file, replacing its former row.

        Returns
        -------
        {"classified", "unchanged", "moved", "copied"}
            "unchanged" if the catalogue had the same content at this path; "moved" if it had it
            at the path of a file that is gone, whose row is replaced; "copied" if it had it at
            another path; otherwise "classified".
        """
        song = Song.of(path, size, mtime_ns, model, found)
        values = fields.row_of(song)
        names = ", ".join(field.name for field in fields.FIELDS)
        with self._explained(), self._transaction():
            stored: Stored = "classified"
            if song.analysis is not None:
                stored = self._same(os.fsencode(path), song.analysis.hash, model)
            marks = ", ".join("?" * len(values))
            self._run(f"REPLACE INTO songs ({names}) VALUES ({marks})", *values)
        return stored

    def _same(self, path: bytes, content: bytes, model: bytes) -> Stored:
        """Look a content up, and remove the row of a file that has moved to `path`."""
        same = self._run(
            "SELECT path FROM songs WHERE hash = ? AND model_hash = ? "
            "ORDER BY path = ? DESC, missing DESC LIMIT ?",
            *(content, model, path, _MANY_COPIES),
        ).fetchall()
        for (other,) in same:
            if other == path:
                return "unchanged"
            if is_gone(os.fsdecode(other)):
                self._run("DELETE FROM songs WHERE path = ?", other)
                return "moved"
        return "copied" if same else "classified"

    def mark(self, path: str, *, missing: bool) -> None:
        """Mark a file as missing, or as found again."""
        self._all("UPDATE songs SET missing = ? WHERE path = ?", missing, os.fsencode(path))

    def prune(self) -> int:
        """Remove the rows of missing files, and return their number."""
        with self._explained():
            return self._run("DELETE FROM songs WHERE missing").rowcount

    # Reads of all other commands.

    def count(self) -> int:
        """Count the classified songs that are not missing."""
        return self._count("NOT missing AND error_code IS NULL")

    def other_models(self, model: bytes) -> int:
        """Count the songs that another model has classified."""
        return self._count("model_hash != ? AND error_code IS NULL AND NOT missing", model)

    def tally(self, model: bytes) -> list[tuple[str, int]]:
        """Count the songs by top genre, the most frequent first; "" means not sure."""
        return self._all(
            "SELECT CASE WHEN uncertain THEN '' ELSE genre_1 END AS genre, count(*) AS songs "
            f"FROM songs WHERE {_CLASSIFIED} GROUP BY genre ORDER BY songs DESC, genre",
            model,
        )

    def totals(self, model: bytes, *, folder: str | None = None) -> Iterator[Totals]:
        """Yield the totals of all songs, or of those in a folder; `model` is not another one."""
        inside, ends = _inside(folder)
        rows = self._all(
            "SELECT missing, error_code, model_hash != ?, genre_1, uncertain, "
            "CASE typeof(probability_1) WHEN 'real' "
            "THEN min(CAST(probability_1 * 10 AS INTEGER), 9) END, "
            "count(*), count(duration), total(duration), total(probability_1) "
            f"FROM songs WHERE {inside} GROUP BY 1, 2, 3, 4, 5, 6",
            *(model, *ends),
        )
        return map(Totals._make, rows)

    def ends(self, model: bytes) -> list[str]:
        """Return the first and the last path of what a model classified, or failed to."""
        first = (
            "SELECT path FROM songs WHERE NOT missing "
            "AND (error_code IS NOT NULL OR model_hash = ?) ORDER BY path"
        )
        rows = [*self._all(f"{first} LIMIT 1", model), *self._all(f"{first} DESC LIMIT 1", model)]
        with self._explained():
            return [os.fsdecode(path) for (path,) in rows]

    def genres(self, model: bytes) -> tuple[str, ...]:
        """Return the genres of a model; empty if it has not classified any song here."""
        rows = self._select(_STORED, f"{_CLASSIFIED} LIMIT 1", model)
        analysis = self._song(rows[0]).analysis if rows else None
        known = dict(analysis.result.genres) if analysis else {}
        # With very many taught genres, a song stores only the most probable ones.
        first = self._all(f"SELECT DISTINCT genre_1 FROM songs WHERE {_CLASSIFIED}", model)
        return tuple(dict.fromkeys([*known, *(genre for (genre,) in first)]))

    def songs(self, *, folder: str | None = None) -> Iterator[Song]:
        """Yield all songs, or those in a folder, in the order of their paths' bytes.

        Parameters
        ----------
        folder : str, optional
            Only songs below this folder; an absolute path.
        """
        pages = self._pages(_STORED, "TRUE", folder=folder)
        return (self._song(row) for rows in pages for row in rows)

    def failures(self, *, folder: str | None = None) -> Iterator[Song]:
        """Yield the songs whose files exist but could not be classified."""
        pages = self._pages(_STORED, "error_code IS NOT NULL AND NOT missing", folder=folder)
        return (self._song(row) for rows in pages for row in rows)

    def rows(
        self,
        names: Sequence[str],
        *,
        model: bytes | None = None,
        threshold: float | None = 0.0,
        folder: str | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        """Yield some fields of many songs, in the order of their paths' bytes.

        Parameters
        ----------
        names : sequence of str
            Names of `topgenre.library.fields.FIELDS`.
        model : bytes, optional
            Only songs that this model has classified and that are not missing; by default, all.
        threshold : float, optional
            Least probability of the top genre; None selects the songs that are not uncertain.
        folder : str, optional
            Only songs below this folder; an absolute path.
        """
        condition = "TRUE"
        values: list[Any] = []
        if model is not None:
            condition, values = _CLASSIFIED, [model]
            condition += " AND NOT uncertain" if threshold is None else " AND probability_1 >= ?"
            values += [] if threshold is None else [threshold]
        for rows in self._pages(names, condition, *values, folder=folder):
            yield from self._loaded(names, rows, optional=model is None)

    def sample(
        self,
        names: Sequence[str],
        model: bytes,
        most: int,
        *,
        tagged: bool = False,
        folder: str | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        """Yield some fields of a random sample of songs, always the same one.

        Parameters
        ----------
        names : sequence of str
            Names of `topgenre.library.fields.FIELDS`.
        model : bytes
            Only songs that this model has classified and that are not missing.
        most : int
            Most songs.
        tagged : bool
            Only songs with a genre tag, or a genre that the user has corrected.
        folder : str, optional
            Only songs below this folder; an absolute path.
        """
        condition = _CLASSIFIED
        if tagged:
            corrected = " OR path IN (SELECT path FROM corrections)" if self.corrections() else ""
            condition += f" AND (genre_tag IS NOT NULL{corrected})"
        # A digest is as good as a random number.
        return self._first(names, condition, "hash, id", most, model, folder=folder)

    def least_sure(self, model: bytes, most: int, *, folder: str | None = None) -> Iterator[Listed]:
        """Yield the uncertain songs, the least probable first."""
        condition = f"{_CLASSIFIED} AND uncertain"
        order = "probability_1, path"
        return map(Listed.of, self._first(LISTED, condition, order, most, model, folder=folder))

    def surest(self, genre: str, model: bytes) -> Iterator[Listed]:
        """Yield the surest songs of a genre, the most probable first, up to a limit."""
        condition = f"{_CLASSIFIED} AND genre_1 = ? AND NOT uncertain"
        order = "probability_1 DESC, path"
        return map(Listed.of, self._first(LISTED, condition, order, _ROWS_AT_ONCE, model, genre))

    def _first(
        self,
        names: Sequence[str],
        condition: str,
        order: str,
        most: int,
        *values: Any,
        folder: str | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        inside, ends = _inside(folder)
        condition += f" AND {inside} ORDER BY {order} LIMIT {most}"
        rows = self._select(names, condition, *values, *ends)
        return self._loaded(names, rows, optional=False)

    def _loaded(
        self, names: Sequence[str], rows: list[tuple[Any, ...]], *, optional: bool
    ) -> Iterator[tuple[Any, ...]]:
        with self._explained():
            columns = [
                fields.BY_NAME[name].load_all(column, optional=optional)
                for name, column in zip(names, zip(*rows, strict=True), strict=False)
            ]
        return zip(*columns, strict=True)

    def song(self, number: int) -> Song:
        """Return the song with an id from `embeddings`."""
        rows = self._select(_STORED, "id = ?", number)
        if not rows:
            raise CatalogueError(f"{self.path}: a song was removed meanwhile; try again")
        return self._song(rows[0])

    def embeddings(
        self, model: bytes, *, genre: str | None = None, folder: str | None = None
    ) -> Iterator[Embeddings]:
        """Yield the embeddings of a model in blocks, without missing songs.

        Parameters
        ----------
        model : bytes
            SHA-256 of the model file.
        genre : str, optional
            Only songs with this top genre.
        folder : str, optional
            Only songs below this folder; an absolute path.
        """
        condition = f"id > ? AND {_CLASSIFIED}"
        values: list[str | bytes] = [model]
        if genre is not None:
            condition += " AND genre_1 = ?"
            values.append(genre)
        inside, ends = _inside(folder)
        condition += f" AND {inside} ORDER BY id LIMIT {_ROWS_AT_ONCE}"
        load_all = fields.BY_NAME["embedding"].load_all
        last = 0
        while rows := self._select(("id", "embedding"), condition, last, *values, *ends):
            with self._explained():
                vectors = np.stack(load_all([blob for _, blob in rows]))
            yield Embeddings(np.array([number for number, _ in rows], np.int64), vectors)
            last = rows[-1][0]

    def embedding(self, path: str) -> Array:
        """Return the embedding of the song at a path."""
        rows = self._select(("embedding",), "path = ?", os.fsencode(path))
        if not rows:
            raise CatalogueError(f"{self.path}: a song was removed meanwhile; try again")
        with self._explained():
            vector: Array = fields.BY_NAME["embedding"].load(rows[0][0])
        return vector

    # Helpers.

    def _pages(
        self, names: Sequence[str], condition: str, *values: Any, folder: str | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        # Page by page: an open query would block checkpoints of the write-ahead log.
        last, end = (b"", None) if folder is None else paths_inside(folder)
        where = f"path > ? AND ({condition})" + ("" if end is None else " AND path < ?")
        ends = () if end is None else (end,)
        while rows := self._select(
            (*names, "path"), f"{where} ORDER BY path LIMIT {_ROWS_AT_ONCE}", last, *values, *ends
        ):
            last = rows[-1][-1]
            yield [row[:-1] for row in rows]

    def _count(self, condition: str, *values: Any) -> int:
        with self._explained():
            return int(self._value(f"SELECT count(*) FROM songs WHERE {condition}", *values))

    def _song(self, row: Sequence[Any]) -> Song:
        with self._explained():
            return fields.song_of(row)


def _inside(folder: str | None) -> tuple[str, tuple[bytes, ...]]:
    """Return the condition that a song is in a folder, and its values."""
    return ("TRUE", ()) if folder is None else ("path >= ? AND path < ?", paths_inside(folder))
