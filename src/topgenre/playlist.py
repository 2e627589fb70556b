"""Write playlists as M3U8 files, which players and importers read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path, PurePath
from typing import NamedTuple

from topgenre.errors import OutputError
from topgenre.files import spare_others, write_whole
from topgenre.text import without_controls

SUFFIX = ".m3u8"

# Marks a file as one that may be replaced; other programs skip the comment.
HEAD = b"#EXTM3U\n# Written by topgenre"
_FORMER_HEAD = b"#EXTM3U\n#PLAYLIST:topgenre\n"  # of versions before 1.0
_HIGHEST = 2  # levels above the playlist's folder that still count as beside it


class Entry(NamedTuple):
    """One entry of a playlist.

    Attributes
    ----------
    address : bytes
        URL or path on one line, in the encoding of the file system.
    title : str
    seconds : float, optional
    group : str
        Heading, if any.
    """

    address: bytes
    title: str
    seconds: float | None = None
    group: str = ""


def check_name(path: Path) -> None:
    """Refuse a file name that does not end in `SUFFIX`.

    Raises
    ------
    OutputError
        If it does not.
    """
    if path.suffix.lower() != SUFFIX:
        raise OutputError(f"{path}: a playlist's name must end in {SUFFIX}")


def check_owner(path: Path) -> None:
    """Refuse to replace a file that is not a playlist of topgenre.

    Raises
    ------
    OutputError
        If the path is such a file.
    """
    spare_others(path, _ours)


def _ours(head: bytes) -> bool:
    return head.startswith((HEAD, _FORMER_HEAD))


def save(entries: Iterable[Entry], path: Path, *, title: str = "topgenre") -> int:
    """Write a playlist, and return how many entries it has.

    Parameters
    ----------
    entries : iterable of Entry
    path : Path
    title : str
        Name that players show.

    Raises
    ------
    OutputError
        If the name does not end in `SUFFIX`, the file exists and topgenre did not write it, or it
        cannot be written.
    """
    check_name(path)
    lines = [HEAD, _line(f"#PLAYLIST:{title}")]
    group = ""
    count = 0
    for entry in entries:
        if entry.group != group:
            group = entry.group
            lines.append(_line(f"#EXTGRP:{group}"))
        seconds = -1 if entry.seconds is None else round(entry.seconds)
        lines += [_line(f"#EXTINF:{seconds},{entry.title}"), entry.address]
        count += 1
    write_whole(path, b"\n".join([*lines, b""]), _ours)
    return count


def addresses(folder: Path) -> Callable[[str], bytes]:
    """Return a function from a song's absolute path to its address in a playlist.

    A playlist in or beside the folders of the music moves with them to another disk, machine or
    player, so its addresses are relative to the playlist, which all common players understand. A
    playlist elsewhere is more likely to be moved alone, so its addresses are absolute.

    Parameters
    ----------
    folder : Path
        Folder of the playlist; absolute.
    """
    # If the path to the folder has links, players disagree about its parents.
    highest = _HIGHEST if folder.resolve() == folder else 0
    highest = min(highest, len(folder.parents) - 1)  # never as high as the root

    @cache
    def way_to(parent: str) -> str | None:
        """Return the relative path to a folder with a slash behind it, or None if it is far."""
        try:
            parts = os.path.relpath(parent, folder).split(os.sep)  # noqa: PTH206 - quick
        except ValueError:  # on another drive (Windows)
            return None
        if parts.count("..") > highest:
            return None
        return "" if parts == [os.curdir] else "/".join([*parts, ""])

    def relative_address(song: str) -> bytes:
        parent, name = os.path.split(song)
        absolute = address(song)
        way = way_to(parent)
        if way is None or absolute != os.fsencode(song):
            return absolute
        words = way + name
        # So that it is not taken for a comment or a URL, and keeps a leading space.
        return os.fsencode(f"./{words}" if words[:1] in ("#", " ") or ":" in words else words)

    return relative_address


def address(song: str) -> bytes:
    r"""Return a file's address: its path, or a URI if that has unprintable characters.

    A line break would end the line, and control characters would do harm in a terminal.

    Examples
    --------
    >>> address("/music/a b.mp3"), address("/music/two\nlines.mp3")
    (b'/music/a b.mp3', b'file:///music/two%0Alines.mp3')
    """
    if song.isprintable() or all(c.isprintable() or _is_byte(c) for c in song):
        return os.fsencode(song)
    return PurePath(song).as_uri().encode("ascii")


def _is_byte(character: str) -> bool:
    """Return whether a character is an undecodable byte."""
    return "\udc80" <= character <= "\udcff"


def _line(text: str) -> bytes:
    """Return a text as one line without invisible characters."""
    return " ".join(without_controls(text).split()).encode("utf-8", "backslashreplace")
