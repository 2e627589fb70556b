"""Parse ID3 tags: ID3v2 in versions 2.2, 2.3 and 2.4, and ID3v1."""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from topgenre.tagging.formats.tag import (
    Codec,
    Field,
    Room,
    Tag,
    number_of,
    numbered,
    read_at,
)

_HEADER = 10  # bytes
_UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10  # flags of the header
_V1_BYTES = 128
_NO_V1_GENRE = 255
_LARGEST_TEXT = 1 << 16  # bytes of a compressed frame when unpacked
_NAMES = {2: re.compile(rb"[A-Z][A-Z0-9]{2}"), 3: re.compile(rb"[A-Z][A-Z0-9]{2}[A-Z0-9 \0]")}
_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")


class _Flags(NamedTuple):
    """Bits of a frame's flags, by version."""

    grouped: int
    compressed: int
    encrypted: int
    unsynchronised: int
    length: int


_FRAME_FLAGS = {
    2: _Flags(0, 0, 0, 0, 0),
    3: _Flags(0x20, 0x80, 0x40, 0, 0),
    4: _Flags(0x40, 0x08, 0x04, 0x02, 0x01),
}


class _Frames(Codec):
    """The frame ``TCON``, or ``TCO`` in version 2.2."""

    def __init__(self, version: int, *, plain_sizes: bool = False, stuffed: bool = False) -> None:
        self._version = version
        self._plain = plain_sizes or version < 4
        self._stuffed = stuffed  # as a whole up to version 2.3, frame by frame in 2.4
        self._whole = stuffed and version < 4
        self.form = f"id3v2.{version}{'p' if plain_sizes else ''}{'u' if stuffed else ''}"

    def values(self, raw: bytes) -> list[str]:
        from mutagen.id3 import TCON

        frame = resynchronised(raw) if self._whole else raw
        body = _content(self._version, frame, stuffed=self._stuffed and not self._whole)
        if not body:
            return []
        encoding = _ENCODINGS[body[0]] if body[0] < len(_ENCODINGS) else "latin-1"
        text = body[1:].decode(encoding, "replace")
        parts = [part.removeprefix("\ufeff") for part in text.split("\0")]
        return list(TCON(encoding=3, text=[part for part in parts if part]).genres)

    def encode(self, genres: Sequence[str], like: bytes | None) -> list[bytes]:
        plain = all(ord(letter) < 255 for genre in genres for letter in genre)  # not 0xFF itself
        if plain:
            body = b"\0" + "\0".join(genres).encode("latin-1")
        elif self._version == 4:
            body = b"\3" + "\0".join(genres).encode("utf-8", "replace")
        else:
            strings = (b"\xff\xfe" + genre.encode("utf-16-le", "replace") for genre in genres)
            body = b"\1" + b"\0\0".join(strings)
        if self._version == 2:
            frame = b"TCO" + len(body).to_bytes(3, "big") + body
        else:
            size = len(body).to_bytes(4, "big") if self._plain else _syncsafe(len(body))
            frame = b"TCON" + size + b"\0\0" + body
        return [_stuffed(frame) if self._whole else frame]


class _V1(Codec):
    form = "id3v1"

    def values(self, raw: bytes) -> list[str]:
        names = numbered()
        return [names[raw[0]]] if raw[0] < len(names) else []

    def encode(self, genres: Sequence[str], like: bytes | None) -> list[bytes]:
        number = number_of(genres[0]) if genres else None
        return [bytes([_NO_V1_GENRE if number is None else number])]

    def holds(self, genres: Sequence[str]) -> bool:
        return len(genres) == 1 and number_of(genres[0]) is not None


def id3v1(file: BinaryIO, size: int) -> Tag | None:
    """Return the ID3v1 tag at the end of a file."""
    start = size - _V1_BYTES
    if start < 0 or read_at(file, start, 3) != b"TAG":
        return None
    if start >= 3 and read_at(file, start - 3, 8) == b"APETAGEX":  # contains "TAG"
        return None
    tag = Tag("id3v1", _V1(), size - 1)
    tag.add(read_at(file, size - 1, 1), size - 1, size, genre=True)
    tag.add(read_at(file, start, _V1_BYTES - 1), 0, 0, genre=False)
    return tag


def v1_start(file: BinaryIO, size: int) -> int:
    """Return the offset of ID3v1, or the end of the file."""
    return size - _V1_BYTES if id3v1(file, size) else size


def new_id3v2(name: str, at: int) -> Tag:
    """Return the position for a new ID3v2 tag."""
    return Tag(name, _Frames(4), at, build=build)


def build(frames: Sequence[bytes]) -> bytes:
    """Return a whole tag of version 2.4."""
    body = b"".join(frames)
    return b"ID3\x04\0\0" + _syncsafe(len(body)) + body


