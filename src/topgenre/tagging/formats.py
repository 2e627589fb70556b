"""Where each format of music keeps the genre, as mutagen sees it."""

from __future__ import annotations

import os
import stat
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from topgenre.errors import TagError

_ID3V1_BYTES = 128
_NO_ID3V1_GENRE = 255
_LATIN1, _UTF16, _UTF8 = 0, 1, 3  # text encodings of ID3v2; the last is unknown to version 2.3


class GenreTag(NamedTuple):
    """The genre that a file says it has.

    Attributes
    ----------
    genres : tuple of str
        Names; those that tags have as numbers are spelt out.
    raw : dict
        Exactly what stands in the tags, as JSON can hold it.
    """

    genres: tuple[str, ...]
    raw: dict[str, Any]


def status(path: str) -> os.stat_result:
    """Return what the system says of a file; nothing else has tags."""
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise TagError(f"{path}: there is no such file; check the name") from error
    if not stat.S_ISREG(found.st_mode):
        raise TagError(f"{path}: this is a folder, a device or a pipe; name a file")
    return found


class TaggedFile(ABC):
    """A music file as mutagen sees it, and where its kind of tags keeps the genre."""

    options: ClassVar[dict[str, Any]] = {}

    def __init__(self, kind: type[Any], path: str | os.PathLike[str]) -> None:
        self._kind = kind
        self._path = os.fspath(path)
        self._file: Any = kind(self._path, **self.options)

    def at(self, path: Path) -> TaggedFile:
        """Open a copy of the file."""
        return type(self)(self._kind, path)

    @property
    def _tags(self) -> Any:
        return self._file.tags

    @abstractmethod
    def genre(self) -> GenreTag:
        """Return what is there."""

    @abstractmethod
    def set(self, genres: Sequence[str]) -> None:
        """Put genres into the tags."""

    @abstractmethod
    def restore(self, raw: dict[str, Any]) -> None:
        """Make the tags what `genre` said they were."""

    @abstractmethod
    def others(self) -> Any:
        """Return all other tags, to be compared."""

    def save(self) -> None:
        """Write the tags into the file."""
        self._file.save()

    def _add_tags(self) -> None:
        if self._tags is None:
            self._file.add_tags()


