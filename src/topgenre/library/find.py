"""Find music files in folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from topgenre.errors import SourceNotFoundError
from topgenre.result import Failure

STANDARD_INPUT = "-"
_LATEST = (1 << 63) - 1

# Suffixes to look for in folders; a file that the user names is tried whatever its suffix.
SUFFIXES = frozenset(
    (
        *(".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi"),
        *(".caf", ".dsf", ".eac3", ".flac", ".flv", ".m4a", ".m4b", ".m4r", ".m4v"),
        *(".mka", ".mkv", ".mov", ".mp1", ".mp2", ".mp3", ".mp4", ".mpc", ".mpeg", ".mpg"),
        *(".mpga", ".npz", ".oga", ".ogg", ".ogv", ".opus", ".snd", ".spx", ".tak", ".ts", ".tta"),
        *(".voc", ".w64", ".wav", ".wave", ".weba", ".webm", ".wma", ".wmv", ".wv"),
    )
)

# Recycle bins, snapshots and helper folders of systems, servers and players, in lower case. Files
# there were deleted, exist elsewhere too, or are not music. Never a word that might title an album.
_JUNK = frozenset(
    (
        *("#recycle", "@recycle", "$recycle.bin", ".recycle", ".recycle.bin", ".recycler"),
        *("network trash folder", ".wastebasket", ".trash", ".trashes"),
        *("#snapshot", "@snapshot", "@recently-snapshot", ".snapshot", ".snapshots", "~snapshot"),
        *(".zfs", ".stversions", ".versions", ".backups.backupdb", ".timemachine"),
        *("system volume information", "lost+found", "found.000", "__macosx", ".appledouble"),
        *("@eadir", "@tmp", "@sharebin", ".@__thumb", ".stfolder", ".sync", ".dropbox.cache"),
        *(".spotlight-v100", ".fseventsd", ".documentrevisions-v100", ".temporaryitems"),
        *(".ds_store", ".thumbnails", ".cache", ".git"),
    )
)
# macOS metadata on foreign disks, recycle bins with a user's number, our own temporary copies.
_JUNK_STARTS = ("._", ".trash-", ".trash_", ".topgenre-")
_DESKTOP_BIN = os.path.join(".local", "share", "Trash")  # noqa: PTH118 - compared as text

PREPROCESSED = ".npz"  # made from a song, not a song

Told = Callable[[str], object]


def find_audio(
    paths: Iterable[str | os.PathLike[str]], *, skipped: Told | None = None
) -> list[str | Failure]:
    """Find the music files in folders; files that are named are kept.

    Folders are searched recursively, in the order of names. Recycle bins, snapshots and helper
    files of other programs are skipped, see `is_junk`. Links are followed, but no folder is
    searched twice.

    Parameters
    ----------
    paths : iterable of path-like
        Files and folders.
    skipped : callable, optional
        Called with each folder, and each file with a music suffix, that is skipped as junk.

    Returns
    -------
    list of str or Failure
        Files, whether they exist or not, and a failure for each folder that contains no music or
        cannot be read. `classify_files` takes both.
    """
    found: list[str | Failure] = []
    for path in [os.fspath(path) for path in paths]:
        if path == STANDARD_INPUT or not is_folder(path):
            found.append(path)
            continue
        found += list(search_folder(path, set(), skipped)) or [no_music(path)]
    return found


def is_junk(path: str) -> bool:
    """Return whether a file or folder is junk by its name.

    A dot in front is not enough: "...Baby One More Time.mp3" is music.

    Examples
    --------
    >>> is_junk("._song.mp3"), is_junk("$RECYCLE.BIN"), is_junk("...And Justice for All")
    (True, True, False)
    """
    name = os.path.basename(path).casefold()  # noqa: PTH119 - quick
    return name in _JUNK or name.startswith(_JUNK_STARTS) or path.endswith(_DESKTOP_BIN)


def unreadable(path: str, error: OSError | ValueError) -> Failure:
    """Return the failure of a file whose size and time cannot be read."""
    reason = getattr(error, "strerror", None) or "no file can have this name"
    said = f"{path}: cannot be read ({reason}); check the name"
    return Failure.of(path, SourceNotFoundError(said))


def is_folder(path: str) -> bool:
    """Return whether a path is a folder; never raises."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def size_and_time(status: os.stat_result) -> tuple[int, int]:
    """Return a file's size, and its modification time in ns clipped to 64 bits."""
    return status.st_size, max(-_LATEST, min(status.st_mtime_ns, _LATEST))


def no_music(folder: str) -> Failure:
    """Return the failure of a folder without music."""
    return Failure.of(
        folder,
        SourceNotFoundError(f"{folder}: no music files in this folder; name another one"),
    )


def search_folder(
    folder: str, seen: set[tuple[int, int]], skipped: Told | None = None
) -> Iterator[str | Failure]:
    """Find the music files in one folder, as `find_audio` does.

    Parameters
    ----------
    folder : str
    seen : set
        Device and inode of the folders searched so far, which are skipped; it is updated.
    skipped : callable, optional
        Called with each path that is skipped as junk.

    Yields
    ------
    str or Failure
        Files, and a failure for each folder that cannot be read.
    """
    # A stack instead of recursion: folders may be nested deeper than calls.
    stack: list[Iterator[os.DirEntry[str]]] = []
    path = folder
    while True:
        try:
            stack.append(_entries(path, seen))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            said = f"{path}: the folder cannot be read ({reason}); check its permissions"
            yield Failure.of(path, SourceNotFoundError(said))
        # Yield files until the next folder turns up.
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
                continue
            _, dot, ending = entry.name.rpartition(".")
            is_music = f"{dot}{ending.lower()}" in SUFFIXES
            inside = _is_folder(entry)
            if (is_music or inside) and is_junk(entry.path):
                if skipped:
                    skipped(entry.path)
            elif inside:
                path = entry.path
                break
            # A pipe or a device in a folder might block the whole batch for ever.
            elif is_music and _may_be_file(entry):
                yield entry.path
        else:
            return


def _entries(folder: str, seen: set[tuple[int, int]]) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder, sorted by name, unless it was searched before."""
    status = os.stat(folder)  # noqa: PTH116 - pathlib takes long for long paths
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return iter(())
    seen.add(identity)
    with os.scandir(folder) as entries:
        return iter(sorted(entries, key=lambda entry: entry.name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    try:
        # A broken link is kept, so that the missing music is reported.
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True


def is_gone(path: str) -> bool:
    """Return whether a file certainly does not exist; a failing drive proves nothing."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False
