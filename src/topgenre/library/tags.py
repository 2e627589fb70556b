"""Who plays what, as music files say it themselves."""

from __future__ import annotations

from contextlib import suppress
from typing import BinaryIO

from topgenre.audio.source import opened
from topgenre.audio.track import DECODING_ERRORS, Track
from topgenre.errors import AudioError
from topgenre.library.song import Tags

_LONGEST = 300  # characters: some write essays, or whole pictures, into a tag


def read_tags(source: str | BinaryIO) -> Tags:
    """Read the tags of a music file; one that cannot be read has none."""
    label = source if isinstance(source, str) else "stream"
    found: dict[str, str] = {}
    with (
        suppress(AudioError, OSError, *DECODING_ERRORS),
        opened(source, label) as file,
        Track(file, label) as track,
    ):
        # Ogg has the tags with its stream, most others with the file.
        for metadata in (track.stream.container.metadata, track.stream.metadata):
            found |= {name.casefold(): text for name, text in metadata.items()}
    return Tags(*(_clean(found.get(name, "")) for name in Tags._fields))


def _clean(text: str) -> str | None:
    # Older files put several values into one tag with null characters between them.
    words = " ".join(text.replace("\0", " ").encode("utf-8", "replace").decode().split())
    return words[:_LONGEST] or None
