"""Find music files in folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from topgenre.errors import SourceNotFoundError
from topgenre.result import Failure

STANDARD_INPUT = "-"
_LATEST = (1 << 63) - 1

# What is looked for in folders; a file that is named is tried whatever its suffix.
SUFFIXES = frozenset(
    (
        *(".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi"),
        *(".caf", ".dsf", ".eac3", ".flac", ".flv", ".m4a", ".m4b", ".m4r", ".m4v"),
        *(".mka", ".mkv", ".mov", ".mp1", ".mp2", ".mp3", ".mp4", ".mpc", ".mpeg", ".mpg"),
        *(".mpga", ".npz", ".oga", ".ogg", ".ogv", ".opus", ".snd", ".spx", ".tak", ".ts", ".tta"),
        *(".voc", ".w64", ".wav", ".wave", ".weba", ".webm", ".wma", ".wmv", ".wv"),
    )
)

# Recycle bins, snapshots, and the helpers of systems, servers and players, in small letters. What
# lies there was deleted, lies elsewhere too, or is no music. No word that might title an album.
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
# What macOS keeps of each file on other systems' disks, bins with a user's number, our own copies.
_JUNK_STARTS = ("._", ".trash-", ".trash_", ".topgenre-")
_DESKTOP_BIN = os.path.join(".local", "share", "Trash")  # noqa: PTH118 - compared as text

Told = Callable[[str], object]


def find_audio(
    paths: Iterable[str | os.PathLike[str]], *, skipped: Told | None = None
) -> list[str | Failure]:
    """Find the music files in folders, and keep the files that are named.

    Folders are searched with all folders in them, in the order of names. Recycle bins, snapshots
    and the helper files of other programs are left out, see `is_junk`. Links are followed, but no
    folder is searched twice.

    Parameters
    ----------
    paths : iterable of path-like
        Files and folders.
    skipped : callable, optional
        Told of each file with a name of music, and each folder, that is left out as junk.

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
        found += list(search_folder(path, set(), skipped)) or [no_music(path)]
    return found


def is_junk(path: str) -> bool:
    """Tell whether a file or folder is known by its name to hold no music of the library.

    Names that merely begin with a dot may be music: "...Baby One More Time.mp3".

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


def search_folder(
    folder: str, seen: set[tuple[int, int]], skipped: Told | None = None
) -> Iterator[str | Failure]:
    """Find the music files in a folder one by one, as `find_audio` does.

    Parameters
    ----------
    folder : str
    seen : set
        Identities of folders that were searched; those are left out, and others added.
    skipped : callable, optional
        Told of what is left out as junk.

    Yields
    ------
    str or Failure
        Files, and a failure for each folder that cannot be read.
    """
    # A stack and no recursion, since folders may be nested deeper than calls.
    stack: list[Iterator[os.DirEntry[str]]] = []
    path = folder
    while True:
        try:
            stack.append(_entries(path, seen))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            said = f"{path}: the folder cannot be read ({reason}); check its permissions"
            yield Failure.of(path, SourceNotFoundError(said))
        # Go on to the next folder; on the way there, give the files.
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
            # A pipe or a device in a folder might keep the whole batch waiting for ever.
            elif is_music and _may_be_file(entry):
                yield entry.path
        else:
            return


def _entries(folder: str, seen: set[tuple[int, int]]) -> Iterator[os.DirEntry[str]]:
    """Give what is in a folder in the order of names, unless it was searched before."""
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
