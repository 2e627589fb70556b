"""Refuse MP4 and QuickTime files that would make FFmpeg allocate too much memory.

A table of packets of equal size has 20 bytes, however many packets it claims, and FFmpeg allocates
24 bytes for each of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from topgenre.audio.source import Reader

_HEADERS = {b"moov", b"moof"}
_CONTAINERS = _HEADERS | {
    *(b"trak", b"mdia", b"minf", b"stbl", b"traf", b"mvex", b"edts", b"udta", b"dinf"),
    *(b"tref", b"wave", b"cmov"),
}
_COUNTS = {b"stsz": 8, b"stz2": 8, b"trun": 4}  # offset of the number of packets in a box
_PER_BYTE = 16  # packets per byte of the file; old QuickTime codecs count decoded samples
_LARGEST_HEADER = 256 << 20  # bytes
_DEEPEST = 12
_TOO_MANY = 1 << 63


def exaggerates(file: Reader) -> bool:
    """Return whether a file claims far more packets than it can contain."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(8)[4:] not in (b"ftyp", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip"):
        return False
    left = _PER_BYTE * size
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length < 8:  # the rest of the file, or damage
            length = size - at
        if kind in _HEADERS:
            if min(length, size - at) > _LARGEST_HEADER:
                return True
            file.seek(at)
            left -= sum(_counts(file.read(length), 0))
            if left < 0:
                return True
        at += length
    return False


def _counts(data: bytes, depth: int) -> Iterator[int]:
    at = 0
    while at + 8 <= len(data) and depth < _DEEPEST:
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        first = at + 8
        if length == 1:
            length, first = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        if length < 8:
            length = len(data) - at
        content = data[first : at + length]
        if kind in _CONTAINERS:
            yield from _counts(content, depth + 1)
        elif kind in _COUNTS:
            offset = _COUNTS[kind]
            yield int.from_bytes(content[offset : offset + 4], "big")
        elif kind == b"cmvd":  # a compressed header
            yield from _unpacked_counts(content[4:], depth)
        at += length


def _unpacked_counts(packed: bytes, depth: int) -> Iterator[int]:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, _LARGEST_HEADER >> 2)
    except zlib.error:
        return
    yield _TOO_MANY if unpacker.unconsumed_tail else 0
    yield from _counts(data, depth + 1)
