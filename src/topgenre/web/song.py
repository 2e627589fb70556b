"""Read title, artist, album and cover from the tags of an upload."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from typing import Any, BinaryIO

from av.container import InputContainer
from av.stream import Discard, Disposition

from topgenre.audio.source import opened
from topgenre.audio.track import DECODING_ERRORS, Track
from topgenre.errors import AudioError
from topgenre.library.tags import read_tags

_LARGEST_COVER = 300_000  # bytes
_PICTURES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def song(file: BinaryIO, *, with_cover: bool) -> dict[str, Any]:
    """Return title, artist and album, and optionally the cover as a data URL."""
    tags = read_tags(file)
    cover = _cover(file)
    return {
        "title": tags.title,
        "artist": tags.artist,
        "album": tags.album,
        "has_cover": cover is not None,
        "cover": cover if with_cover else None,
    }


def _cover(file: BinaryIO) -> str | None:
    """Return the cover as a data URL, unless it is too large or in an unknown format."""
    with (
        suppress(AudioError, OSError, *DECODING_ERRORS),
        opened(file, "upload") as reader,
        Track(reader, "upload") as track,
    ):
        container = track.stream.container
        assert isinstance(container, InputContainer)
        for stream in container.streams.video:
            if stream.disposition & Disposition.attached_pic:
                stream.discard = Discard.default
                packet = next(iter(container.demux(stream)))
                if packet.size <= _LARGEST_COVER:
                    return _data_url(bytes(packet))
    return None


def _data_url(picture: bytes) -> str | None:
    kind = next((kind for head, kind in _PICTURES.items() if picture.startswith(head)), None)
    if picture.startswith(b"RIFF") and picture[8:12] == b"WEBP":
        kind = "image/webp"
    return f"data:{kind};base64,{b64encode(picture).decode()}" if kind else None
