"""The genre in a music file's own tags: read, and changed so that nothing else is.

A file is never changed where it lies. A copy beside it gets the new genre; when the copy's sound is
proved to be the same, packet by packet, and so are all other tags, it takes the file's place in one
step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from topgenre.errors import AudioError
from topgenre.tagging.formats import (
    GenreTag,
    TaggedFile,
    explained,
    open_tagged,
    reason,
    status,
    unchanged,
)

_NO_COPY = "no changed copy can be put beside it"


def read_genre(path: str | os.PathLike[str]) -> GenreTag:
    """Read the genre in a file's tags.

    A file may have one that its main tag does not hold, as in the INFO list of a WAV file or an
    APE tag in MP3. Then that is what `genres` names.

    Raises
    ------
    TagError
        If there is no such file, it is in a format whose tags cannot be written, or its tags are
        damaged.
    """
    path = os.fspath(path)
    tag = open_tagged(path).genre()
    if tag.genres:
        return tag
    from topgenre.library.tags import read_tags

    elsewhere = read_tags(path).genre
    return tag._replace(genres=(elsewhere,)) if elsewhere else tag


def write_genre(
    path: str | os.PathLike[str],
    genres: Sequence[str],
    *,
    preserve_mtime: bool = False,
    commit: Callable[[GenreTag, GenreTag], None] | None = None,
) -> GenreTag:
    """Write the genres of a file into its tags, in place of those that are there.

    Parameters
    ----------
    path : path-like
        File; where a link stands, the file that it points to is changed.
    genres : sequence of str
        At least one.
    preserve_mtime : bool
        Whether the file keeps its time of change.
    commit : callable, optional
        Called with what was there and what will be, just before it is; what it raises keeps the
        file as it was.

    Returns
    -------
    GenreTag
        What is there now.

    Raises
    ------
    TagError
        If the file cannot be changed; it is as it was then.
    """
    wanted = tuple(genres)
    return _rewrite(
        path,
        lambda file: file.set(wanted),
        lambda new: new.genres == wanted,
        preserve_mtime,
        commit,
    )


def restore_genre(
    path: str | os.PathLike[str],
    raw: dict[str, Any],
    *,
    preserve_mtime: bool = False,
    commit: Callable[[GenreTag, GenreTag], None] | None = None,
) -> GenreTag:
    """Put back exactly what `GenreTag.raw` says was there; otherwise like `write_genre`."""
    wanted = _said(raw)
    return _rewrite(
        path,
        lambda file: file.restore(raw),
        lambda new: _said(new.raw) == wanted,
        preserve_mtime,
        commit,
    )


def sound_hash(path: str | os.PathLike[str], *, name: str | None = None) -> bytes:
    """Return a SHA-256 over all packets of sound, and of pictures, that a file holds.

    Parameters
    ----------
    path : path-like
    name : str, optional
        What messages call the file; by default its path.

    Raises
    ------
    TagError
        If the file cannot be read as music.
    """
    from av.container import InputContainer
    from av.stream import Discard

    from topgenre.audio.source import opened
    from topgenre.audio.track import DECODING_ERRORS, Track

    name = name or os.fspath(path)
    digest = hashlib.sha256()
    try:
        with opened(path, name) as file, Track(file, name) as track:
            container = track.stream.container
            assert isinstance(container, InputContainer)
            for stream in container.streams:
                stream.discard = Discard.default
            try:
                for packet in container.demux():
                    digest.update(f"{packet.stream_index} {packet.pts} {packet.size} ".encode())
                    digest.update(bytes(packet))
            except DECODING_ERRORS as error:
                # Damage is part of the sound: it must be the same afterwards.
                digest.update(type(error).__name__.encode())
    except (AudioError, OSError) as error:
        raise unchanged(name, f"its sound cannot be read ({reason(error)})") from error
    return digest.digest()


def part_of(path: str | os.PathLike[str]) -> Path:
    """Return where the copy of a file lies while it is being changed."""
    target = Path(os.path.realpath(path))
    # Always the same name: what a killed process leaves behind goes when the file's turn comes.
    mark = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]
    return target.with_name(f".topgenre-{mark}.part")


def _rewrite(
    path: str | os.PathLike[str],
    edit: Callable[[TaggedFile], None],
    arrived: Callable[[GenreTag], bool],
    preserve_mtime: bool,
    commit: Callable[[GenreTag, GenreTag], None] | None,
) -> GenreTag:
    named = os.fspath(path)
    target = Path(os.path.realpath(named))
    part = part_of(target)
    with explained(named):
        before = status(named)
        if not before.st_mode & 0o222 or not os.access(target, os.W_OK):
            raise unchanged(named, "it is read-only", "allow writing to it first")
        file = open_tagged(named)
        old, others = file.genre(), file.others()
        try:
            with explained(named, _NO_COPY):
                _copy(target, part)
                edited = file.at(part)
                edit(edited)
                edited.save()
                written = file.at(part)
            new = written.genre()
            if written.others() != others:
                raise unchanged(named, "its other tags would change with the genre")
            if sound_hash(part, name=named) != sound_hash(target, name=named):
                raise unchanged(named, "its sound would change, as it is damaged")
            if not arrived(new):
                raise unchanged(named, "its tags are damaged, and would not show the new genre")
            with explained(named, _NO_COPY):
                _dress(named, part, target, before, preserve_mtime)
            now = target.stat()
            if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise unchanged(named, "another program is writing to it", "try again later")
            if commit:
                commit(old, new)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        with suppress(OSError):  # not every system can do this with a folder
            _sync(target.parent)
    return new


def _said(raw: dict[str, Any]) -> dict[str, Any]:
    """Leave out of `GenreTag.raw` what other programs may have changed around the genre."""
    said = {key: value for key, value in raw.items() if key != "tags"}
    if "fields" in said:
        said["fields"] = [field[1:] for field in said["fields"]]
    return said


def _copy(target: Path, part: Path) -> None:
    part.unlink(missing_ok=True)
    # Never through a link that somebody has put there, and for nobody else to read meanwhile.
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "wb") as copy, target.open("rb") as file:
        shutil.copyfileobj(file, copy, 1 << 20)


def _dress(
    named: str, part: Path, target: Path, before: os.stat_result, preserve_mtime: bool
) -> None:
    """Give the copy the owner, the permissions and the attributes of the file, and store it."""
    mine = part.stat()
    if (mine.st_uid, mine.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.chown(part, before.st_uid, before.st_gid)
        except OSError as error:
            raise unchanged(
                named, "it belongs to somebody else, and would not any more", "ask its owner"
            ) from error
    shutil.copystat(target, part)
    if not preserve_mtime:
        os.utime(part)
    _sync(part)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() or os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
