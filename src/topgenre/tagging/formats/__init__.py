"""Find the genre in the tags of each music format, to the byte."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from topgenre.errors import TagError
from topgenre.tagging.formats.ape import ape
from topgenre.tagging.formats.asf import HEADER, asf
from topgenre.tagging.formats.id3 import id3v1, id3v2, new_id3v2
from topgenre.tagging.formats.mp4 import mp4
from topgenre.tagging.formats.ogg import ogg
from topgenre.tagging.formats.riff import riff
from topgenre.tagging.formats.tag import (
    Edit,
    Layout,
    SealedError,
    Tag,
    applied,
    growth,
    merged,
    read_at,
    size_of,
)
from topgenre.tagging.formats.vorbis import flac

__all__ = ["Edit", "GenreTag", "TaggedFile", "applied", "explained", "growth", "reason", "status"]

_MOST_ID3 = 10  # consecutive tags


class GenreTag(NamedTuple):
    """The genre in a file's tags.

    Attributes
    ----------
    genres : tuple of str
        Names; numbers in tags are spelt out.
    raw : dict
        The bytes of the genre in each tag, as JSON.
    agreed : bool
        Whether all tags with a genre agree.
    """

    genres: tuple[str, ...]
    raw: dict[str, Any]
    agreed: bool = True


class TaggedFile:
    """The tags of an open music file, with edits to change the genre.

    Parameters
    ----------
    file : binary file
        Must be seekable and stay open.

    Raises
    ------
    ValueError
        If the file is damaged or not music.
    TagError
        If the tags of the format cannot be written.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._layout = _layout(file, name)

    def genre(self) -> GenreTag:
        """Return the genre."""
        tags = self._layout.tags
        genres = tuple(next((tag.values for tag in tags if tag.values), ()))
        agreed = all(tag.values in ([], tag.would_say(genres)) for tag in tags)
        raw = {"tags": {tag.name: tag.raw() for tag in tags if tag.build is None}}
        return GenreTag(genres, raw, agreed)

    def others(self) -> dict[str, list[bytes]]:
        """Return the SHA-256 of all other elements of each tag."""
        return {tag.name: tag.others for tag in self._layout.tags if tag.build is None}

    @property
    def loose(self) -> bool:
        """Whether FFmpeg takes data after the sound for a part of it."""
        return self._layout.loose

    def set(self, genres: Sequence[str]) -> list[Edit]:
        """Return the edits that write genres into all tags with a genre, or the main tag."""
        main = next(tag for tag in self._layout.main if tag.codec.holds(genres))
        return merged(
            tag.change(tag.encode(genres))
            for tag in self._layout.tags
            if tag is main or (tag.genre and not tag.build)
        )

    def restore(self, old: GenreTag, genres: Sequence[str]) -> list[Edit]:
        """Return the edits that replace genres by an old tag's, wherever they occur."""
        changes = []
        said: Mapping[str, Any] | None = old.raw.get("tags")
        for tag in self._layout.tags:
            if tag.build or not tag.genre or tag.values != tag.would_say(genres):
                continue
            before = None if said is None else said.get(tag.name)
            if before and before["form"] == tag.codec.form:
                new = [bytes.fromhex(element) for element in before["elements"]]
            else:
                values = old.genres if said is None else before["values"] if before else ()
                new = tag.encode(values) if values or tag.name == "id3v1" else []
            changes.append(tag.change(new, drop=before is None))
        return merged(changes)

    def finish(self, edits: list[Edit]) -> list[Edit]:
        """Return the sorted edits of the file for edits of its tags."""
        return self._layout.finish(edits)

    def inverse(self, edits: Sequence[Edit]) -> list[Edit]:
        """Return the edits that undo edits of the tags."""
        found = []
        shift = 0
        for edit in edits:
            data = self._layout.data
            old = (
                data[edit.start : edit.end]
                if data is not None
                else read_at(self._file, edit.start, edit.end - edit.start)
            )
            start = edit.start + shift
            found.append(Edit(start, start + len(edit.data), old))
            shift += growth([edit])
        return found


