"""Read artist, title, album and genre from the tags of music files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from topgenre.audio.source import opened
from topgenre.audio.track import DECODING_ERRORS, metadata
from topgenre.errors import AudioError
from topgenre.library.song import Tags

_LONGEST = 300  # characters: some tags hold essays, or whole pictures
# Mutagen scores each kind of file by 128 bytes and the suffix; to a file that looks like MP3 in
# both, no other kind gives more than 2.
_HEAD, _BEST_OF_OTHERS = 128, 2

# In ID3, MP4, ASF, and in Vorbis comments, APEv2 and what FFmpeg makes of the rest.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "artist": ("TPE1", "\xa9ART", "Author", "artist"),
    "title": ("TIT2", "\xa9nam", "Title", "title"),
    "album": ("TALB", "\xa9alb", "WM/AlbumTitle", "album"),
    "genre": ("TCON", "\xa9gen", "WM/Genre", "genre"),
}


def read_tags(source: str | BinaryIO) -> Tags:
    """Read the tags of a music file; they are empty if the file cannot be read.

    Several values of one tag are joined by ``"; "``, whatever the format.
    """
    found = _from_mutagen(source)
    if found is None:
        found = _from_ffmpeg(source)
    return Tags(**{name: _joined(_values(found, keys)) for name, keys in _NAMES.items()})


def _from_mutagen(source: str | BinaryIO) -> Mapping[str, Any] | None:
    """Return the tags, or None if FFmpeg may find more."""
    # Damaged files make Mutagen raise whatever its parsers meet.
    with suppress(Exception):
        import mutagen

        if not isinstance(source, str):
            source.seek(0)
        file = mutagen.File(source, options=_kinds(source))
        if file is not None and file.tags:
            return {str(key): file.tags[key] for key in file.tags.keys()}  # noqa: SIM118
        if file is not None and type(file).__name__ == "MP3":
            from mutagen.apev2 import APEv2

            with suppress(Exception):
                return dict(APEv2(source))
            return {}
    return None


def _kinds(source: str | BinaryIO) -> list[Any] | None:
    """Return the one kind that Mutagen takes most songs for, or None for all kinds.

    To import all of its parsers takes longer than to read the tags of a song.
    """
    if not isinstance(source, str):
        return None
    from mutagen.mp3 import MP3

    with Path(source).open("rb") as file:
        head = file.read(_HEAD)
    return [MP3] if MP3.score(source, None, head) > _BEST_OF_OTHERS else None


def _from_ffmpeg(source: str | BinaryIO) -> Mapping[str, str]:
    """Read tags with FFmpeg, which knows more formats but keeps one value per tag."""
    label = source if isinstance(source, str) else "stream"
    with suppress(AudioError, OSError, *DECODING_ERRORS), opened(source, label) as file:
        return metadata(file)
    return {}


def _values(found: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    wanted = {name.casefold() for name in names}
    for name, value in found.items():
        if name.casefold() not in wanted:
            continue
        # ID3 numbers genres; Mutagen knows their names.
        values = getattr(value, "genres", None) or getattr(value, "text", value)
        if isinstance(values, str):
            values = [values]
        # Some formats keep pictures and other bytes under any name.
        if isinstance(values, Iterable) and not isinstance(values, bytes):
            for part in values:
                yield from str(part).split("\0")


def _joined(values: Iterable[str]) -> str | None:
    """Join distinct values, each on one line and encodable as UTF-8."""
    words = (" ".join(v.encode("utf-8", "replace").decode().split()) for v in values)
    return "; ".join(dict.fromkeys(filter(None, words)))[:_LONGEST] or None
