"""Keep the journal of written genres, from which every change can be undone.

The journal has one JSON object per line. A line is flushed to disk before its file changes. So a
line may belong to a change that never happened, which the file itself shows; but every change has
its line.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from topgenre.errors import TagError
from topgenre.files import lock, user_file
from topgenre.library.song import utc
from topgenre.tagging.formats import GenreTag

JOURNAL_VERSION = 2
_READABLE = (1, 2)  # version 1 stored the raw tags differently
_HEAD = b'{"version": '  # of every line


class Entry(NamedTuple):
    """A change that has not been undone.

    Attributes
    ----------
    id, run : str
        Identifiers of the change and of the run that made it.
    path : str
        The file, with links resolved.
    old, new : GenreTag
        Genre tags before and after.
    """

    id: str
    run: str
    path: str
    old: GenreTag
    new: GenreTag


def default_path() -> Path:
    """Return the default path of the journal."""
    return user_file("tag-journal.ndjson")


class Journal:
    """An open journal, for one program at a time.

    Parameters
    ----------
    path : path-like, optional
        By default `default_path`. A missing journal is created.
    must_exist : bool
        Whether a missing journal is an error.

    Raises
    ------
    TagError
        If the file is not a journal, or cannot be used. So do all methods.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, must_exist: bool = False
    ) -> None:
        self.path = Path(path) if path is not None else default_path()
        self._run = secrets.token_hex(8)
        self._whole = 0  # bytes of complete lines
        self._unended = False  # whether the last one lacks its line break
        with self._explained():
            if path is None and not must_exist:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._opened(must_exist)
            try:
                if lock(self._file) is False:
                    raise TagError(
                        f"{self.path}: another program is writing genres with this journal; "
                        "wait until it has ended, or name another one with --journal"
                    )
                self._entries = self._read()
            except BaseException:
                self._file.close()
                raise

    def _opened(self, must_exist: bool) -> FileIO:
        """Open the journal, which must be a regular file: a pipe might block for ever."""
        wanted = "name a file for the journal with --journal"
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise TagError(f"{self.path}: this is not a file; {wanted}")
        except FileNotFoundError as error:
            if self.path.is_symlink():
                raise TagError(f"{self.path}: this is a link to nowhere; {wanted}") from error
            if must_exist:
                raise TagError(
                    f"{self.path}: there is no journal of written genres; name it with --journal"
                ) from error
        return self.path.open("a+b", buffering=0)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close and unlock the file."""
        self._file.close()

    def note(self, path: str, old: GenreTag, new: GenreTag) -> None:
        """Store that a file is about to change."""
        entry = Entry(secrets.token_hex(8), self._run, path, old, new)
        self._append(
            {
                "version": JOURNAL_VERSION,
                "id": entry.id,
                "run": entry.run,
                "path": path,
                "old": {"genres": old.genres, "raw": old.raw},
                "new": {"genres": new.genres, "raw": new.raw},
            }
        )
        self._entries[entry.id] = entry

    def forget(self, entry: Entry) -> None:
        """Store that a change has been undone."""
        self._append({"version": JOURNAL_VERSION, "undone": entry.id})
        del self._entries[entry.id]

    def entries(self) -> list[Entry]:
        """Return the changes that have not been undone, the latest first."""
        return list(reversed(self._entries.values()))

    def _append(self, record: dict[str, Any]) -> None:
        record["time"] = utc(datetime.now(UTC))
        # ASCII can represent the bytes of any file name.
        line = b"\n" * self._unended + json.dumps(record).encode("ascii") + b"\n"
        with self._explained():
            # Remove the partial line of a program that was killed while writing it.
            if self._file.seek(0, os.SEEK_END) > self._whole:
                self._file.truncate(self._whole)
            try:
                if self._file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._file.fileno())
            except OSError:
                with suppress(OSError):
                    self._file.truncate(self._whole)
                raise
            self._whole += len(line)
            self._unended = False

    def _read(self) -> dict[str, Entry]:
        self._file.seek(0)
        head = self._file.read(len(_HEAD))
        if not _HEAD.startswith(head):
            raise self._damaged(1)
        self._file.seek(0)
        entries: dict[str, Entry] = {}
        *lines, last = self._file.readall().split(b"\n")
        for number, line in enumerate(lines, 1):
            try:
                self._take(line, number, entries)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                raise self._damaged(number) from error
            self._whole += len(line) + 1
        if not (_HEAD.startswith(last[: len(_HEAD)]) and last.isascii()):
            raise self._damaged(len(lines) + 1)
        # A partial last line is from a program that was killed before it changed the file. But an
        # editor may have removed the line break of a complete line.
        with suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
            self._take(last, len(lines) + 1, entries)
            self._whole += len(last)
            self._unended = True
        return entries

    def _take(self, line: bytes, number: int, entries: dict[str, Entry]) -> None:
        record = json.loads(line)
        if record["version"] not in _READABLE:
            raise TagError(
                f"{self.path}: line {number} is of version {record['version']}, and this "
                f"topgenre knows version {JOURNAL_VERSION}; update topgenre"
            )
        if "undone" in record:
            entries.pop(record["undone"], None)
            return
        old, new = (
            GenreTag(
                tuple(map(str, record[key]["genres"])),
                dict(record[key]["raw"]) if record["version"] == JOURNAL_VERSION else {},
            )
            for key in ("old", "new")
        )
        entry = Entry(str(record["id"]), str(record["run"]), str(record["path"]), old, new)
        entries[entry.id] = entry

    def _damaged(self, line: int) -> TagError:
        return TagError(
            f"{self.path}: line {line} is damaged, or this is not a journal of written genres; "
            "it was not changed: repair it, or name another one with --journal"
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TagError(
                f"{self.path}: the journal cannot be used ({error.strerror}); nothing is changed "
                "without it: make room, or name another one with --journal"
            ) from error
