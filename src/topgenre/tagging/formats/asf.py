"""Parse ASF (WMA): attributes in objects within one header object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple
from uuid import UUID

from topgenre.tagging.formats.tag import Codec, Field, Room, Tag, read_at

_OBJECT = 24  # bytes of an object's name and length
_HEADER = 30  # bytes of the header object before the first object in it
_EXTENSION = 46  # bytes of its extension before the first object in it
_MOST_OBJECTS = 10_000
_TEXT = 0  # type of a value

HEADER = UUID("75b22630-668e-11cf-a6d9-00aa0062ce6c").bytes_le
_FILE = UUID("8cabdca1-a947-11cf-8ee4-00c00c205365").bytes_le
_EXTENDED = UUID("5fbf03b5-a92e-11cf-8ee3-00c00c205365").bytes_le
_DESCRIPTION = UUID("d2d0a440-e307-11d2-97f0-00a0c95ea850").bytes_le
_METADATA = UUID("c5f8cbea-5baf-4877-8467-aa8c44fa4cca").bytes_le
_LIBRARY = UUID("44231c94-9498-49d1-a141-1d134e457054").bytes_le
_PADDING = UUID("1806d474-cadf-4509-a4ba-9aabcb96aae8").bytes_le


class _Object(NamedTuple):
    name: bytes
    at: int
    end: int
    length: Field


class _Attributes(Codec):
    """Content attributes: name, type, value."""

    form = "asf"

    def values(self, raw: bytes) -> list[str]:
        at = 2 + _number(raw, 0, 2)
        return [_value(_number(raw, at, 2), raw[at + 4 :])]

    def encode(self, genres: Sequence[str], like: bytes | None) -> list[bytes]:
        name = _text("WM/Genre")
        start = len(name).to_bytes(2, "little") + name + _TEXT.to_bytes(2, "little")
        values = map(_text, genres)
        return [start + len(value).to_bytes(2, "little") + value for value in values]


class _Records(Codec):
    """Library attributes: language, stream, length of the name, type, name, value."""

    form = "asf-library"

    def values(self, raw: bytes) -> list[str]:
        return [_value(_number(raw, 6, 2), raw[12 + _number(raw, 4, 2) :])]

    def encode(self, genres: Sequence[str], like: bytes | None) -> list[bytes]:
        name = _text("WM/Genre")
        start = (like or bytes(4))[:4] + len(name).to_bytes(2, "little") + bytes(2)
        values = map(_text, genres)
        return [start + len(value).to_bytes(4, "little") + name + value for value in values]


def asf(file: BinaryIO, at: int, size: int) -> list[Tag]:
    """Return the tags of an ASF file, the content description first.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    length = int.from_bytes(read_at(file, at + 16, 8), "little")
    if at + length > size:
        raise ValueError("its header is cut off")
    objects = list(_objects(file, at + _HEADER, at + length))
    parents = [Field(at + 16, 8, length, "little")]
    room, place = None, at + length
    for each in objects:
        if each.name == _FILE:
            total = int.from_bytes(read_at(file, each.at + 40, 8), "little")
            parents.append(Field(each.at + 40, 8, total, "little"))
        elif each.name == _PADDING and not room:
            room = Room(each.at + _OBJECT, each.end - each.at - _OBJECT, each.length)
            place = each.at
    tags: list[Tag] = []
    for each in objects:
        if each.name == _DESCRIPTION:
            tags.append(_tag(file, each, f"asf.{len(tags)}", _Attributes(), parents))
    if tags:
        tags[0].room = room
    else:
        count = Field(at + 24, 4, int.from_bytes(read_at(file, at + 24, 4), "little"), "little")
        tags = [Tag("asf.0", _Attributes(), place, build=_build, parents=parents)]
        tags[0].registers = count, 1
    for extension in (each for each in objects if each.name == _EXTENDED):
        inside = int.from_bytes(read_at(file, extension.at + 42, 4), "little")
        outside = [*parents, extension.length, Field(extension.at + 42, 4, inside, "little")]
        for each in _objects(file, extension.at + _EXTENSION, extension.end):
            if each.name in (_METADATA, _LIBRARY):
                tags.append(_tag(file, each, f"asf.{len(tags)}", _Records(), outside))
    return tags


def _tag(file: BinaryIO, each: _Object, name: str, codec: Codec, parents: list[Field]) -> Tag:
    at = each.at + _OBJECT
    data = read_at(file, at, each.end - at)
    count = _number(data, 0, 2)
    tag = Tag(name, codec, at, outer=parents, inner=[each.length])
    tag.counts = [Field(at, 2, count, "little")]
    start = 2
    for _ in range(count):
        if isinstance(codec, _Attributes):
            middle = start + 2 + _number(data, start, 2)
            title = data[start + 2 : middle]
            end = middle + 4 + _number(data, middle + 2, 2)
        else:
            middle = start + 12 + _number(data, start + 4, 2)
            title = data[start + 12 : middle]
            end = middle + _number(data, start + 8, 4)
        if end > len(data):
            raise ValueError("its attributes are cut off")
        raw = data[start:end]
        genre = _value(_TEXT, title).casefold() == "wm/genre"
        tag.add(raw, at + start, at + end, genre=genre)
        start = end
    tag.at = at + start
    if start < len(data):
        tag.add(data[start:], 0, 0, genre=False)
    return tag


def _objects(file: BinaryIO, at: int, end: int) -> Iterator[_Object]:
    for _ in range(_MOST_OBJECTS):
        if at + _OBJECT > end:
            return
        head = read_at(file, at, _OBJECT)
        size = int.from_bytes(head[16:], "little")
        if size < _OBJECT or at + size > end:
            raise ValueError("one of its objects is damaged")
        yield _Object(head[:16], at, at + size, Field(at + 16, 8, size, "little"))
        at += size
    raise ValueError("it has too many objects")


def _build(attributes: Sequence[bytes]) -> bytes:
    body = len(attributes).to_bytes(2, "little") + b"".join(attributes)
    return _DESCRIPTION + (_OBJECT + len(body)).to_bytes(8, "little") + body


def _text(text: str) -> bytes:
    return (text + "\0").encode("utf-16-le", "replace")


def _value(kind: int, data: bytes) -> str:
    if kind == _TEXT:
        return data.decode("utf-16-le", "replace").rstrip("\0")
    return str(int.from_bytes(data, "little"))


def _number(data: bytes, at: int, width: int) -> int:
    if at + width > len(data):
        raise ValueError("its attributes are cut off")
    return int.from_bytes(data[at : at + width], "little")
