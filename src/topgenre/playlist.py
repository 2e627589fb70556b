"""Playlists as M3U8 files, which players, importers and libraries read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from topgenre.errors import OutputError
from topgenre.files import write_whole

SUFFIX = ".m3u8"

HEAD = b"#EXTM3U\n#PLAYLIST:topgenre"  # by which a file is known as one that may be replaced
_HIGHEST = 2  # folders above the playlist's own that still count as beside it


@dataclass(frozen=True, slots=True)
class Entry:
    """One line to play.

    Attributes
    ----------
    place : bytes
        Address or path, in the encoding of the file system.
    title : str
    seconds : float, optional
    group : str
        Heading under which it stands, if any.
    """

    place: bytes
    title: str
    seconds: float | None = None
    group: str = ""


def check_name(path: Path) -> None:
    """Refuse a name that some other file is more likely to have than a playlist.

    Raises
    ------
    OutputError
        If it does not end in `SUFFIX`.
    """
    if path.suffix.lower() != SUFFIX:
        raise OutputError(f"{path}: a playlist's name must end in {SUFFIX}")


def save(entries: Iterable[Entry], path: Path) -> int:
    """Write a playlist, and return how many entries it has.

    Raises
    ------
    OutputError
        If the name is no playlist's, there is a file of this name that topgenre has not written,
        the file cannot be written, or an entry's place takes two lines.
    """
    check_name(path)
    lines = [HEAD]
    group = ""
    count = 0
    for entry in entries:
        if b"\n" in entry.place or b"\r" in entry.place:
            raise OutputError(
                f"{path}: no playlist can hold a name of two lines ({entry.place!r}); "
                "rename that file"
            )
        if entry.group != group:
            group = entry.group
            lines.append(_encoded(f"#EXTGRP:{group}"))
        seconds = -1 if entry.seconds is None else round(entry.seconds)
        lines += [_encoded(f"#EXTINF:{seconds},{entry.title}"), entry.place]
        count += 1
    write_whole(path, b"\n".join([*lines, b""]), HEAD)
    return count


def places(folder: Path) -> Callable[[str], bytes]:
    """Return how songs are named in a playlist that lies in a folder, given their absolute paths.

    A playlist in the music's own folders, or beside them, is taken along when they move to another
    disk, machine or player: there, names are relative to the playlist, which all common players
    understand. One that lies elsewhere is more likely to be moved alone: there, they are absolute.

    Parameters
    ----------
    folder : Path
        Absolute.
    """
    # Where links lead to the folder, players do not agree on what lies above it.
    highest = _HIGHEST if folder.resolve() == folder else 0

    def place(song: str) -> bytes:
        try:
            relative = PurePath(os.path.relpath(song, folder))
        except ValueError:  # on another drive, where a system has such
            return os.fsencode(song)
        ups = relative.parts.count("..")
        if ups > highest or len(folder.parents) <= ups:  # or as high as the root
            return os.fsencode(song)
        words = relative.as_posix()
        # No comment, no address of a server, and no blank that a player takes away.
        return os.fsencode(f"./{words}" if words[0] in "# " or ":" in words else words)

    return place


def _encoded(line: str) -> bytes:
    return " ".join(line.split()).encode("utf-8", "backslashreplace")
