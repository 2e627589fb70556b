"""Parse MP4: nested boxes, with the tags in ``moov/udta/meta/ilst``."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import BinaryIO, NamedTuple

from topgenre.tagging.formats.tag import (
    Codec,
    Edit,
    Field,
    Layout,
    Room,
    SealedError,
    Tag,
    growth,
    numbered,
    ordered,
    read_at,
)

_HEAD = 8  # bytes of a box's length and name
_MOST_BOXES = 100_000
_UTF8, _UTF16 = 1, 2  # types of values
_HANDLER = bytes(8) + b"mdirappl" + bytes(9)  # announces tags as iTunes writes them


class _Box(NamedTuple):
    name: bytes
    at: int
    body: int
    end: int
    length: Field | None  # None if it extends to the end of the file


class _Atoms(Codec):
    """``©gen`` has names, ``gnre`` a number, and a free-form atom any text."""

    form = "mp4"

    def values(self, raw: bytes) -> list[str]:
        values = []
        for name, data in _inner(raw[_HEAD:]):
            if name != b"data" or len(data) < _HEAD:
                continue
            kind, value = int.from_bytes(data[:4], "big") & 0xFFFFFF, data[8:]
            if raw[4:8] == b"gnre":
                number = int.from_bytes(value[:2], "big") - 1
                values += numbered()[number : number + 1] if number >= 0 else []
            else:
                values.append(value.decode("utf-16-be" if kind == _UTF16 else "utf-8", "replace"))
        return values

    def encode(self, genres: Sequence[str], like: bytes | None) -> list[bytes]:
        values = (
            _box(b"data", _UTF8.to_bytes(4, "big") + bytes(4) + genre.encode("utf-8", "replace"))
            for genre in genres
        )
        return [_box(b"\xa9gen", b"".join(values))] if genres else []


def mp4(file: BinaryIO, at: int, size: int) -> Layout:
    """Return the tags of an MP4 file, or the position for new ones.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    top = list(_boxes(file, at, size))
    moov = next((box for box in top if box.name == b"moov"), None)
    if moov is None:
        raise ValueError("its table of contents is missing")
    tag = _tag(file, moov)

    def finish(edits: list[Edit]) -> list[Edit]:
        return ordered([*edits, *_moved(file, top, moov, edits)])

    return Layout([tag], [tag], finish)


def _tag(file: BinaryIO, moov: _Box) -> Tag:
    """Descend to the list of tags, as far as its parent boxes exist."""
    way, missing = [moov], [b"udta", b"meta", b"ilst"]
    while missing:
        inside = list(_boxes(file, _content(file, way[-1]), way[-1].end))
        found = next((box for box in inside if box.name == missing[0]), None)
        if found is None:
            break
        way.append(found)
        del missing[0]
    parents = [box.length for box in way if box.length]
    if missing:
        # A list of user data may end with a zero length, which must stay last.
        place = inside[-1].end if inside else _content(file, way[-1])
        return Tag(
            "mp4", _Atoms(), place, build=lambda atoms: _wrapped(atoms, missing), parents=parents
        )
    ilst = way[-1]
    tag = Tag("mp4", _Atoms(), ilst.end, inner=parents[-1:], outer=parents[:-1])
    for box in _boxes(file, ilst.body, ilst.end):
        raw = read_at(file, box.at, box.end - box.at)
        tag.add(raw, box.at, box.end, genre=_is_genre(box.name, raw))
    free = next((box for box in _inside(file, way[-2]) if box.at == ilst.end), None)
    if free and free.name == b"free" and free.length:
        tag.room = Room(free.body, free.end - free.body, free.length)
    return tag


def _inside(file: BinaryIO, box: _Box) -> Iterator[_Box]:
    """Yield the boxes in a box."""
    return _boxes(file, _content(file, box), box.end)


