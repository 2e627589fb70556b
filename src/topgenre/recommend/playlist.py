"""Recommendations as a file that players and playlist importers read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from topgenre import playlist
from topgenre.errors import OutputError
from topgenre.recommend.items import Item, Section


def save(sections: Sequence[Section], path: Path) -> int:
    """Write the tracks' addresses as M3U8, in a group for each provider.

    Parameters
    ----------
    sections : sequence of Section
    path : Path
        Ends in ``.m3u8``.

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
    entries = [
        playlist.Entry(_address(item), title(item), group=section.label)
        for section in sections
        for item in section.items
        if item.kind == "track"
    ]
    if not entries:
        raise OutputError(
            f"{path}: not written, as there are no tracks; ask a provider that has some"
        )
    return playlist.save(entries, path)


def title(item: Item) -> str:
    """Return an item's artists and name, as lists of music have them."""
    return f"{', '.join(item.artists)} - {item.name}" if item.artists else item.name


def _address(item: Item) -> bytes:
    # Whatever a service answers: an address has no blanks, and a line of a playlist has one line.
    return " ".join(item.url.split()).encode("utf-8", "backslashreplace")