class _Id3(TaggedFile):
    """ID3v2, and the older ID3v1 with its one byte for the genre at the end of an MP3 file."""

    # Otherwise mutagen translates older versions' frames, and takes ID3v1 for a part of ID3v2.
    options: ClassVar[dict[str, Any]] = {"translate": False, "load_v1": False}

    def __init__(self, kind: type[Any], path: str | os.PathLike[str]) -> None:
        super().__init__(kind, path)
        from mutagen.id3 import ID3FileType

        self._v1 = self._read_v1() if issubclass(kind, ID3FileType) else None
        self._had_tags = self._tags is not None
        self._no_tags = False  # whether none shall be left
        if self._had_tags and self._tags.version < (2, 3):
            # Nothing writes ID3v2.2 any more; 2.3 is what is nearest.
            self._tags.update_to_v23()
            self._version = 3
        else:
            self._version = self._tags.version[1] if self._had_tags else 4

    def _read_v1(self) -> bytes | None:
        with Path(self._path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _ID3V1_BYTES))
            data = file.read()
        return data if data.startswith(b"TAG") and len(data) == _ID3V1_BYTES else None

    def genre(self) -> GenreTag:
        frame = self._tags.get("TCON") if self._had_tags else None
        genres = tuple(frame.genres) if frame else ()
        number = self._v1[-1] if self._v1 else None
        if not genres and number is not None and number < len(_numbered()):
            genres = (_numbered()[number],)
        return GenreTag(
            genres,
            {
                "format": "id3",
                "tags": self._had_tags,
                "text": list(frame.text) if frame else None,
                "encoding": int(frame.encoding) if frame else None,
                "id3v1": number,
            },
        )

    def set(self, genres: Sequence[str]) -> None:
        self._add_tags_from_v1()
        frame = self._tags.get("TCON")
        self._put(list(genres), self._encoding(genres, frame and int(frame.encoding)))
        if self._v1:
            numbers = {name.casefold(): number for number, name in enumerate(_numbered())}
            self._v1 = self._v1[:-1] + bytes([numbers.get(genres[0].casefold(), _NO_ID3V1_GENRE)])

    def restore(self, raw: dict[str, Any]) -> None:
        if raw["text"] is None:
            if self._had_tags:
                self._tags.delall("TCON")
                self._no_tags = not raw["tags"] and self._nothing_but_v1()
        else:
            self._add_tags_from_v1()
            self._put(raw["text"], raw["encoding"])
        if self._v1 and raw["id3v1"] is not None:
            self._v1 = self._v1[:-1] + bytes([raw["id3v1"]])

    def others(self) -> dict[str, Any]:
        if self._had_tags:
            return {key: repr(frame) for key, frame in self._tags.items() if key != "TCON"}
        return {key: repr(frame) for key, frame in self._v1_frames().items()}

    def save(self) -> None:
        if self._no_tags:
            self._delete()
        elif self._tags is not None:
            # Without a separator of its own, mutagen keeps several values as they are.
            self._file.save(v2_version=self._version, v23_sep=None)
        if self._v1:
            # mutagen would write the whole of ID3v1 anew, with what ID3v2 says.
            with Path(self._path).open("r+b") as file:
                file.seek(-_ID3V1_BYTES, os.SEEK_END)
                file.write(self._v1)

    def _delete(self) -> None:
        from mutagen.id3 import ID3, ID3FileType

        if issubclass(self._kind, ID3FileType):
            ID3().delete(self._path, delete_v1=False)
        else:
            self._file.delete()

    def _put(self, text: list[str], encoding: int) -> None:
        from mutagen.id3 import TCON

        self._tags.setall("TCON", [TCON(encoding=encoding, text=text)])

    def _encoding(self, genres: Sequence[str], before: int | None) -> int:
        unicode = _UTF8 if self._version == 4 else _UTF16
        if before is not None and before != _LATIN1:
            return before if before != _UTF8 or self._version == 4 else unicode
        try:
            "".join(genres).encode("latin-1")
        except UnicodeEncodeError:
            return unicode
        return _LATIN1

    def _add_tags_from_v1(self) -> None:
        """Begin ID3v2 with what ID3v1 says, as players look at the first that they find."""
        if not self._had_tags:
            self._file.add_tags()
            for frame in self._v1_frames().values():
                self._tags.add(frame)

    def _v1_frames(self) -> dict[str, Any]:
        from mutagen.id3 import ParseID3v1

        frames = (ParseID3v1(self._v1) if self._v1 else None) or {}
        return {frame.HashKey: frame for key, frame in frames.items() if key != "TCON"}

    def _nothing_but_v1(self) -> bool:
        frames = self._v1_frames()
        return all(repr(frame) == repr(frames.get(key)) for key, frame in self._tags.items())


class _Vorbis(TaggedFile):
    """Vorbis comments: fields in an order, any of them several times."""

    def genre(self) -> GenreTag:
        fields = [
            [place, key, value]
            for place, (key, value) in enumerate(self._tags or ())
            if key.casefold() == "genre"
        ]
        return GenreTag(
            tuple(value for _, _, value in fields if value.strip()),
            {"format": "vorbis", "tags": self._tags is not None, "fields": fields},
        )

    def set(self, genres: Sequence[str]) -> None:
        self._add_tags()
        fields = self.genre().raw["fields"]
        place, key = fields[0][:2] if fields else (len(self._tags), "GENRE")
        self._put([[place + n, key, genre] for n, genre in enumerate(genres)])

    def restore(self, raw: dict[str, Any]) -> None:
        self._add_tags()
        self._put(raw["fields"])
        if not raw["tags"] and not self._tags:
            self._file.delete()

    def others(self) -> tuple[list[tuple[str, str]], list[bytes]]:
        # FLAC has its pictures beside the comments.
        pictures = [picture.write() for picture in getattr(self._file, "pictures", ())]
        return self._rest(), pictures

    def _rest(self) -> list[tuple[str, str]]:
        return [(key, value) for key, value in self._tags or () if key.casefold() != "genre"]

    def _put(self, fields: list[Any]) -> None:
        kept = self._rest()
        for place, key, value in fields:
            kept.insert(place, (key, value))
        self._tags[:] = kept


class _Keyed(TaggedFile):
    """Tags that keep a list of genres under one key."""

    form: str

    @abstractmethod
    def _values(self) -> list[str] | None: ...

    @abstractmethod
    def _put(self, values: list[str]) -> None: ...

    @abstractmethod
    def _remove(self) -> None: ...

    def genre(self) -> GenreTag:
        values = self._values() if self._tags is not None else None
        return GenreTag(
            tuple(value for value in values or () if value.strip()),
            {"format": self.form, "tags": self._tags is not None, "values": values},
        )

    def set(self, genres: Sequence[str]) -> None:
        self._add_tags()
        self._put(list(genres))

    def restore(self, raw: dict[str, Any]) -> None:
        if raw["values"] is not None:
            self.set(raw["values"])
        elif self._tags is not None:
            self._remove()
            if not raw["tags"] and not self._tags:
                self._file.delete()


