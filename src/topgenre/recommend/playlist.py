"""Write recommendations as a playlist for players and playlist importers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from topgenre import playlist
from topgenre.errors import OutputError
from topgenre.recommend.items import Item, Section


def save(sections: Sequence[Section], path: Path) -> int:
    """Write the tracks' addresses as M3U8, grouped by provider.

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
    """Return an item's artists and name as one text."""
    return f"{', '.join(item.artists)} - {item.name}" if item.artists else item.name


def _address(item: Item) -> bytes:
    # Services may send anything, but an address in a playlist must be one line without blanks.
    return " ".join(item.url.split()).encode("utf-8", "backslashreplace")
