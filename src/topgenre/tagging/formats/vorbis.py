"""Parse Vorbis comments in FLAC and Ogg: a list of ``KEY=value``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from topgenre.tagging.formats.tag import Codec, Field, Room, Tag, read_at

_COMMENT, _PADDING = 4, 1  # types of FLAC's blocks
_LAST = 0x80
_HEAD = 4  # bytes of a block's header


class _Comments(Codec):
    form = "vorbis"

    def values(self, raw: bytes) -> list[str]:
        return [raw[4:].partition(b"=")[2].decode("utf-8", "replace")]

    def encode(self, genres: Sequence[str], like: bytes | None) -> list[bytes]:
        key = like[4:].partition(b"=")[0] if like else b"GENRE"
        comments = (key + b"=" + genre.encode("utf-8", "replace") for genre in genres)
        return [len(comment).to_bytes(4, "little") + comment for comment in comments]


def comments(data: bytes, base: int, *, framed: bool, padded: bool) -> Tag:
    """Parse the tag in some bytes.

    Parameters
    ----------
    data : bytes
        From the length of the vendor string on.
    base : int
        Offset of the data.
    framed : bool
        Whether a set bit follows, as in Vorbis itself.
    padded : bool
        Whether zero bytes may follow.

    Raises
    ------
    ValueError
        If the tag is damaged.
    """
    at = 4 + _number(data, 0)
    count = _number(data, at)
    tag = Tag("vorbis", _Comments(), 0, counts=[Field(base + at, 4, count, "little")])
    tag.add(data[:at], 0, 0, genre=False)
    at += 4
    for _ in range(count):
        end = at + 4 + _number(data, at)
        if end > len(data):
            raise ValueError("its comments are cut off")
        raw = data[at:end]
        tag.add(raw, base + at, base + end, genre=raw[4:10].lower() == b"genre=")
        at = end
    tag.at = base + at
    if framed and data[at : at + 1] != b"\1":
        raise ValueError("its comments are damaged")
    rest = data[at + framed :]
    if any(rest) or not padded:
        tag.add(rest, 0, 0, genre=False)
    else:
        tag.room = Room(base + at + framed, len(rest))
    return tag


def flac(file: BinaryIO, at: int, size: int) -> Tag:
    """Return the tag of a FLAC file, or the position for a new one.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    at += len(b"fLaC")
    found: Tag | None = None
    room: Room | None = None
    kind = 0
    first = at
    while not kind & _LAST:
        head = read_at(file, at, _HEAD)
        kind, length = head[0], int.from_bytes(head[1:], "big")
        body, field = at + _HEAD, Field(at + 1, 3, length)
        if body + length > size:
            raise ValueError("its blocks of metadata are cut off")
        if kind & ~_LAST == _COMMENT and not found:
            found = comments(read_at(file, body, length), body, framed=False, padded=False)
            found.inner.append(field)
        elif kind & ~_LAST == _PADDING and not room:
            room = Room(body, length, field)
        at = body + length
    if found:
        found.room = room
        return found
    # After the block that describes the stream, which must be first.
    start = read_at(file, first, _HEAD)
    place = first + _HEAD + int.from_bytes(start[1:], "big")
    alone = start[0] & _LAST
    tag = Tag("vorbis", _Comments(), place, build=lambda elements: _block(elements, last=alone))
    tag.registers = (Field(first, 1, start[0]), -_LAST) if alone else None
    return tag


def _block(elements: Sequence[bytes], *, last: int) -> bytes:
    vendor = b"topgenre"
    body = b"".join(
        [
            len(vendor).to_bytes(4, "little") + vendor,
            len(elements).to_bytes(4, "little"),
            *elements,
        ]
    )
    return bytes([last | _COMMENT]) + len(body).to_bytes(3, "big") + body


def _number(data: bytes, at: int) -> int:
    if at + 4 > len(data):
        raise ValueError("its comments are cut off")
    return int.from_bytes(data[at : at + 4], "little")
