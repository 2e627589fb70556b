"""Writing a file whole or not at all, over nothing that is not ours, and the folder for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topgenre.errors import OutputError


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


def spare_others(path: Path, head: bytes) -> None:
    """Refuse to take the place of a file that topgenre has not written.

    Parameters
    ----------
    path : Path
        Where a file is about to be written.
    head : bytes
        What all of topgenre's own files of this kind begin with.

    Raises
    ------
    OutputError
        If there is a file of this name that begins otherwise, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            ours = file.read(len(head)) == head
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        ours = False
    if not ours:
        raise OutputError(
            f"{path}: it is there already, and not from topgenre; choose another name"
        )


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a new file beside `path` to write, which then takes its place in one step.

    Raises
    ------
    OutputError
        If the file cannot be written; what was at `path` before is still there.
    """
    path = Path(path)
    try:
        # Where a link stands, the file it points to is meant.
        target = path.resolve() if path.is_symlink() else path
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        part = target.with_name(f".topgenre-{os.urandom(6).hex()}.part")
        try:
            yield part
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path}: cannot be written ({reason}); name a file in a folder that can be written to"
        ) from error


def write_whole(path: str | Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it.

    Raises
    ------
    OutputError
        If the file cannot be written; what was at `path` before is still there.
    """
    with replacing(path) as part, part.open("xb") as file:
        file.write(data)
        file.flush()
        # Otherwise a power cut might leave the new name with nothing in it.
        os.fsync(file.fileno())
