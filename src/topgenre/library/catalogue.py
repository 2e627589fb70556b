"""The catalogue: what is known of every song of a library, in one SQLite file.

The schema is documented in ``docs/catalogue.md``. Every change is committed at once, so that a
process that is killed takes nothing with it but what it had in hand.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.errors import CatalogueError, ModelError
from topgenre.library.find import is_gone
from topgenre.library.song import Analysis, Song, Tags, written
from topgenre.result import Failure, GenreProbability, Result

APPLICATION_ID = 0x746F7067  # "topg": tells a catalogue from any other SQLite file
SCHEMA_VERSION = 1

_OPENING_PATIENCE = 3.0  # s to wait for a lock when somebody waits for the command to start
_WORKING_PATIENCE = 60.0  # s to wait when the work of hours is at stake
_ROWS_AT_ONCE = 1000
_MANY_COPIES = 20  # of one content: no more are looked at for one that has moved

_SCHEMA = """
CREATE TABLE songs (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    missing INTEGER NOT NULL DEFAULT 0,
    scanned_at TEXT NOT NULL,
    model_hash BLOB NOT NULL,
    error_code TEXT,
    error TEXT,
    hash BLOB,
    model TEXT,
    duration REAL,
    segment_start REAL,
    segment_end REAL,
    genre_1 TEXT,
    probability_1 REAL,
    genre_2 TEXT,
    probability_2 REAL,
    genre_3 TEXT,
    probability_3 REAL,
    probabilities TEXT,
    uncertain INTEGER,
    notices TEXT,
    artist TEXT,
    title TEXT,
    album TEXT,
    genre_tag TEXT,
    embedding BLOB
);
CREATE INDEX songs_by_hash ON songs (hash);
CREATE INDEX songs_with_errors ON songs (path) WHERE error_code IS NOT NULL;
"""

Array = NDArray[np.float32]
Stored = Literal["classified", "unchanged", "moved", "copied"]


class Stamp(NamedTuple):
    """What tells whether a file must be scanned anew."""

    size: int
    mtime_ns: int
    model_hash: bytes
    failed: bool
    missing: bool


class Embeddings(NamedTuple):
    """A block of songs to compare with.

    Attributes
    ----------
    ids : ndarray of int64, shape (n,)
        For `Catalogue.song`.
    vectors : ndarray of float32, shape (n, n_embedding)
    """

    ids: NDArray[np.int64]
    vectors: Array


def default_path() -> Path:
    """Return where a user's catalogue lies unless it is named: in the folder for user data."""
    from platformdirs import user_data_path

    return user_data_path("topgenre", appauthor=False) / "catalogue.sqlite3"


