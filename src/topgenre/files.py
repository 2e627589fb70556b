"""Atomic writes that never overwrite files we did not create, and locks between processes."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from topgenre.errors import OutputError

Ours = bytes | Callable[[bytes], bool]
"""How files of ours begin, or what tells them by their first `HEAD_BYTES`."""

ANYTHING = b""  # where whoever names a file wants it replaced, whatever it is
HEAD_BYTES = 4096

_PART = re.compile(r"\.topgenre-([0-9a-f]{16})-([0-9a-f]{8})\.part")
_TRIES = 3
_LOCK_AT = 1 << 62  # where Windows locks a byte: far behind all bytes that anybody reads
_BINARY: int = getattr(os, "O_BINARY", 0)
_NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT: int = getattr(os, "O_NONBLOCK", 0)

_swept: set[Path] = set()


def make_folder(path: Path, purpose: str) -> None:
    """Make a folder, unless there is one.

    Parameters
    ----------
    path : Path
    purpose : str
        What it is for, as the message says it.

    Raises
    ------
    OutputError
        If there is something else of that name, or it may not be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be a folder for {purpose} ({error.strerror}); name another one"
        ) from error


def make_folders_within(root: Path, folder: Path) -> None:
    """Make a folder and those above it, up to `root`, none of which may be a link.

    Raises
    ------
    OutputError
        If one of them is a link.
    OSError
        If one of them cannot be made.
    """
    way = [folder, *folder.parents]
    for each in reversed(way[: way.index(root)]):
        if each.is_symlink():
            raise OutputError(f"{each}: this is a link, which is not followed; remove it")
        each.mkdir(exist_ok=True)


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file to be read; a link or anything that is not a regular file is refused.

    Raises
    ------
    OSError
        If it cannot be opened, is a link, a folder, a device or a pipe.
    """
    if Path(path).is_symlink():  # where the system cannot refuse one while it opens a file
        raise OSError(errno.ELOOP, "it is a link")
    file = os.open(path, os.O_RDONLY | _BINARY | _NO_LINK | _NO_WAIT)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is not a file")
    return os.fdopen(file, "rb")


def spare_others(path: Path, ours: Ours) -> bool:
    """Refuse to take the place of a file that topgenre has not written.

    Parameters
    ----------
    path : Path
        Where a file is about to be written.
    ours : bytes or callable
        What all of topgenre's own files of this kind begin with, or a test of how they begin.

    Returns
    -------
    bool
        Whether there is such a file.

    Raises
    ------
    OutputError
        If there is a file of this name that begins otherwise, or cannot be read, or a link.
    """
    try:
        with open_regular(path) as file:
            head = file.read(HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        what = error.strerror if error.errno == errno.EINVAL else None
        if Path(path).is_symlink():
            what = "it is a link"
        elif Path(path).is_dir():
            what = "it is a folder"
        raise OutputError(
            f"{path}: {what or 'it exists and cannot be read'}; choose another name"
        ) from error
    if not (head.startswith(ours) if isinstance(ours, bytes) else ours(head)):
        raise OutputError(
            f"{path}: it exists already and is not from topgenre; choose another name"
        )
    return True


@contextmanager
def replacing(path: str | Path, ours: Ours) -> Iterator[Path]:
    """Give a new file beside `path` to write, which then takes its place in one step.

    Parameters
    ----------
    path : path-like
    ours : bytes or callable
        As `spare_others` takes it: which files may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written, or would take the place of a link or of a file that is not
        ours; what was at `path` before is still there.
    """
    path = Path(path)
    there = spare_others(path, ours)
    try:
        with new_part(path) as (part, file):
            yield part
            if not same_file(part, file):
                raise OSError(errno.EBUSY, "another program has changed it meanwhile")
            if there or not _linked(part, path):
                part.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path}: cannot be written ({reason}); name a file in a folder that can be written to"
        ) from error


def write_whole(path: str | Path, data: bytes, ours: Ours) -> None:
    """Write a file so that nobody ever sees half of it.

    Parameters
    ----------
    path : path-like
    data : bytes
    ours : bytes or callable
        As `spare_others` takes it: which files may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written, or would take the place of a link or of a file that is not
        ours; what was at `path` before is still there.
    """
    with replacing(path, ours) as part, part.open("wb") as file:
        file.write(data)
        file.flush()
        # Otherwise a power cut might leave the new name with nothing in it.
        os.fsync(file.fileno())


@contextmanager
def new_part(target: Path, mode: int = 0o666) -> Iterator[tuple[Path, BinaryIO]]:
    """Make a file of a new name beside another, for this process alone; remove it in the end.

    What killed processes have left in the folder goes first.

    Parameters
    ----------
    target : Path
        The other file.
    mode : int
        Its permissions, less what the user's mask forbids.

    Yields
    ------
    Path, binary file
        The file, and the same opened for reading and writing.
    """
    sweep(target.parent)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY | _NO_LINK
    for _ in range(_TRIES):
        mark = secrets.token_hex(8)
        part = target.with_name(f".topgenre-{mark}-{_proof(mark)}.part")
        file = os.fdopen(os.open(part, flags, mode), "r+b")
        # Another process may have taken it for dead before it was locked.
        if lock(file) is not False and same_file(part, file):
            break
        file.close()
    try:
        yield part, file
    finally:
        ours = same_file(part, file)
        # What was worth keeping has been flushed; the rest may find no room again.
        with suppress(OSError):
            file.close()
        if ours:
            part.unlink(missing_ok=True)


def sweep(folder: Path, *, again: bool = False) -> None:
    """Remove what killed processes have left in a folder.

    That is files of names that only `new_part` gives, and that nobody holds any more.

    Parameters
    ----------
    folder : Path
    again : bool
        Whether to look again where this process has looked already.
    """
    if folder in _swept and not again:
        return
    _swept.add(folder)
    with suppress(OSError):
        for entry in os.scandir(folder):
            match = _PART.fullmatch(entry.name)
            if match and match[2] == _proof(match[1]) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    _remove_dead(Path(entry.path))


def lock(file: IO[Any]) -> bool | None:
    """Lock an open file until it is closed, if nobody else has.

    Returns
    -------
    bool or None
        Whether it is ours; None if the system or the disk does not know locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            place = file.tell()
            file.seek(_LOCK_AT)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            finally:
                file.seek(place)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # EDEADLK is what Windows says.
        held = error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
        return False if held else None
    return True


def same_file(path: str | Path, file: IO[Any]) -> bool:
    """Tell whether a name, without following a link, still stands for an open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(file.fileno()))
    except (OSError, ValueError):
        return False


def sync_folder(folder: Path) -> None:
    """See to it that names in a folder survive a power cut, where the system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _proof(mark: str) -> str:
    """Return the part of a name by which we know it as ours."""
    return hashlib.sha256(f"topgenre part {mark}".encode()).hexdigest()[:8]


def _remove_dead(part: Path) -> None:
    with open_regular(part) as file:
        if lock(file) and same_file(part, file):
            if os.name == "nt":
                file.close()
            part.unlink()


def _linked(part: Path, path: Path) -> bool:
    """Give a file its name unless there is one, where the disk can do so in one step."""
    try:
        os.link(part, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        return False
    return True
