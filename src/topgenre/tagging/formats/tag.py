"""Parse one tag of a file into bytes, and make the edits that change its genre.

A tag is a list of elements: frames, comments, items, atoms or attributes. The edits replace those
with a genre, adjust padding, and correct the lengths and counts around them. Every other byte of
the file stays unchanged, also where its meaning is unknown.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, NamedTuple

_LARGEST_ELEMENT = 1 << 16  # bytes of a genre, which goes into the journal


class SealedError(ValueError):
    """Intact tags that topgenre cannot change; the text says why."""


class Edit(NamedTuple):
    """Replace the bytes from `start` to `end` by `data`."""

    start: int
    end: int
    data: bytes


class Element(NamedTuple):
    """An element with a genre, and its position."""

    start: int
    end: int
    raw: bytes


class Field(NamedTuple):
    """A length or a count stored at an offset."""

    at: int
    width: int
    value: int
    order: Literal["big", "little"] = "big"
    bits: int = 8  # per byte; 7 if the highest bit is unused

    def plus(self, delta: int) -> Edit:
        """Return the edit that adds to it."""
        value = self.value + delta
        if not 0 <= value < 1 << (self.width * self.bits):
            raise SealedError("its tags would be too large for the format")
        mask = (1 << self.bits) - 1
        digits = bytes((value >> (self.bits * n)) & mask for n in range(self.width))
        return Edit(
            self.at, self.at + self.width, digits if self.order == "little" else digits[::-1]
        )


class Room(NamedTuple):
    """Padding that a tag may grow into, and the field with its length."""

    at: int
    size: int
    length: Field | None = None


class Codec(ABC):
    """Spelling of genres in a kind of tag."""

    form: str  # raw elements are interchangeable between tags of the same form

    @abstractmethod
    def values(self, raw: bytes) -> list[str]:
        """Return the genres in an element."""

    @abstractmethod
    def encode(self, genres: Sequence[str], like: bytes | None) -> list[bytes]:
        """Return the elements for genres; `like` is a replaced one, or None."""

    def holds(self, _genres: Sequence[str]) -> bool:
        """Return whether the tag can store these genres."""
        return True


@dataclass
class Tag:
    """One tag of a file, or the position for a new one.

    Attributes
    ----------
    name : str
        Distinguishes it from the other tags of the file.
    codec : Codec
    at : int
        Offset at which to add an element, or a whole new tag.
    genre : list of Element
        The elements with a genre.
    others : list of bytes
        SHA-256 of each other element, in order.
    counts, inner, outer : list of Field
        Numbers of elements; lengths of the elements alone; lengths of the elements with padding.
    parents : list of Field
        Lengths of the enclosing structures.
    room : Room, optional
    build : callable, optional
        Builds a whole tag from elements; None if the tag exists.
    registers : (Field, int), optional
        A number outside the tag that changes when it is built, and by how much.
    extent : (int, int), optional
        Range of the tag, if it can be removed as a whole.
    sealed : str, optional
        Why the tag can be read but not changed.
    align : (int, bool), optional
        End of a chunk that must be padded to an even length, and whether a padding byte follows.
    """

    name: str
    codec: Codec
    at: int
    genre: list[Element] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)
    counts: list[Field] = field(default_factory=list)
    inner: list[Field] = field(default_factory=list)
    outer: list[Field] = field(default_factory=list)
    parents: list[Field] = field(default_factory=list)
    room: Room | None = None
    build: Callable[[Sequence[bytes]], bytes] | None = None
    registers: tuple[Field, int] | None = None
    extent: tuple[int, int] | None = None
    sealed: str | None = None
    align: tuple[int, bool] | None = None

    @property
    def values(self) -> list[str]:
        """The genres; blank ones do not count."""
        return self._values(element.raw for element in self.genre)

    def _values(self, elements: Iterable[bytes]) -> list[str]:
        values = (value for raw in elements for value in self.codec.values(raw))
        return [value for value in values if value.strip()]

    def encode(self, genres: Sequence[str]) -> list[bytes]:
        """Return the elements for genres."""
        return self.codec.encode(genres, self.genre[0].raw if self.genre else None)

    def would_say(self, genres: Sequence[str]) -> list[str]:
        """Return `values` as they are after writing these genres."""
        return self._values(self.encode(genres))

    def raw(self) -> dict[str, Any]:
        """Return the bytes of the genre, as JSON."""
        return {
            "form": self.codec.form,
            "elements": [element.raw.hex() for element in self.genre],
            "values": self.values,
        }

    def add(self, raw: bytes, start: int, end: int, *, genre: bool) -> None:
        """Add an element while the tag is parsed."""
        if not genre:
            self.others.append(hashlib.sha256(raw).digest())
        elif len(raw) > _LARGEST_ELEMENT:
            raise SealedError("its genre is too long")
        else:
            self.genre.append(Element(start, end, raw))

    def change(self, new: Sequence[bytes], *, drop: bool = False) -> Change:
        """Return the edits that replace the elements of the genre.

        Parameters
        ----------
        new : sequence of bytes
            Whole elements.
        drop : bool
            Whether to remove the whole tag if nothing is left in it.
        """
        if self.sealed:
            raise SealedError(self.sealed)
        edits: list[Edit] = []
        fields: Counter[Field] = Counter()
        if self.build:
            data = self.build(new) if new else b""
            edits.append(Edit(self.at, self.at, data))
            if self.registers and data:
                fields[self.registers[0]] += self.registers[1]
            self._grow(fields, self.parents, len(data))
            return Change(edits, fields)
        if drop and not new and not self.others and self.extent:
            edits.append(Edit(*self.extent, b""))
            self._grow(fields, self.parents, -(self.extent[1] - self.extent[0]))
            return Change(edits, fields)
        first = self.genre[0] if self.genre else Element(self.at, self.at, b"")
        edits.append(Edit(first.start, first.end, b"".join(new)))
        edits += (Edit(element.start, element.end, b"") for element in self.genre[1:])
        grown = growth(edits)
        self._grow(fields, self.counts, len(new) - len(self.genre))
        self._grow(fields, self.inner, grown)
        if self.room and self.room.size and grown <= self.room.size:
            at = self.room.at
            edits.append(Edit(at, at + max(grown, 0), bytes(max(-grown, 0))))
            self._grow(fields, [self.room.length] if self.room.length else [], -grown)
            grown = 0
        self._grow(fields, self.outer, grown)
        if self.align and grown % 2:
            end, padded = self.align
            edits.append(Edit(end, end + padded, b"" if padded else b"\0"))
            grown += -1 if padded else 1
        self._grow(fields, self.parents, grown)
        return Change(edits, fields)

    @staticmethod
    def _grow(fields: Counter[Field], which: Iterable[Field], delta: int) -> None:
        for each in which:
            fields[each] += delta


@dataclass
class Layout:
    """All tags of a file.

    Attributes
    ----------
    tags : list of Tag
        In the order in which players look for a genre.
    main : list of Tag
        Candidates for a new genre; the first that can store it gets it.
    finish : callable
        Turns edits of the tags into edits of the file, if more must change.
    data : bytes, optional
        What the offsets of the tags refer to, if not the file.
    loose : bool
        Whether FFmpeg takes data after the sound for a part of it.
    """

    tags: list[Tag]
    main: list[Tag]
    finish: Callable[[list[Edit]], list[Edit]] = list
    data: bytes | None = None
    loose: bool = False


class Change(NamedTuple):
    """Edits of one tag, and the changes of lengths and counts."""

    edits: list[Edit]
    fields: Counter[Field]


def growth(edits: Iterable[Edit]) -> int:
    """Return the number of bytes by which a file grows."""
    return sum(len(edit.data) - (edit.end - edit.start) for edit in edits)


def merged(changes: Iterable[Change]) -> list[Edit]:
    """Return the sorted edits of several changes, without empty ones.

    Changes of the same length are added up.
    """
    edits: list[Edit] = []
    fields: Counter[Field] = Counter()
    for change in changes:
        edits += change.edits
        fields.update(change.fields)
    edits += (each.plus(delta) for each, delta in fields.items() if delta)
    return ordered(edit for edit in edits if edit.data or edit.end > edit.start)


def ordered(edits: Iterable[Edit]) -> list[Edit]:
    """Sort edits by position; insertions at one position keep their order."""
    return sorted(edits, key=lambda edit: edit[:2])


def applied(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Apply sorted edits to bytes."""
    parts, at = [], 0
    for edit in edits:
        parts += [data[at : edit.start], edit.data]
        at = edit.end
    return b"".join([*parts, data[at:]])


def read_at(file: BinaryIO, at: int, size: int) -> bytes:
    """Read bytes at an offset.

    Raises
    ------
    ValueError
        If the file is too short.
    """
    file.seek(at)
    data = file.read(size) if size > 0 else b""
    if size < 0 or len(data) != size:
        raise ValueError("it is cut off")
    return data


def size_of(file: BinaryIO) -> int:
    """Return the size of a file."""
    return file.seek(0, os.SEEK_END)


def numbered() -> list[str]:
    """Return the genres of ID3v1 and MP4 by number."""
    from mutagen.id3 import TCON

    return list(TCON.GENRES)


def number_of(genre: str) -> int | None:
    """Return the number of a genre in ID3v1."""
    numbers = {name.casefold(): number for number, name in enumerate(numbered())}
    return numbers.get(genre.casefold())
