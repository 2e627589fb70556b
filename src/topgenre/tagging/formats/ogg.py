"""Parse Ogg: pages of packets; the second packet of a stream has Vorbis comments."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from topgenre.tagging.formats.tag import Edit, Field, Layout, SealedError, applied, read_at
from topgenre.tagging.formats.vorbis import comments

_HEAD = 27  # bytes of a page's header before its table of segments
_MOST = 255  # segments of a page, and bytes of a segment
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_UNFINISHED = b"\xff" * 8  # granule position of a page on which no packet ends
_WRONG_SUM = "one of its pages has a wrong checksum"
_LARGEST = 256 << 20  # bytes of a packet
_MIRRORED = bytes(int(f"{number:08b}"[::-1], 2) for number in range(256))

# Start of the first packet, prefix of the comments in the second, and whether the comments end with
# a set bit.
_CODECS = (
    (b"\x01vorbis", b"\x03vorbis", True),
    (b"OpusHead", b"OpusTags", False),
    (b"\x7fFLAC", b"", False),
    (b"Speex   ", b"", False),
)


class _Page(NamedTuple):
    at: int
    head: bytes
    segments: bytes
    data: bytes

    @property
    def serial(self) -> bytes:
        return self.head[14:18]

    @property
    def sequence(self) -> int:
        return int.from_bytes(self.head[18:22], "little")

    @property
    def end(self) -> int:
        return self.at + _HEAD + len(self.segments) + len(self.data)


def ogg(file: BinaryIO, at: int, size: int) -> Layout:
    """Return the tags of the first audio stream in an Ogg file.

    Raises
    ------
    ValueError
        If the file is damaged, or in an unsupported codec.
    """
    pages = _pages(file, at, size)
    stream = None
    for page in pages:
        if not page.head[5] & _FIRST:
            raise ValueError("its sound is in a codec whose tags cannot be written")
        stream = next((codec for codec in _CODECS if page.data.startswith(codec[0])), None)
        if stream:
            break
    else:
        raise ValueError("it is cut off")
    (begin, prefix, framed), serial = stream, page.serial
    mine: list[_Page] = []
    for page in pages:
        if page.serial == serial:
            mine.append(page)
            if min(page.segments, default=_MOST) < _MOST:
                break
        if sum(len(page.data) for page in mine) > _LARGEST:
            raise ValueError("its tags are too large")
    else:
        raise ValueError("it is cut off")
    lacing = b"".join(page.segments for page in mine)
    n_segments = 1 + next(n for n, length in enumerate(lacing) if length < _MOST)
    stored = b"".join(page.data for page in mine)
    length = sum(lacing[:n_segments])
    packet, after = stored[:length], stored[length:]
    fields = []
    skip = len(prefix)
    if begin == b"\x7fFLAC":  # a block of FLAC, whose header states its length
        skip = 4
        fields.append(Field(1, 3, int.from_bytes(packet[1:4], "big")))
        if not packet or packet[0] & 0x7F != 4:
            raise ValueError("its comments are damaged")
    elif not packet.startswith(prefix):
        raise ValueError("its comments are damaged")
    padded = begin in (b"\x01vorbis", b"OpusHead")
    tag = comments(packet[skip:], skip, framed=framed, padded=padded)
    tag.inner += fields
    if not all(map(_intact, mine)):
        tag.sealed = _WRONG_SUM

    def finish(edits: list[Edit]) -> list[Edit]:
        new = applied(packet, edits)
        spelt = bytes([_MOST]) * (len(new) // _MOST) + bytes([len(new) % _MOST])
        return _repaged(file, size, mine, spelt + lacing[n_segments:], new + after)

    return Layout([tag], [tag], finish, packet)


def _pages(file: BinaryIO, at: int, size: int) -> Iterator[_Page]:
    while at < size:
        head = read_at(file, at, _HEAD)
        if head[:5] != b"OggS\0":
            raise ValueError("its pages are damaged")
        segments = read_at(file, at + _HEAD, head[26])
        page = _Page(at, head, segments, read_at(file, at + _HEAD + head[26], sum(segments)))
        yield page
        at = page.end


def _repaged(
    file: BinaryIO, size: int, old: Sequence[_Page], lacing: bytes, data: bytes
) -> list[Edit]:
    """Return the edits that replace the packets of some pages."""
    sizes = _sizes([len(page.segments) for page in old], len(lacing))
    edits: list[Edit] = []
    segment = byte = 0
    for n, count in enumerate(sizes):
        like = old[min(n, len(old) - 1)]
        segments = lacing[segment : segment + count]
        body = data[byte : byte + sum(segments)]
        continued = lacing[segment - 1] == _MOST if segment else like.head[5] & _CONTINUED
        granule = like.head[6:14]
        if len(sizes) != len(old):
            finished = min(segments) < _MOST
            granule = old[-1].head[6:14] if finished else _UNFINISHED
        head = b"".join(
            [
                like.head[:5],
                bytes([(like.head[5] & ~_CONTINUED) | bool(continued)]),
                granule,
                like.serial,
                ((old[0].sequence + n) % (1 << 32)).to_bytes(4, "little"),
                bytes(4),
                bytes([count]),
                segments,
            ]
        )
        page = _summed(head + body)
        if n < len(old):
            edits.append(Edit(like.at, like.end, page))
        else:
            edits[-1] = edits[-1]._replace(data=edits[-1].data + page)
        segment, byte = segment + count, byte + len(body)
    edits += (Edit(page.at, page.end, b"") for page in old[len(sizes) :])
    if len(sizes) != len(old):
        edits += _renumbered(file, size, old[-1], len(sizes) - len(old))
    return edits


def _sizes(old: Sequence[int], total: int) -> list[int]:
    """Return the number of segments per page, keeping the former pages if possible."""
    kept = [*old[:-1], total - sum(old[:-1])]
    if 0 < kept[-1] <= _MOST:
        return kept
    if len(old) <= total <= _MOST * len(old):
        kept = []
        for left in range(len(old) - 1, -1, -1):
            kept.append(min(_MOST, total - sum(kept) - left))
        return kept
    return [_MOST] * (total // _MOST) + ([total % _MOST] if total % _MOST else [])


def _renumbered(file: BinaryIO, size: int, last: _Page, by: int) -> Iterator[Edit]:
    """Yield the edits that renumber the pages of a stream after a page."""
    for page in _pages(file, last.end, size):
        if page.serial != last.serial:
            continue
        number = ((page.sequence + by) % (1 << 32)).to_bytes(4, "little")
        head = page.head[:18] + number + bytes(4) + page.head[26:]
        new = _summed(head + page.segments + page.data)
        if not _intact(page):
            raise SealedError(_WRONG_SUM)
        yield Edit(page.at + 18, page.at + 26, new[18:26])
        if page.head[5] & _LAST:
            return


def _intact(page: _Page) -> bool:
    rest = page.head[26:] + page.segments + page.data
    return _summed(page.head[:22] + bytes(4) + rest) == page.head + rest[1:]


def _summed(page: bytes) -> bytes:
    """Return a page with its checksum, which uses the reverse bit order of zlib."""
    turned = ~zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) & 0xFFFFFFFF
    crc = turned.to_bytes(4, "big").translate(_MIRRORED)
    return page[:22] + crc + page[26:]
