"""The journal of genres written into files: one JSON object per line, enough to undo every change.

A line is on the disk before the file that it speaks of changes. So a line may stand for a change
that did not come to pass, which the file itself shows; but no change is without its line.
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
from topgenre.files import lock
from topgenre.tagging.formats import GenreTag

JOURNAL_VERSION = 2
_READABLE = (1, 2)  # the first had other words for what tags say to the letter
_HEAD = b'{"version": '  # of every line


class Entry(NamedTuple):
    """A change that has not been undone.

    Attributes
    ----------
    id, run : str
        Of the change, and of the run of the program that made it.
    path : str
        The file, without links in its path.
    old, new : GenreTag
        Its genre before and after.
    """

    id: str
    run: str
    path: str
    old: GenreTag
    new: GenreTag


def default_path() -> Path:
    """Return where a user's journal lies unless it is named: in the folder for user data."""
    from platformdirs import user_data_path

    return user_data_path("topgenre", appauthor=False) / "tag-journal.ndjson"


class Journal:
    """An open journal, for one program at a time.

    Parameters
    ----------
    path : path-like, optional
        By default `default_path`. A new one is made where there is none.
    must_exist : bool
        Whether to refuse to make a new one.

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
        self._whole = 0  # bytes of whole lines
        self._unended = False  # whether the last one lacks its end
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
        """Open a regular file and nothing else: a pipe, for one, might wait for ever."""
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
        """Close the file, and let others have it."""
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
        record["time"] = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        # ASCII, in which the bytes of any file name can be written.
        line = b"\n" * self._unended + json.dumps(record).encode("ascii") + b"\n"
        with self._explained():
            # Half a line, of a program that was killed while it wrote it, would spoil this one.
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
        # A program that was killed while it wrote the last line has not yet changed the file. But
        # an editor may have taken away the end of a whole line.
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
            "it was left as it is: mend it, or name another one with --journal"
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
