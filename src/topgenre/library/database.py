"""Open and migrate the catalogue's SQLite file, and explain its errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from topgenre.errors import CatalogueError
from topgenre.files import user_file
from topgenre.library import fields
from topgenre.library.find import is_gone

APPLICATION_ID = 0x746F7067  # "topg" marks catalogues among SQLite files
SCHEMA_VERSION = 2

_PAGE_BYTES = 16_384  # of a new file: half the time to read all songs, and a fifth less space
_OPENING_PATIENCE = 3.0  # s to wait for a lock while the user waits for the start
_WORKING_PATIENCE = 60.0  # s to wait when hours of work are at stake

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS songs (id INTEGER PRIMARY KEY, {fields.schema()});
CREATE INDEX IF NOT EXISTS songs_by_hash ON songs (hash);
CREATE INDEX IF NOT EXISTS songs_with_errors ON songs (path) WHERE error_code IS NOT NULL;
CREATE TABLE IF NOT EXISTS corrections (
    path BLOB NOT NULL PRIMARY KEY, hash BLOB, genre TEXT NOT NULL, corrected_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS corrections_by_hash ON corrections (hash);
"""


def default_path() -> Path:
    """Return the default path of the catalogue."""
    return user_file("catalogue.sqlite3")


class Database:
    """An open SQLite file with the schema of the catalogue."""

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
        """Return how to open for reading: without locks in a read-only folder."""
        log = self.path.with_name(f"{self.path.name}-wal")
        if os.access(self.path.parent, os.W_OK) or log.exists():
            return "mode=rw"
        return "immutable=1"

    def _open(self, read_only: bool) -> None:
        version = self._version()
        if read_only:
            self._run("PRAGMA query_only = ON")
            if not version:
                raise self._not_ours()
        else:
            # So that readers do not wait for the writer, where the file system supports it.
            if not version:
                self._run(f"PRAGMA page_size = {_PAGE_BYTES}")
                self._run("PRAGMA journal_mode = WAL")
            # Before hours of work begin, find out whether another program has locked the file.
            with self._transaction():
                self._bring_up_to_date()
        self._columns = {row[1] for row in self._run("PRAGMA table_info(songs)")}
        self._run("PRAGMA synchronous = NORMAL")
        self._run(f"PRAGMA busy_timeout = {1000 * _WORKING_PATIENCE:.0f}")

    def _version(self) -> int:
        """Return the version of the schema, 0 for a new file; refuse foreign files."""
        if not self._value("SELECT count(*) FROM sqlite_master"):
            return 0
        if self._value("PRAGMA application_id") != APPLICATION_ID:
            raise self._not_ours()
        version = int(self._value("PRAGMA user_version"))
        if not 1 <= version <= SCHEMA_VERSION:
            raise CatalogueError(
                f"{self.path}: a catalogue of version {version}, and this topgenre knows version "
                f"{SCHEMA_VERSION}; update topgenre, or name another file"
            )
        return version

    def _bring_up_to_date(self) -> None:
        """Add what the schema lacks; stored data stays."""
        if self._version() == SCHEMA_VERSION:
            return
        for statement in filter(str.strip, _SCHEMA.split(";")):
            self._run(statement)
        there = {row[1] for row in self._run("PRAGMA table_info(songs)")}
        for field in fields.FIELDS:
            if field.name not in there:
                self._run(f"ALTER TABLE songs ADD COLUMN {field.name} {field.kind.sql}")
        self._run(f"PRAGMA application_id = {APPLICATION_ID}")
        self._run(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def overlay(self, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Show this connection other values in some columns; the file does not change.

        Parameters
        ----------
        names : sequence of str
            Columns of `topgenre.library.fields.FIELDS`.
        rows : iterable of sequence
            For each song its id and the values of `names`. Other songs keep theirs.
        """
        mine = self._columns
        kept = [name for name in ("id", *fields.BY_NAME) if name in mine and name not in names]
        seen = [f"iif(o.id IS NULL, s.{n}, o.{n}) AS {n}" for n in names if n in mine]
        seen += [f"o.{name}" for name in names if name not in mine]
        marks = ", ".join("?" * (1 + len(names)))
        with self._explained():
            self._run("PRAGMA query_only = OFF")
            self._run(f"CREATE TEMP TABLE overlay (id INTEGER PRIMARY KEY, {', '.join(names)})")
            self._run("BEGIN")
            self._database.executemany(f"INSERT INTO temp.overlay VALUES ({marks})", rows)
            self._run("COMMIT")
            # A view of this name takes the place of the table in all queries.
            self._run(
                f"CREATE TEMP VIEW songs AS SELECT {', '.join([f's.{n}' for n in kept] + seen)} "
                "FROM main.songs AS s LEFT JOIN temp.overlay AS o ON o.id = s.id"
            )
            self._run("PRAGMA query_only = ON")
        self._columns = mine | set(names)

    def damaged(self) -> CatalogueError:
        """Return the error for impossible values."""
        return CatalogueError(f"{self.path}: {_DAMAGED}")

    def _not_ours(self) -> CatalogueError:
        return CatalogueError(f"{self.path}: not a topgenre catalogue; name another file")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._explained():
            self._database.close()

    def _select(self, names: Sequence[str], condition: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read columns; those that an older catalogue lacks are NULL."""
        known = self._columns
        columns = ", ".join(name if name in known else f"NULL AS {name}" for name in names)
        return self._all(f"SELECT {columns} FROM songs WHERE {condition}", *values)

    def _all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._explained():
            return self._run(statement, *values).fetchall()

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
            # After a full disk, SQLite has rolled back already.
            if self._database.in_transaction:
                self._run("ROLLBACK")
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of SQLite, and impossible values, into a CatalogueError."""
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:
            raise CatalogueError(f"{self.path}: {_explain(error)}") from error


_DAMAGED = "it is damaged, or not a catalogue; keep it, and use another file"
_LOCKED = "another program has locked it; wait until it has finished, and try again"
_FULL = "the disk is full; free some space and run the same command: stored results are kept"

_EXPLANATIONS = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


def _explain(error: Exception) -> str:
    if isinstance(error, ValueError | TypeError):
        return _DAMAGED
    if isinstance(error, OSError):
        reason: str | None = error.strerror or type(error).__name__
    else:
        # Errors of Python's module itself have no code: undecodable text in a damaged row.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        reason = _EXPLANATIONS.get(code & 0xFF)
        if reason:
            return reason
        reason = str(error)
    return f"the catalogue cannot be used ({reason}); check the disk, the folder and permissions"


def paths_inside(folder: str) -> tuple[bytes, bytes]:
    """Return the range of paths in a folder: the first one, and the first one beyond."""
    begin = os.fsencode(os.path.join(folder, ""))  # noqa: PTH118 - pathlib drops the last slash
    return begin, begin[:-1] + bytes([begin[-1] + 1])
