"""Recommendations as a file that players and playlist importers read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from topgenre.errors import OutputError
from topgenre.output import write_whole
from topgenre.recommend.items import Item, Section

SUFFIX = ".m3u8"

_HEAD = "#EXTM3U\n#PLAYLIST:topgenre\n"  # by which a file is known as one that may be replaced


def check_name(path: Path) -> None:
    """Refuse a name that some other file is more likely to have than a playlist.

    Raises
    ------
    OutputError
        If it does not end in `SUFFIX`.
    """
    if path.suffix.lower() != SUFFIX:
        raise OutputError(f"{path}: a playlist's name must end in {SUFFIX}")


def save(sections: Sequence[Section], path: Path) -> int:
    """Write the tracks' addresses as M3U8, in a group for each provider.

    Parameters
    ----------
    sections : sequence of Section
    path : Path
        Ends in `SUFFIX`.

    Returns
    -------
    int
        How many tracks were written.

    Raises
    ------
    OutputError
        If there are no tracks, the file cannot be written, or there is one of this name that
        topgenre has not written.
    """
    check_name(path)
    lines = []
    count = 0
    for section in sections:
        tracks = [item for item in section.items if item.kind == "track"]
        count += len(tracks)
        if tracks:
            lines.append(f"#EXTGRP:{_one_line(section.label)}")
        for item in tracks:
            lines += [f"#EXTINF:-1,{_one_line(title(item))}", _one_line(item.url)]
    if not count:
        raise OutputError(
            f"{path}: not written, as there are no tracks; ask a provider that has some"
        )
    if path.exists() and not _is_ours(path):
        raise OutputError(
            f"{path}: it is there already, and not from topgenre; choose another name"
        )
    content = _HEAD + "\n".join([*lines, ""])
    write_whole(path, content.encode("utf-8", "backslashreplace"))
    return count


def title(item: Item) -> str:
    """Return an item's artists and name, as lists of music have them."""
    return f"{', '.join(item.artists)} - {item.name}" if item.artists else item.name


def _one_line(words: str) -> str:
    return " ".join(words.split())


def _is_ours(path: Path) -> bool:
    head = _HEAD.encode()
    try:
        with path.open("rb") as file:
            return file.read(len(head)) == head
    except OSError:
        return False
