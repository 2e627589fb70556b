"""Parse WAV (RIFF, RF64) and AIFF: chunks with an ID3 tag and an INFO list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Literal, NamedTuple

from topgenre.tagging.formats import id3
from topgenre.tagging.formats.tag import Codec, Field, Tag, read_at

_HEAD = 8  # bytes of a chunk's name and length
_OPEN = 0xFFFFFFFF  # an unknown length, or one that is stored elsewhere
_SOUND = (b"data", b"SSND")
_MOST_CHUNKS = 10_000


class _Chunk(NamedTuple):
    name: bytes
    at: int
    size: int
    open: bool = False  # whether it extends to the end, whatever its length

    @property
    def body(self) -> int:
        return self.at + _HEAD

    @property
    def end(self) -> int:
        return self.body + self.size


class _Info(Codec):
    """The texts of an INFO list, one string each."""

    form = "info"

    def values(self, raw: bytes) -> list[str]:
        size = int.from_bytes(raw[4:8], "little")
        text = raw[8 : 8 + size].split(b"\0")[0]
        try:
            return [text.decode("utf-8")]
        except UnicodeDecodeError:
            return [text.decode("cp1252", "replace")]

    def encode(self, genres: Sequence[str], like: bytes | None) -> list[bytes]:
        text = "; ".join(genres).encode("utf-8", "replace") + b"\0"
        return [b"IGNR" + len(text).to_bytes(4, "little") + text + b"\0" * (len(text) % 2)]


def riff(file: BinaryIO, at: int, size: int) -> list[Tag]:
    """Return the tags of a WAV or AIFF file, the ID3 tag first.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    order: Literal["big", "little"] = "big" if read_at(file, at, 4) == b"FORM" else "little"
    total, stop = _total(file, at, size, order)
    chunks = list(_chunks(file, at + 12, stop, size, order))
    tags: list[Tag] = []
    for chunk in chunks:
        if chunk.name.upper() == b"ID3 " and not tags:
            tag = id3.id3v2(file, chunk.body, chunk.end, "id3v2")
            if tag is None:
                raise ValueError("its chunk for an ID3 tag is damaged")
            tag.align = _padded(chunk, size)
            tag.outer.append(Field(chunk.at + 4, 4, chunk.size, order))
            tag.parents = total
            tag.extent = chunk.at, min(chunk.end + chunk.size % 2, size)
            tags.append(tag)
    if not tags:
        tags = [_new(chunks, stop, order, total)]
    for chunk in chunks:
        if chunk.name == b"LIST" and read_at(file, chunk.body, 4) == b"INFO":
            tag = _info(file, chunk, f"info.{len(tags)}", total)
            tag.align = _padded(chunk, size)
            tags.append(tag)
    return tags


def _padded(chunk: _Chunk, size: int) -> tuple[int, bool]:
    return chunk.end, chunk.size % 2 == 1 and chunk.end < size


def _total(
    file: BinaryIO, at: int, size: int, order: Literal["big", "little"]
) -> tuple[list[Field], int]:
    """Return the field with the total length, if any, and the end of the chunks."""
    stated = int.from_bytes(read_at(file, at + 4, 4), order)
    if read_at(file, at, 4) in (b"RF64", b"BW64"):
        if read_at(file, at + 12, 4) != b"ds64":
            raise ValueError("its chunk of lengths is missing")
        wide = int.from_bytes(read_at(file, at + 20, 8), "little")
        return [Field(at + 20, 8, wide, "little")], min(size, at + _HEAD + wide)
    if stated in (0, _OPEN):  # as written into a pipe
        return [], size
    # A truncated file still has its former length.
    return [Field(at + 4, 4, stated, order)], min(size, at + _HEAD + stated)


def _chunks(
    file: BinaryIO, at: int, stop: int, size: int, order: Literal["big", "little"]
) -> Iterator[_Chunk]:
    wide = None
    for _ in range(_MOST_CHUNKS):
        if at + _HEAD > stop:
            return
        head = read_at(file, at, _HEAD)
        chunk = _Chunk(head[:4], at, int.from_bytes(head[4:], order))
        if not all(32 <= letter < 127 for letter in chunk.name):
            return
        if chunk.name == b"ds64":
            wide = int.from_bytes(read_at(file, at + 16, 8), "little")
        if chunk.name in _SOUND:
            if chunk.size == _OPEN and wide is not None:
                chunk = chunk._replace(size=wide)
            if chunk.size in (0, _OPEN) or chunk.end > stop:
                yield chunk._replace(size=stop - chunk.body, open=True)
                return
        elif chunk.end > size:
            raise ValueError("one of its chunks is cut off")
        yield chunk
        at = chunk.end + chunk.size % 2
    raise ValueError("it has too many chunks")


def _new(
    chunks: Sequence[_Chunk], stop: int, order: Literal["big", "little"], total: list[Field]
) -> Tag:
    """Return the position for a new chunk: the end, unless the sound extends to it."""
    last = chunks[-1] if chunks else _Chunk(b"", stop - _HEAD, 0)
    end = last.end + last.size % 2
    if last.open or end > stop:
        end = last.at
    name = b"ID3 " if order == "big" else b"id3 "

    def build(frames: Sequence[bytes]) -> bytes:
        body = id3.build(frames)
        return name + len(body).to_bytes(4, order) + body + b"\0" * (len(body) % 2)

    tag = id3.new_id3v2("id3v2", end)
    tag.build, tag.parents = build, total
    return tag


def _info(file: BinaryIO, chunk: _Chunk, name: str, total: list[Field]) -> Tag:
    tag = Tag(name, _Info(), chunk.end, parents=total)
    tag.outer = [Field(chunk.at + 4, 4, chunk.size, "little")]
    at = chunk.body + 4
    while at + _HEAD <= chunk.end:
        head = read_at(file, at, _HEAD)
        length = int.from_bytes(head[4:], "little")
        end = min(at + _HEAD + length + length % 2, chunk.end)
        tag.add(read_at(file, at, end - at), at, end, genre=head[:4] == b"IGNR")
        at = end
    return tag
