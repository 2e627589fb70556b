"""Playlists as M3U8 files, which players, importers and libraries read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from topgenre.errors import OutputError
from topgenre.files import spare_others, write_whole
from topgenre.text import without_controls

SUFFIX = ".m3u8"

# By which a file is known as one that may be replaced; other programs skip the comment.
HEAD = b"#EXTM3U\n# Written by topgenre"
_FORMER_HEAD = b"#EXTM3U\n#PLAYLIST:topgenre\n"  # of versions before 1.0
_HIGHEST = 2  # folders above the playlist's own that still count as beside it


@dataclass(frozen=True, slots=True)
class Entry:
    """One line to play.

    Attributes
    ----------
    place : bytes
        URL or path in one line, in the encoding of the file system.
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


def check_place(path: Path) -> None:
    """Refuse to replace a file that is not a playlist of topgenre.

    Raises
    ------
    OutputError
        If there is one.
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
        What players call it.

    Raises
    ------
    OutputError
        If the name does not end in `SUFFIX`, there is a file of this name that topgenre did not
        write, or the file cannot be written.
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
        lines += [_line(f"#EXTINF:{seconds},{entry.title}"), entry.place]
        count += 1
    write_whole(path, b"\n".join([*lines, b""]), _ours)
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
        absolute = address(song)
        try:
            relative = PurePath(os.path.relpath(song, folder))
        except ValueError:  # on another drive, where a system has such
            return absolute
        ups = relative.parts.count("..")
        too_high = ups > highest or len(folder.parents) <= ups  # or as high as the root
        if too_high or absolute != os.fsencode(song):
            return absolute
        words = relative.as_posix()
        # Not to be taken for a comment or a server's address, nor to lose a blank in front.
        return os.fsencode(f"./{words}" if words[0] in "# " or ":" in words else words)

    return place


def address(song: str) -> bytes:
    r"""Return how a playlist names a file: by its path, or as a URI where no line can hold that.

    Control characters and those that turn the direction of text would do harm in a terminal.

    Examples
    --------
    >>> address("/music/a b.mp3"), address("/music/two\nlines.mp3")
    (b'/music/a b.mp3', b'file:///music/two%0Alines.mp3')
    """
    if all(c.isprintable() or _is_byte(c) for c in song):
        return os.fsencode(song)
    return PurePath(song).as_uri().encode("ascii")


def _is_byte(character: str) -> bool:
    """Tell whether a character stands for a byte that could not be decoded."""
    return "\udc80" <= character <= "\udcff"


def _line(text: str) -> bytes:
    """Return a text as one line without invisible characters."""
    return " ".join(without_controls(text).split()).encode("utf-8", "backslashreplace")