def _content(file: BinaryIO, box: _Box) -> int:
    """Return the offset of the boxes in a box, after the version in most ``meta``."""
    if box.name == b"meta" and box.end - box.body >= 12:
        return box.body if read_at(file, box.body + 4, 4) == b"hdlr" else box.body + 4
    return box.body


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[_Box]:
    for _ in range(_MOST_BOXES):
        if at + _HEAD > end:
            return
        head = read_at(file, at, _HEAD)
        size, body = int.from_bytes(head[:4], "big"), at + _HEAD
        length: Field | None = Field(at, 4, size)
        if size == 1:
            size = int.from_bytes(read_at(file, body, 8), "big")
            length, body = Field(body, 8, size), body + 8
        elif size == 0:
            length, size = None, end - at
        if size < body - at or at + size > end:
            raise ValueError("one of its boxes is damaged")
        yield _Box(head[4:], at, body, at + size, length)
        at += size
    raise ValueError("it has too many boxes")


def _inner(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + _HEAD <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size < _HEAD:
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def _is_genre(name: bytes, raw: bytes) -> bool:
    if name == b"----":
        inner = dict(_inner(raw[_HEAD:]))
        return inner.get(b"name", b"")[4:].lower() == b"genre"
    return name in (b"\xa9gen", b"gnre")


def _box(name: bytes, content: bytes) -> bytes:
    return (_HEAD + len(content)).to_bytes(4, "big") + name + content


def _wrapped(atoms: Sequence[bytes], missing: Sequence[bytes]) -> bytes:
    """Wrap atoms in the missing parent boxes."""
    data = b"".join(atoms)
    for name in reversed(missing):
        before = bytes(4) + _box(b"hdlr", _HANDLER) if name == b"meta" else b""
        data = _box(name, before + data)
    return data


def _moved(
    file: BinaryIO, top: Sequence[_Box], moov: _Box, edits: Sequence[Edit]
) -> Iterator[Edit]:
    """Yield the edits that correct the tables of chunk offsets."""
    changes = [edit for edit in edits if len(edit.data) != edit.end - edit.start]
    ends = [edit.end for edit in changes]
    shifts = [0, *accumulate(growth([edit]) for edit in changes)]
    if not any(shifts[-1:]) or not any(box.at >= ends[0] for box in top):
        return

    def moved(offset: int) -> int:
        return offset + shifts[bisect_right(ends, offset)]

    for box in top:
        if box.name in (b"mfra", b"meta"):
            raise SealedError("its index of fragments would have to be rewritten")
        if box.name == b"moof":
            for head in _found(file, box, b"traf", b"tfhd"):
                if read_at(file, head.body + 3, 1)[0] & 1:
                    yield from _table(file, head, head.body + 8, 1, "Q", moved)
    for tables in _found(file, moov, b"trak", b"mdia", b"minf", b"stbl"):
        for table in _inside(file, tables):
            if table.name in (b"stco", b"co64"):
                count = int.from_bytes(read_at(file, table.body + 4, 4), "big")
                kind = "Q" if table.name == b"co64" else "I"
                yield from _table(file, table, table.body + 8, count, kind, moved)


def _found(file: BinaryIO, box: _Box, *way: bytes) -> Iterator[_Box]:
    """Yield the boxes at a path of names."""
    if not way:
        yield box
        return
    for inner in _inside(file, box):
        if inner.name == way[0]:
            yield from _found(file, inner, *way[1:])


def _table(
    file: BinaryIO, box: _Box, at: int, count: int, kind: str, moved: Callable[[int], int]
) -> Iterator[Edit]:
    form = struct.Struct(f">{count}{kind}")
    if at + form.size > box.end:
        raise ValueError("one of its tables is cut off")
    old = form.unpack(read_at(file, at, form.size))
    new = [moved(offset) for offset in old]
    if kind == "I" and max(new, default=0) >> 32:
        raise SealedError("it would be too large for its format")
    if list(old) != new:
        yield Edit(at, at + form.size, form.pack(*new))
