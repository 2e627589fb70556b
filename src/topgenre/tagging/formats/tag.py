"""One tag of a file, taken apart into bytes, and the edits that change the genre in it.

A tag is a list of elements: frames, comments, items, atoms or attributes. The edits replace those
of the genre, adjust padding, and correct the lengths and counts around them. Every other byte of
the file stays as it is, whatever it means and whether or not anybody understands it.
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
    """Tags are as they should be, but cannot be changed here; the text says why."""


class Edit(NamedTuple):
    """Put `data` in place of the bytes from `start` to `end`."""

    start: int
    end: int
    data: bytes


class Element(NamedTuple):
    """An element of a tag that holds a genre, and where it lies."""

    start: int
    end: int
    raw: bytes


class Field(NamedTuple):
    """A length or a count that a file states at an offset."""

    at: int
    width: int
    value: int
    order: Literal["big", "little"] = "big"
    bits: int = 8  # of each byte; 7 where the highest bit is not used

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
    """Padding that a tag may grow into: `size` zero bytes, and the field that states its length."""

    at: int
    size: int
    length: Field | None = None


class Codec(ABC):
    """How a kind of tag spells genres."""

    form: str  # raw elements may go from one tag to another of the same form

    @abstractmethod
    def values(self, raw: bytes) -> list[str]:
        """Return the genres in an element."""

    @abstractmethod
    def encode(self, genres: Sequence[str], like: bytes | None) -> list[bytes]:
        """Return the elements for genres; `like` is one that is replaced, or None."""

    def holds(self, _genres: Sequence[str]) -> bool:
        """Tell whether it can spell these genres."""
        return True


@dataclass
class Tag:
    """One tag of a file, or the place for one.

    Attributes
    ----------
    name : str
        Tells it from the other tags of the file.
    codec : Codec
    at : int
        Offset at which an element is added, or the whole tag if it is not there.
    genre : list of Element
        The elements that hold a genre.
    others : list of bytes
        SHA-256 of each other element, in order.
    counts, inner, outer : list of Field
        Numbers of elements; lengths of the elements alone; lengths of the elements with padding.
    parents : list of Field
        Lengths of what the tag lies in.
    room : Room, optional
    build : callable, optional
        Makes a whole tag from elements. None if the tag is there.
    registers : (Field, int), optional
        A number outside of it that changes when it is built, and by how much.
    extent : (int, int), optional
        Where the tag lies, if it can be taken out as a whole.
    sealed : str, optional
        Why it can be read, but not be changed.
    align : (int, bool), optional
        End of a chunk that must be padded to an even length, and whether a byte of padding
        follows there.
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
        """The genres that it holds; blank ones do not count."""
        return self._values(element.raw for element in self.genre)

    def _values(self, elements: Iterable[bytes]) -> list[str]:
        values = (value for raw in elements for value in self.codec.values(raw))
        return [value for value in values if value.strip()]

    def encode(self, genres: Sequence[str]) -> list[bytes]:
        """Return the elements for genres."""
        return self.codec.encode(genres, self.genre[0].raw if self.genre else None)

    def would_say(self, genres: Sequence[str]) -> list[str]:
        """Return what `values` is when these genres have been written."""
        return self._values(self.encode(genres))

    def raw(self) -> dict[str, Any]:
        """Return the genre to the byte, as JSON can hold it."""
        return {
            "form": self.codec.form,
            "elements": [element.raw.hex() for element in self.genre],
            "values": self.values,
        }

    def add(self, raw: bytes, start: int, end: int, *, genre: bool) -> None:
        """Take note of an element while the tag is read."""
        if not genre:
            self.others.append(hashlib.sha256(raw).digest())
        elif len(raw) > _LARGEST_ELEMENT:
            raise SealedError("its genre is too long")
        else:
            self.genre.append(Element(start, end, raw))

    def change(self, new: Sequence[bytes], *, drop: bool = False) -> Change:
        """Return the edits that put new elements in place of the genre.

        Parameters
        ----------
        new : sequence of bytes
            Whole elements.
        drop : bool
            Whether to take out the tag as a whole, if nothing is left in it.
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
        Those that may get a genre that none of them has; the first that can spell it gets it.
    finish : callable
        Makes edits of the file from edits of the tags, where more than they must change.
    data : bytes, optional
        What the tags' offsets count in, if that is not the file.
    loose : bool
        Whether FFmpeg takes some of what stands behind the sound for a part of it.
    """

    tags: list[Tag]
    main: list[Tag]
    finish: Callable[[list[Edit]], list[Edit]] = list
    data: bytes | None = None
    loose: bool = False


class Change(NamedTuple):
    """Edits of one tag, and how much lengths and counts change by them."""

    edits: list[Edit]
    fields: Counter[Field]


def growth(edits: Iterable[Edit]) -> int:
    """Return by how many bytes a file grows."""
    return sum(len(edit.data) - (edit.end - edit.start) for edit in edits)


def merged(changes: Iterable[Change]) -> list[Edit]:
    """Return the edits of several changes in the order of the file; those of nothing are left out.

    Lengths that several of them change are added up.
    """
    edits: list[Edit] = []
    fields: Counter[Field] = Counter()
    for change in changes:
        edits += change.edits
        fields.update(change.fields)
    edits += (each.plus(delta) for each, delta in fields.items() if delta)
    return ordered(edit for edit in edits if edit.data or edit.end > edit.start)


def ordered(edits: Iterable[Edit]) -> list[Edit]:
    """Sort edits by place; what is put in at one place stays in its order."""
    return sorted(edits, key=lambda edit: edit[:2])


def applied(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Return bytes with sorted edits in them."""
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
        If the file ends before.
    """
    file.seek(at)
    data = file.read(size) if size > 0 else b""
    if size < 0 or len(data) != size:
        raise ValueError("it is cut off")
    return data


def size_of(file: BinaryIO) -> int:
    """Return the number of bytes of a file."""
    return file.seek(0, os.SEEK_END)


def numbered() -> list[str]:
    """Return the genres that ID3v1 and MP4 number."""
    from mutagen.id3 import TCON

    return list(TCON.GENRES)


def number_of(genre: str) -> int | None:
    """Return the number of a genre in ID3v1."""
    numbers = {name.casefold(): number for number, name in enumerate(numbered())}
    return numbers.get(genre.casefold())
