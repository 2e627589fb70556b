"""Write files atomically, never over files we did not create; lock files."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from topgenre.errors import OutputError

Ours = bytes | Callable[[bytes], bool]
"""The first bytes of our files, or a function that checks the first `HEAD_BYTES`."""

ANYTHING = b""  # for files that the user asked to replace, whatever they are
HEAD_BYTES = 4096

_PART = re.compile(r"\.topgenre-([0-9a-f]{16})-([0-9a-f]{8})\.part")
_TRIES = 3
_LOCK_AT = 1 << 62  # byte that Windows locks: far beyond any byte that is read
_BINARY: int = getattr(os, "O_BINARY", 0)
_NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT: int = getattr(os, "O_NONBLOCK", 0)

_swept: set[Path] = set()


def make_folder(path: Path, purpose: str) -> None:
    """Make a folder and its parents; an existing one is fine.

    Parameters
    ----------
    path : Path
    purpose : str
        Completes "cannot be a folder for ..." in the error message.

    Raises
    ------
    OutputError
        If the folder cannot be made, or the path is something else.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be a folder for {purpose} ({error.strerror}); name another one"
        ) from error


def make_folders_within(root: Path, folder: Path) -> None:
    """Make a folder and its parents up to `root`, none of which may be a link.

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
    """Open a regular file for reading; refuse links and anything else.

    Raises
    ------
    OSError
        If it cannot be opened, or is a link, a folder, a device or a pipe.
    """
    if Path(path).is_symlink():  # where the system cannot refuse one while it opens a file
        raise OSError(errno.ELOOP, "it is a link")
    file = os.open(path, os.O_RDONLY | _BINARY | _NO_LINK | _NO_WAIT)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is not a file")
    return os.fdopen(file, "rb")


def spare_others(path: Path, ours: Ours) -> bool:
    """Refuse to replace a file that topgenre did not write.

    Parameters
    ----------
    path : Path
        File to be written.
    ours : bytes or callable
        The first bytes of all files of this kind that topgenre writes, or a function that checks
        the first `HEAD_BYTES`.

    Returns
    -------
    bool
        Whether the file exists.

    Raises
    ------
    OutputError
        If it exists and begins otherwise, cannot be read, or is a link.
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
    """Yield a new file beside `path`, which replaces it atomically after the block.

    Parameters
    ----------
    path : path-like
    ours : bytes or callable
        Which files may be replaced; see `spare_others`.

    Raises
    ------
    OutputError
        If the file cannot be written, or would replace a link or a file that we did not write.
        An existing file is then unchanged.
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
    """Write a file atomically.

    Parameters
    ----------
    path, ours
        See `replacing`, whose errors this raises.
    data : bytes
    """
    with replacing(path, ours) as part, part.open("wb") as file:
        file.write(data)
        file.flush()
        # Otherwise a power cut might leave an empty file of this name.
        os.fsync(file.fileno())


@contextmanager
def new_part(target: Path, mode: int = 0o666) -> Iterator[tuple[Path, BinaryIO]]:
    """Make a locked temporary file beside another; remove it afterwards.

    Files that killed processes left in the folder are removed first.

    Parameters
    ----------
    target : Path
        The other file.
    mode : int
        Its permissions, before the umask.

    Yields
    ------
    Path, binary file
        Path of the file, and the file opened for reading and writing.
    """
    sweep(target.parent)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY | _NO_LINK
    for _ in range(_TRIES):
        mark = os.urandom(8).hex()
        part = target.with_name(f".topgenre-{mark}-{_proof(mark)}.part")
        file = os.fdopen(os.open(part, flags, mode), "r+b")
        # Another process may have swept it away before it was locked.
        if lock(file) is not False and same_file(part, file):
            break
        file.close()
    try:
        yield part, file
    finally:
        ours = same_file(part, file)
        # Data worth keeping is flushed already; on a full disk, closing may fail again.
        with suppress(OSError):
            file.close()
        if ours:
            part.unlink(missing_ok=True)


def sweep(folder: Path, *, again: bool = False) -> None:
    """Remove the files that killed processes left in a folder.

    These have names that only `new_part` makes, and no process has them locked.

    Parameters
    ----------
    folder : Path
    again : bool
        Whether to repeat this in a folder that this process has swept already.
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
    """Lock an open file until it is closed, unless another process has locked it.

    Returns
    -------
    bool or None
        Whether we have the lock; None if the system or the disk has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            offset = file.tell()
            file.seek(_LOCK_AT)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            finally:
                file.seek(offset)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Windows reports EDEADLK.
        held = error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
        return False if held else None
    return True


def same_file(path: str | Path, file: IO[Any]) -> bool:
    """Return whether a path, links not followed, still names an open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(file.fileno()))
    except (OSError, ValueError):
        return False


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that new names in it survive a power cut."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def user_file(name: str) -> Path:
    """Return the path of a file in the user's data folder."""
    from platformdirs import user_data_path

    return user_data_path("topgenre", appauthor=False) / name


def _proof(mark: str) -> str:
    """Return the part of a name that proves it ours."""
    return hashlib.sha256(f"topgenre part {mark}".encode()).hexdigest()[:8]


def _remove_dead(part: Path) -> None:
    with open_regular(part) as file:
        if lock(file) and same_file(part, file):
            if os.name == "nt":
                file.close()
            part.unlink()


def _linked(part: Path, path: Path) -> bool:
    """Name a file, failing if the name exists; return False where links do not work."""
    try:
        os.link(part, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        return False
    return True