class _Mp4(_Keyed):
    form = "mp4"
    _key = "\xa9gen"

    def _values(self) -> list[str] | None:
        values = self._tags.get(self._key)
        return None if values is None else list(values)

    def _put(self, values: list[str]) -> None:
        self._tags[self._key] = values

    def _remove(self) -> None:
        self._tags.pop(self._key, None)

    def others(self) -> dict[str, Any]:
        return {key: value for key, value in (self._tags or {}).items() if key != self._key}


class _Ape(_Keyed):
    form = "ape"
    _key = "Genre"  # mutagen looks keys up in any case

    def _values(self) -> list[str] | None:
        value = self._tags.get(self._key)
        return None if value is None else str(value).split("\0")

    def _put(self, values: list[str]) -> None:
        from mutagen.apev2 import APETextValue

        self._tags[self._key] = APETextValue("\0".join(values), 0)

    def _remove(self) -> None:
        self._tags.pop(self._key, None)

    def others(self) -> dict[str, Any]:
        return {
            key: (value.kind, value.value)
            for key, value in (self._tags or {}).items()
            if key.casefold() != self._key.casefold()
        }


class _Asf(_Keyed):
    form = "asf"
    _key = "WM/Genre"

    def _values(self) -> list[str] | None:
        values = self._tags.get(self._key)
        return None if values is None else [str(value) for value in values]

    def _put(self, values: list[str]) -> None:
        self._tags[self._key] = values

    def _remove(self) -> None:
        if self._key in self._tags:
            del self._tags[self._key]

    def others(self) -> list[tuple[str, str]]:
        return [(key, repr(value)) for key, value in self._tags or () if key != self._key]


def _numbered() -> list[str]:
    """Return the genres that ID3v1 numbers."""
    from mutagen.id3 import TCON

    return list(TCON.GENRES)


def open_tagged(path: str) -> TaggedFile:
    """Open a file by its content.

    Raises
    ------
    TagError
        If there is no such file, its tags are damaged, or nobody knows how to write them.
    """
    import mutagen
    from mutagen.aiff import AIFF
    from mutagen.apev2 import APEv2File
    from mutagen.asf import ASF
    from mutagen.flac import FLAC
    from mutagen.mp3 import MP3
    from mutagen.mp4 import MP4
    from mutagen.oggflac import OggFLAC
    from mutagen.oggopus import OggOpus
    from mutagen.oggvorbis import OggVorbis
    from mutagen.wave import WAVE

    forms: tuple[tuple[type[TaggedFile], tuple[type[Any], ...]], ...] = (
        (_Id3, (MP3, AIFF, WAVE)),
        (_Vorbis, (FLAC, OggVorbis, OggOpus, OggFLAC)),
        (_Mp4, (MP4,)),
        (_Ape, (APEv2File,)),
        (_Asf, (ASF,)),
    )
    with explained(path):
        status(path)
        found = mutagen.File(path)
        for form, kinds in forms:
            if isinstance(found, kinds):
                return form(type(found), path)
    raise TagError(
        f"{path}: topgenre cannot write tags of this format; it can those of MP3, FLAC, Ogg, "
        "Opus, MP4, WMA, WAV, AIFF, WavPack and Monkey's Audio"
    )


# What mutagen lets through when bytes are not what they should be.
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, EOFError, OverflowError)


_NO_ACCESS = "it cannot be read or replaced"
_CHECK = "check the disk, the folder and permissions"


@contextmanager
def explained(path: str, what: str = _NO_ACCESS) -> Iterator[None]:
    """Say in one line what keeps a file from being read or changed."""
    from mutagen import MutagenError

    try:
        yield
    except TagError:
        raise
    except (OSError, MutagenError, struct.error, *_DAMAGE) as error:
        # mutagen wraps the system's errors, and raises some of its own that have no number.
        cause = error.args[0] if error.args and isinstance(error.args[0], OSError) else error
        if isinstance(cause, OSError) and cause.errno:
            raise unchanged(path, f"{what} ({reason(cause)})", _CHECK) from error
        raise unchanged(
            path, f"its tags are damaged, or it is no music ({reason(cause)})"
        ) from error


def unchanged(path: str, why: str, what_to_do: str = "it was left as it is") -> TagError:
    """Return the error that says why a file was not changed."""
    return TagError(f"{path}: {why}; {what_to_do}")


def reason(error: BaseException) -> str:
    """Word an error in one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