def id3v2(file: BinaryIO, at: int, end: int, name: str) -> Tag | None:
    """Return the ID3v2 tag at an offset, or None.

    Raises
    ------
    ValueError
        If it is damaged, or of an unsupported kind.
    """
    if end - at < _HEADER or read_at(file, at, 3) != b"ID3":
        return None
    head = read_at(file, at, _HEADER)
    version, flags = head[3], head[5]
    if version not in _FRAME_FLAGS:
        raise ValueError(f"its ID3 tag is of the unknown version 2.{version}")
    if version == 2 and flags & _EXTENDED:
        raise ValueError("its ID3 tag is compressed")
    if max(head[6:10]) > 127:
        raise ValueError("the length of its ID3 tag is not valid")
    size = _from_syncsafe(head[6:10])
    footer = _HEADER if version == 4 and flags & _FOOTER else 0
    start = at + _HEADER
    if start + size + footer > end:
        raise ValueError("its ID3 tag is cut off")
    body = read_at(file, start, size)
    stuffed = bool(flags & _UNSYNCHRONISED)
    logical = resynchronised(body) if stuffed and version < 4 else body
    removed = _removed(body) if stuffed and version < 4 else []

    def place(offset: int) -> int:
        return offset + bisect_left(removed, offset)

    first, padding, sealed = _extended(version, flags, logical, stuffed=stuffed)
    frames, stop, plain_sizes = _parse(version, logical, first)
    tag = Tag(
        name,
        _Frames(version, plain_sizes=plain_sizes, stuffed=stuffed),
        start + place(stop),
        outer=[Field(at + 6, 4, size, bits=7)],
        extent=(at, start + size + footer),
        sealed=sealed,
    )
    if footer:
        tag.outer.append(Field(start + size + 6, 4, size, bits=7))
    for begin, over in ((place(a), place(b)) for a, b in frames):
        raw = body[begin:over]
        genre = raw[: min(version + 1, 4)].rstrip(b" \0") in (b"TCON", b"TCO")
        tag.add(raw, start + begin, start + over, genre=genre)
    rest = body[place(stop) :]
    if any(rest):
        tag.add(rest, 0, 0, genre=False)
    elif not footer:
        length = padding and Field(start + padding, 4, int.from_bytes(body[padding:][:4], "big"))
        tag.room = Room(tag.at, len(rest), length or None)
    return tag


def _removed(body: bytes) -> list[int]:
    """Return the offsets, in the resynchronised body, after which a zero was removed."""
    return [match.start() - n for n, match in enumerate(re.finditer(rb"\xff\0", body))]


def resynchronised(data: bytes) -> bytes:
    """Remove the zero bytes that keep data from looking like MPEG frames."""
    return data.replace(b"\xff\0", b"\xff")


def _stuffed(data: bytes) -> bytes:
    data = re.sub(rb"\xff(?=[\xe0-\xff\x00])", b"\xff\0", data)
    return data + b"\0" if data.endswith(b"\xff") else data


def _extended(
    version: int, flags: int, body: bytes, *, stuffed: bool
) -> tuple[int, int | None, str | None]:
    """Parse the extended header, if any.

    Some programs set its flag but write none; then the first frame follows.

    Returns
    -------
    int, int or None, str or None
        Offsets of the frames and of the padding's length; why the tag cannot be changed.
    """
    if version == 2 or not flags & _EXTENDED or _NAMES[3].fullmatch(body[:4]):
        return 0, None, None
    checked = body[4] & 0x80 if version == 3 else body[5] & 0x20
    sealed = "its ID3 tag has a checksum" if checked else None
    if version == 4:
        return _from_syncsafe(body[:4]), None, sealed
    if stuffed:
        sealed = "its ID3 tag has an extended header that is unsynchronised"
    return 4 + int.from_bytes(body[:4], "big"), 6, sealed


def _parse(version: int, body: bytes, first: int) -> tuple[list[tuple[int, int]], int, bool]:
    """Return ranges of the frames, their end, and whether sizes have 8 bits per byte.

    Sizes in version 2.4 have 7 bits per byte, but iTunes used to write 8.
    """
    frames, stop = _walk(version, body, first, bits=7 if version == 4 else 8)
    if version == 4 and any(body[stop:]):
        plain, end = _walk(version, body, first, bits=8)
        if not any(body[end:]):
            return plain, end, True
    return frames, stop, False


def _walk(version: int, body: bytes, at: int, bits: int) -> tuple[list[tuple[int, int]], int]:
    head, letters = (6, 3) if version == 2 else (_HEADER, 4)
    name = _NAMES[min(version, 3)]
    frames = []
    while at + head <= len(body) and name.fullmatch(body, at, at + letters):
        size = 0
        for digit in body[at + letters : at + 2 * letters]:
            size = size << bits | digit
        end = at + head + size
        if end > len(body):
            break
        frames.append((at, end))
        at = end
    return frames, at


def _content(version: int, frame: bytes, *, stuffed: bool) -> bytes:
    """Return the content of a frame."""
    if version == 2:
        return frame[6:]
    said, meaning, body = frame[9], _FRAME_FLAGS[version], frame[_HEADER:]
    if said & meaning.encrypted:
        raise ValueError("its genre is encrypted")
    if said & meaning.grouped:
        body = body[1:]
    if said & meaning.length or (version == 3 and said & meaning.compressed):
        body = body[4:]
    if stuffed or said & meaning.unsynchronised:
        body = resynchronised(body)
    if said & meaning.compressed:
        try:
            body = zlib.decompressobj().decompress(body, _LARGEST_TEXT)
        except zlib.error as error:
            raise ValueError("its genre cannot be decompressed") from error
    return body


def _syncsafe(number: int) -> bytes:
    return Field(0, 4, 0, bits=7).plus(number).data


def _from_syncsafe(data: bytes) -> int:
    number = 0
    for digit in data:
        number = number << 7 | digit
    return number
