"""Playlists as M3U8 files, which players, importers and libraries read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from topgenre.errors import OutputError
from topgenre.output import write_whole

SUFFIX = ".m3u8"

_HEAD = b"#EXTM3U\n#PLAYLIST:topgenre"  # by which a file is known as one that may be replaced


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
    lines = [_HEAD]
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
    if path.exists() and not _is_ours(path):
        raise OutputError(
            f"{path}: it is there already, and not from topgenre; choose another name"
        )
    write_whole(path, b"\n".join([*lines, b""]))
    return count


def _encoded(line: str) -> bytes:
    return " ".join(line.split()).encode("utf-8", "backslashreplace")


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_HEAD)) == _HEAD
    except OSError:
        return False