def model_hash(model: str | os.PathLike[str] | None = None) -> bytes:
    """Return the SHA-256 of a model file, or of the one that comes with the package.

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


class Catalogue:
    """An open catalogue, for one thread at a time.

    Parameters
    ----------
    path : path-like, optional
        SQLite file; by default `default_path`. A new one is made where there is none.
    read_only : bool
        Whether nothing may be changed; the file must be there then.

    Raises
    ------
    CatalogueError
        If the file cannot be used. So do all methods.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, read_only: bool = False
    ) -> None:
        self.path = Path(path) if path is not None else default_path()
        with self._explained():
            if read_only and is_gone(os.fspath(self.path)):
                raise CatalogueError(
                    f"{self.path}: there is no catalogue yet; make one with `topgenre scan FOLDER`"
                )
            if path is None and not read_only:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            how = self._how_to_read() if read_only else "mode=rwc"
            self._database = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?{how}",
                uri=True,
                timeout=_OPENING_PATIENCE,
                isolation_level=None,
            )
            try:
                self._open(read_only)
            except BaseException:
                self._database.close()
                raise

    def _how_to_read(self) -> str:
        """Read as others do, with files for locks beside the catalogue, or else without any."""
        log = self.path.with_name(f"{self.path.name}-wal")
        if os.access(self.path.parent, os.W_OK) or log.exists():
            return "mode=rw"
        return "immutable=1"

    def _open(self, read_only: bool) -> None:
        if read_only:
            self._run("PRAGMA query_only = ON")
        if not self._has_schema():
            if read_only:
                raise self._not_ours()
            self._create()
        if not read_only:
            # Whoever is about to work for hours learns now that another has locked the file.
            with self._transaction():
                pass
        self._run("PRAGMA synchronous = NORMAL")
        self._run(f"PRAGMA busy_timeout = {1000 * _WORKING_PATIENCE:.0f}")

    def _has_schema(self) -> bool:
        """Tell whether there are tables; refuse those that are not ours."""
        if not self._value("SELECT count(*) FROM sqlite_master"):
            return False
        if self._value("PRAGMA application_id") != APPLICATION_ID:
            raise self._not_ours()
        version = self._value("PRAGMA user_version")
        if version != SCHEMA_VERSION:
            raise CatalogueError(
                f"{self.path}: a catalogue of version {version}, and this topgenre knows version "
                f"{SCHEMA_VERSION}; update topgenre, or name another file"
            )
        return True

    def _create(self) -> None:
        # Readers do not wait for the writer then, where the file system can do it.
        self._run("PRAGMA journal_mode = WAL")
        with self._transaction():
            if self._has_schema():  # made by another process in this very moment
                return
            self._run(f"PRAGMA application_id = {APPLICATION_ID}")
            self._run(f"PRAGMA user_version = {SCHEMA_VERSION}")
            for statement in filter(str.strip, _SCHEMA.split(";")):
                self._run(statement)

    def _not_ours(self) -> CatalogueError:
        return CatalogueError(f"{self.path}: this is no catalogue of topgenre; name another file")

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._explained():
            self._database.close()

    def count(self) -> int:
        """Count the songs that are not missing and have been judged."""
        with self._explained():
            return int(
                self._value("SELECT count(*) FROM songs WHERE NOT missing AND error_code IS NULL")
            )

    # What a scan asks.

    def stamp(self, path: str) -> Stamp | None:
        """Return what is known of the file of this name."""
        with self._explained():
            row = self._run(
                "SELECT size, mtime_ns, model_hash, error_code IS NOT NULL, missing "
                "FROM songs WHERE path = ?",
                os.fsencode(path),
            ).fetchone()
        if row is None:
            return None
        size, mtime_ns, model, failed, missing = row
        return Stamp(size, mtime_ns, model, bool(failed), bool(missing))

    def find(self, content: bytes, model: bytes) -> Analysis | None:
        """Return what a model said of a content, wherever the file lay.

        Parameters
        ----------
        content, model : bytes
            SHA-256 of a music file, and of a model file.
        """
        with self._explained():
            row = self._run(
                f"SELECT {_COLUMNS} FROM songs WHERE hash = ? AND model_hash = ? LIMIT 1",
                content,
                model,
            ).fetchone()
        return None if row is None else self._song(row).analysis

    def below(self, path: str) -> Iterator[tuple[str, bool]]:
        """Give the paths in a folder, or the path itself, and whether they are missing."""
        stamp = self.stamp(path)
        if stamp:
            yield path, stamp.missing
        last, end = _inside(path)
        while True:
            with self._explained():
                rows = self._run(
                    "SELECT path, missing FROM songs WHERE path > ? AND path < ? "
                    "ORDER BY path LIMIT ?",
                    last,
                    end,
                    _ROWS_AT_ONCE,
                ).fetchall()
            if not rows:
                return
            for last, missing in rows:
                yield os.fsdecode(last), bool(missing)

    # What a scan finds.

    def add(
        self, path: str, size: int, mtime_ns: int, model: bytes, found: Analysis | Failure
    ) -> Stored:
        """Store what came of a file, in place of what was known of it.

        Returns
        -------
        {"classified", "unchanged", "moved", "copied"}
            Whether the same content was there before: under the same name; under that of a file
            which is gone, whose row this one replaces; or under that of one which is not.
        """
        columns: dict[str, Any] = {
            "path": os.fsencode(path),
            "size": size,
            "mtime_ns": mtime_ns,
            "missing": 0,
            "scanned_at": written(datetime.now(UTC)),
            "model_hash": model,
        }
        if isinstance(found, Failure):
            columns |= {"error_code": found.error.code, "error": str(found.error)}
        else:
            columns |= _columns(found)
        with self._explained(), self._transaction():
            stored: Stored = "classified"
            if not isinstance(found, Failure):
                stored = self._same(columns["path"], found.hash, model)
            names = ", ".join(columns)
            places = ", ".join("?" * len(columns))
            self._run(f"REPLACE INTO songs ({names}) VALUES ({places})", *columns.values())
        return stored

    def _same(self, path: bytes, content: bytes, model: bytes) -> Stored:
        """Say whether a content is known, and take the row away whose file has moved to `path`."""
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
        """Note that a file is gone, or back."""
        with self._explained():
            self._run("UPDATE songs SET missing = ? WHERE path = ?", missing, os.fsencode(path))

    def prune(self) -> int:
        """Remove the rows of missing files, and return how many there were."""
        with self._explained():
            return self._run("DELETE FROM songs WHERE missing").rowcount

    # What others ask.

    def songs(self, *, folder: str | None = None) -> Iterator[Song]:
        """Give all rows, or those in a folder, in the order of their paths' bytes.

        Parameters
        ----------
        folder : str, optional
            Only songs in this folder, or in a folder in it; an absolute path.
        """
        if folder is None:
            return self._pages("")
        begin, end = _inside(folder)
        return self._pages("AND path < ?", end, begin=begin)

    def surest(self, genre: str, model: bytes) -> Iterator[Song]:
        """Give songs that are there and surely of a genre, the most probable first; not all."""
        with self._explained():
            rows = self._run(
                f"SELECT {_COLUMNS} FROM songs WHERE genre_1 = ? AND model_hash = ? "
                "AND NOT uncertain AND NOT missing ORDER BY probability_1 DESC, path LIMIT ?",
                *(genre, model, _ROWS_AT_ONCE),
            ).fetchall()
        yield from map(self._song, rows)

    def failures(self) -> Iterator[Song]:
        """Give the rows of files that are there but could not be judged."""
        return self._pages("AND error_code IS NOT NULL AND NOT missing")

    def _pages(self, condition: str, *values: bytes, begin: bytes = b"") -> Iterator[Song]:
        # Page by page: an open query would keep a writer's log from being taken over.
        last = begin
        while True:
            with self._explained():
                rows = self._run(
                    f"SELECT {_COLUMNS} FROM songs WHERE path > ? {condition} "
                    "ORDER BY path LIMIT ?",
                    last,
                    *values,
                    _ROWS_AT_ONCE,
                ).fetchall()
            if not rows:
                return
            yield from map(self._song, rows)
            last = rows[-1][0]

    def song(self, number: int) -> Song:
        """Return the row with an id that `embeddings` gave."""
        with self._explained():
            row = self._run(f"SELECT {_COLUMNS} FROM songs WHERE id = ?", number).fetchone()
        if row is None:
            raise CatalogueError(f"{self.path}: a song was removed meanwhile; try again")
        return self._song(row)

    def embeddings(
        self, model: bytes, *, genre: str | None = None, folder: str | None = None
    ) -> Iterator[Embeddings]:
        """Give the embeddings that a model made, of songs that are not missing, in blocks.

        Parameters
        ----------
        model : bytes
            SHA-256 of the model file.
        genre : str, optional
            Only songs with this most probable genre.
        folder : str, optional
            Only songs in this folder, or in a folder in it; an absolute path.
        """
        condition, values = "model_hash = ? AND error_code IS NULL AND NOT missing", [model]
        more: list[str | bytes] = []
        if genre is not None:
            condition += " AND genre_1 = ?"
            more.append(genre)
        if folder is not None:
            condition += " AND path >= ? AND path < ?"
            more += _inside(folder)
        last = 0
        while True:
            with self._explained():
                rows = self._run(
                    f"SELECT id, embedding FROM songs WHERE id > ? AND {condition} "
                    "ORDER BY id LIMIT ?",
                    last,
                    *values,
                    *more,
                    _ROWS_AT_ONCE,
                ).fetchall()
            if not rows:
                return
            try:
                vectors = np.stack([np.frombuffer(blob, "<f4") for _, blob in rows])
            except (ValueError, TypeError) as error:
                raise CatalogueError(f"{self.path}: {_DAMAGED}") from error
            yield Embeddings(np.array([number for number, _ in rows], np.int64), vectors)
            last = rows[-1][0]

    def other_models(self, model: bytes) -> int:
        """Count the songs that have been judged by another model than this."""
        with self._explained():
            return int(
                self._value(
                    "SELECT count(*) FROM songs "
                    "WHERE model_hash != ? AND error_code IS NULL AND NOT missing",
                    model,
                )
            )

    # SQLite.

    def _run(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self._database.execute(statement, values)

    def _value(self, statement: str, *values: Any) -> Any:
        return self._run(statement, *values).fetchone()[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            # SQLite itself has rolled back what a full disk has stopped.
            if self._database.in_transaction:
                self._run("ROLLBACK")
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in one line what SQLite complains of."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CatalogueError(f"{self.path}: {_explain(error)}") from error

    def _song(self, row: Sequence[Any]) -> Song:
        try:
            return _song(row)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise CatalogueError(f"{self.path}: {_DAMAGED}") from error


_DAMAGED = "it is damaged, or no catalogue; keep it, and name another file to go on with"
_LOCKED = "another program has locked it; wait until that has ended, and try again"
_FULL = "the disk is full; make room, then give the same command: what was stored is kept"

_EXPLANATIONS = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


def _explain(error: sqlite3.Error | OSError) -> str:
    if isinstance(error, OSError):
        reason: str | None = error.strerror or type(error).__name__
    else:
        # What Python's own module raises has no code: text that is none, in a damaged row.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        reason = _EXPLANATIONS.get(code & 0xFF)
        if reason:
            return reason
        reason = str(error)
    return f"the catalogue cannot be used ({reason}); check the disk, the folder and permissions"


_N_RANKED = 3  # genres with columns of their own
_RANKED = [
    f"{what}_{place}" for place in range(1, _N_RANKED + 1) for what in ("genre", "probability")
]
_COLUMNS = (
    "path, size, mtime_ns, missing, scanned_at, model_hash, error_code, error, hash, model, "
    "duration, segment_start, segment_end, probabilities, uncertain, notices, artist, title, "
    "album, genre_tag, embedding"
)


def _columns(found: Analysis) -> dict[str, Any]:
    """Spread an analysis over the columns of a row."""
    result = found.result
    ranked = [value for genre in result.top(_N_RANKED) for value in genre]
    return {
        "hash": found.hash,
        "model": result.model,
        "duration": result.duration,
        "segment_start": result.start,
        "segment_end": result.end,
        **dict(zip(_RANKED, ranked, strict=False)),
        "probabilities": json.dumps(dict(result.genres)),
        "uncertain": int(result.uncertain),
        "notices": json.dumps(result.notices),
        "artist": found.tags.artist,
        "title": found.tags.title,
        "album": found.tags.album,
        "genre_tag": found.tags.genre,
        "embedding": found.embedding.astype("<f4").tobytes(),
    }


def _song(row: Sequence[Any]) -> Song:
    """Read a row of `_COLUMNS`."""
    path, size, mtime_ns, missing, scanned_at, model, error_code, error, content, *more = row
    path = os.fsdecode(path)
    analysis = None
    if error_code is None:
        name, duration, start, end, probabilities, uncertain, notices, *tags, embedding = more
        genres = json.loads(probabilities)
        analysis = Analysis(
            content,
            Result(
                path=path,
                genres=tuple(GenreProbability(*genre) for genre in genres.items()),
                uncertain=bool(uncertain),
                start=start,
                end=end,
                model=name,
                notices=tuple(json.loads(notices)),
                duration=duration,
            ),
            np.frombuffer(embedding, "<f4"),
            Tags(*tags),
        )
    return Song(path, size, mtime_ns, bool(missing), scanned_at, model, analysis, error_code, error)


def _inside(folder: str) -> tuple[bytes, bytes]:
    """Return the first path that may be in a folder, and the first that no longer is."""
    begin = os.fsencode(os.path.join(folder, ""))  # noqa: PTH118 - pathlib drops the last slash
    return begin, begin[:-1] + bytes([begin[-1] + 1])
