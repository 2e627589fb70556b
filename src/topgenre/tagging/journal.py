"""The journal of genres written into files: one JSON object a line, enough to undo every change.

A line is on the disk before the file that it speaks of changes. So a line may stand for a change
that did not come to pass, which the file itself shows; but no change is without its line.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from topgenre.errors import TagError
from topgenre.tagging.formats import GenreTag

JOURNAL_VERSION = 1


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
        If the file cannot be used. So do all methods.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, must_exist: bool = False
    ) -> None:
        self.path = Path(path) if path is not None else default_path()
        self._run = secrets.token_hex(8)
        with self._explained():
            if must_exist and not self.path.exists():
                raise TagError(
                    f"{self.path}: there is no journal of written genres; name it with --journal"
                )
            if path is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b", buffering=0)
            try:
                if not _locked(self._file):
                    raise TagError(
                        f"{self.path}: another program is writing genres with this journal; "
                        "wait until it has ended, or name another one with --journal"
                    )
                self._entries = self._read()
            except BaseException:
                self._file.close()
                raise

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
                "old": old._asdict(),
                "new": new._asdict(),
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
        line = json.dumps(record).encode("ascii") + b"\n"
        with self._explained():
            size = self._file.seek(0, os.SEEK_END)
            try:
                if self._file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._file.fileno())
            except OSError:
                # Half a line would spoil the next one.
                with suppress(OSError):
                    self._file.truncate(size)
                raise

    def _read(self) -> dict[str, Entry]:
        self._file.seek(0)
        entries: dict[str, Entry] = {}
        whole = 0
        for number, line in enumerate(self._file.readall().splitlines(keepends=True), 1):
            if not line.endswith(b"\n"):
                # Its program was killed while it wrote this, and so before it changed the file.
                self._file.truncate(whole)
                break
            whole += len(line)
            try:
                record = json.loads(line)
                if record["version"] != JOURNAL_VERSION:
                    raise TagError(
                        f"{self.path}: line {number} is of version {record['version']}, and this "
                        f"topgenre knows version {JOURNAL_VERSION}; update topgenre"
                    )
                if "undone" in record:
                    entries.pop(record["undone"], None)
                    continue
                old, new = (
                    GenreTag(tuple(record[key]["genres"]), dict(record[key]["raw"]))
                    for key in ("old", "new")
                )
                entry = Entry(record["id"], record["run"], record["path"], old, new)
            except (ValueError, LookupError, TypeError) as error:
                raise TagError(
                    f"{self.path}: line {number} is damaged, or this is no journal of written "
                    "genres; mend it, or name another one with --journal"
                ) from error
            entries[entry.id] = entry
        return entries

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TagError(
                f"{self.path}: the journal cannot be used ({error.strerror}); nothing is changed "
                "without it: make room, or name another one with --journal"
            ) from error


def _locked(file: FileIO) -> bool:
    """Lock a file until it is closed; tell whether nobody else has done so."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (
            errno.EWOULDBLOCK,
            errno.EACCES,
        )  # else a network folder that knows no locks
    return True