def _layout(file: BinaryIO, name: str) -> Layout:
    """Find the tags of a file; its content decides on the format."""
    size = size_of(file)
    front: list[Tag] = []
    start = 0
    while len(front) < _MOST_ID3 and (tag := id3v2(file, start, size, f"id3v2.front.{len(front)}")):
        front.append(tag)
        assert tag.extent
        start = tag.extent[1]
    file.seek(start)
    head = file.read(16)
    if head.startswith(b"fLaC"):
        return _with(front, [flac(file, start, size)])
    if (head[:4], head[8:12]) in _CHUNKED:
        return _with(front, riff(file, start, size))
    if head.startswith((b"wvpk", b"MAC ", b"MPCK", b"MP+", b"OFR ")):
        v1 = id3v1(file, size)
        tags = [ape(file, size), *([v1] if v1 else [])]
        return Layout([*tags, *front], tags[:1], loose=head.startswith(b"MAC "))
    if not front:
        if head.startswith(b"OggS"):
            return ogg(file, start, size)
        if head.startswith(HEADER):
            return _with([], asf(file, start, size))
        if head[4:8] in _BOXES:
            return mp4(file, start, size)
    if head.startswith(_OTHERS) or (not front and head.startswith(_ADTS)):
        raise _unknown(name)
    return _mp3(file, name, front, start, size)


_CHUNKED = {(b"RIFF", b"WAVE"), (b"RF64", b"WAVE"), (b"BW64", b"WAVE")} | {
    (b"FORM", b"AIFF"),
    (b"FORM", b"AIFC"),
}
_OTHERS = (
    *(b"\x1aE\xdf\xa3", b"TTA1", b"tBaK", b"DSD ", b"FRM8", b"caff", b".snd", b"\x0bw", b"riff"),
    *(b"#!AMR", b"FLV", b"MThd", b"ajkg", b"IMPM", b"Extended Module", b"GIF8", b"\x89PNG"),
)
_ADTS = (b"\xff\xf1", b"\xff\xf9")
_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"}


def _with(front: list[Tag], tags: list[Tag]) -> Layout:
    return Layout([*tags, *front], tags[:1])


def _mp3(file: BinaryIO, name: str, front: list[Tag], start: int, size: int) -> Layout:
    """Return the tags of an MP3 file.

    The genre goes into the kind of tag that the file has. Most players read one kind only, so with
    a new tag that has only a genre they would no longer show the title.
    """
    from mutagen.mp3 import HeaderNotFoundError, MPEGInfo

    file.seek(start)
    try:
        MPEGInfo(file, start)
    except (HeaderNotFoundError, EOFError) as error:
        if _is_sound(file, name):
            raise _unknown(name) from error
        raise ValueError("it does not look like music") from error
    behind, last = ape(file, size), id3v1(file, size)
    found = [*front, *([] if behind.build else [behind]), *([last] if last else [])]
    new = [] if front or not behind.build else [new_id3v2("id3v2.front.0", 0)]
    return Layout([*found, *new], [*found[:1], *new], loose=True)


def _unknown(name: str) -> TagError:
    return TagError(
        f"{name}: topgenre cannot write tags of this format, only those of MP3, FLAC, Ogg, Opus, "
        "MP4, WMA, WAV, AIFF, WavPack, Musepack and Monkey's Audio"
    )


def _is_sound(file: BinaryIO, name: str) -> bool:
    from topgenre.audio.source import opened
    from topgenre.audio.track import Track
    from topgenre.errors import AudioError

    try:
        with opened(file, name) as reader, Track(reader, name):
            return True
    except (AudioError, OSError):
        return False


def status(path: str) -> os.stat_result:
    """Return the status of a regular file; anything else has no tags."""
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise TagError(f"{path}: there is no such file; check the name") from error
    if not stat.S_ISREG(found.st_mode):
        raise TagError(f"{path}: this is a folder, a device or a pipe; name a file")
    return found


# Raised for damaged bytes.
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, EOFError, OverflowError)


_NO_ACCESS = "it cannot be read or replaced"
_CHECK = "check the disk, the folder and permissions"


@contextmanager
def explained(path: str, what: str = _NO_ACCESS) -> Iterator[None]:
    """Turn errors into a TagError that says why a file cannot be read or changed."""
    try:
        yield
    except TagError:
        raise
    except SealedError as error:
        raise unchanged(path, str(error)) from error
    except OSError as error:
        raise unchanged(path, f"{what} ({reason(error)})", _CHECK) from error
    except (struct.error, *_DAMAGE) as error:
        raise unchanged(
            path, f"its tags are damaged, or it is not music ({reason(error)})"
        ) from error


def unchanged(path: str, why: str, what_to_do: str = "it was not changed") -> TagError:
    """Return the error for a file that was not changed."""
    return TagError(f"{path}: {why}; {what_to_do}")


def reason(error: BaseException) -> str:
    """Return the message of an error on one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
