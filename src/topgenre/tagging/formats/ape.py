"""Parse APEv2: a list of keyed items at the end of a file, before ID3v1."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import BinaryIO

from topgenre.tagging.formats.id3 import v1_start
from topgenre.tagging.formats.tag import Codec, Field, Tag, read_at

_FRAME = 32  # bytes of the header, and of the footer
_HAS_HEADER, _IS_HEADER = 1 << 31, 1 << 29
_KIND = 0x6  # bits of an item's flags; 0 means text


class _Items(Codec):
    form = "ape"

    def values(self, raw: bytes) -> list[str]:
        if int.from_bytes(raw[4:8], "little") & _KIND:
            return []
        return raw[8:].partition(b"\0")[2].decode("utf-8", "replace").split("\0")

    def encode(self, genres: Sequence[str], like: bytes | None) -> list[bytes]:
        key = like[8:].partition(b"\0")[0] if like else b"Genre"
        value = "\0".join(genres).encode("utf-8", "replace")
        return [len(value).to_bytes(4, "little") + bytes(4) + key + b"\0" + value]


def ape(file: BinaryIO, size: int) -> Tag:
    """Return the APEv2 tag at the end of a file, or the position for a new one.

    Raises
    ------
    ValueError
        If the tag is damaged.
    """
    end = v1_start(file, size)
    for at in dict.fromkeys((end, before_lyrics(file, end))):
        if at >= _FRAME and read_at(file, at - _FRAME, 8) == b"APETAGEX":
            return _read(file, at)
    return Tag("ape", _Items(), before_lyrics(file, end), build=_build)


def before_lyrics(file: BinaryIO, end: int) -> int:
    """Return the start of a Lyrics3 tag that ends at an offset, or the offset."""
    tail = read_at(file, end - 15, 15) if end >= 15 else b""
    if re.fullmatch(rb"\d{6}LYRICS200", tail):
        start = end - 15 - int(tail[:6])
        if start >= 0 and read_at(file, start, 11) == b"LYRICSBEGIN":
            return start
    return end


def _read(file: BinaryIO, end: int) -> Tag:
    footer = read_at(file, end - _FRAME, _FRAME)
    size, count, flags = (int.from_bytes(footer[at : at + 4], "little") for at in (12, 16, 20))
    begin = end - size
    if size < _FRAME or begin < 0:
        raise ValueError("its APE tag is damaged")
    items = read_at(file, begin, size - _FRAME)
    tag = Tag("ape", _Items(), end - _FRAME, extent=(begin, end))
    heads = [end - _FRAME]
    if flags & _HAS_HEADER:
        if begin < _FRAME or read_at(file, begin - _FRAME, 8) != b"APETAGEX":
            raise ValueError("its APE tag is damaged")
        heads.append(begin - _FRAME)
        tag.extent = (begin - _FRAME, end)
    for head in heads:
        tag.outer.append(Field(head + 12, 4, _number(file, head + 12), "little"))
        tag.counts.append(Field(head + 16, 4, _number(file, head + 16), "little"))
    at = 0
    for _ in range(count):
        key = items.find(b"\0", at + 8)
        over = key + 1 + int.from_bytes(items[at : at + 4], "little")
        if key < 0 or over > len(items):
            raise ValueError("its APE tag is damaged")
        genre = items[at + 8 : key].lower() == b"genre"
        tag.add(items[at:over], begin + at, begin + over, genre=genre)
        at = over
    if at < len(items):
        tag.add(items[at:], 0, 0, genre=False)
        tag.at = begin + at
    return tag


def _number(file: BinaryIO, at: int) -> int:
    return int.from_bytes(read_at(file, at, 4), "little")


def _build(items: Sequence[bytes]) -> bytes:
    body = b"".join(items)
    head = b"".join(
        number.to_bytes(4, "little") for number in (2000, len(body) + _FRAME, len(items))
    )

    def frame(flags: int) -> bytes:
        return b"APETAGEX" + head + flags.to_bytes(4, "little") + bytes(8)

    return frame(_HAS_HEADER | _IS_HEADER) + body + frame(_HAS_HEADER)
