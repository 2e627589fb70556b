"""Find music files in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from topgenre.errors import SourceNotFoundError
from topgenre.result import Failure

STANDARD_INPUT = "-"
_LATEST = (1 << 63) - 1

# What is looked for in folders; a file that is named is tried whatever its suffix.
SUFFIXES = frozenset(
    (
        *(".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi"),
        *(".caf", ".eac3", ".flac", ".flv", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2"),
        *(".mp3", ".mp4", ".mpc", ".mpeg", ".mpg", ".npz", ".oga", ".ogg", ".ogv", ".opus", ".snd"),
        *(".spx", ".tak", ".ts", ".tta", ".voc", ".w64", ".wav", ".weba", ".webm", ".wma", ".wmv"),
        ".wv",
    )
)


def find_audio(paths: Iterable[str | os.PathLike[str]]) -> list[str | Failure]:
    """Find the music files in folders, and keep the files that are named.

    Folders are searched with all folders in them, in the order of names. Hidden files and folders
    are left out. Links are followed, but no folder is searched twice.

    Parameters
    ----------
    paths : iterable of path-like
        Files and folders.

    Returns
    -------
    list of str or Failure
        Files, whether they exist or not, and a failure for each folder that holds no music or
        cannot be read. `classify_files` takes both.
    """
    found: list[str | Failure] = []
    for path in [os.fspath(path) for path in paths]:
        # Not `os.path.isdir`: a null character in a name is for the one who opens it to report.
        if path == STANDARD_INPUT or not is_folder(path):
            found.append(path)
            continue
        found += list(search_folder(path, set())) or [no_music(path)]
    return found


def is_folder(path: str) -> bool:
    """Tell whether there is a folder of this name, and never raise."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def size_and_time(status: os.stat_result) -> tuple[int, int]:
    """Return the bytes of a file and the nanoseconds of its last change, as 64 bits hold them."""
    # A clock may have been wrong by centuries: those from 2262 on count as that.
    return status.st_size, max(-_LATEST, min(status.st_mtime_ns, _LATEST))


def no_music(folder: str) -> Failure:
    """Return what is said of a folder without any music."""
    return Failure.of(
        folder,
        SourceNotFoundError(f"{folder}: there is no music file in this folder; name another one"),
    )


def search_folder(folder: str, seen: set[tuple[int, int]]) -> Iterator[str | Failure]:
    """Find the music files in a folder one by one, as `find_audio` does.

    Parameters
    ----------
    folder : str
    seen : set
        Identities of folders that have been searched; those are left out, and others added.

    Yields
    ------
    str or Failure
        Files, and a failure for each folder that cannot be read.
    """
    try:
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            return
        seen.add(identity)
        with os.scandir(folder) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        yield Failure.of(
            folder,
            SourceNotFoundError(
                f"{folder}: the folder cannot be read ({reason}); check its permissions"
            ),
        )
        return
    for entry in listing:
        if entry.name.startswith("."):
            continue
        if is_folder(entry.path):
            yield from search_folder(entry.path, seen)
        # A pipe or a device in a folder might keep the whole batch waiting for ever.
        elif Path(entry.name).suffix.lower() in SUFFIXES and _may_be_file(entry):
            yield entry.path


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    try:
        # A link to nowhere is kept: that a piece of music is gone is worth a word.
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True


def is_gone(path: str) -> bool:
    """Tell whether there is certainly no file of this name: a drive that fails proves nothing."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False
