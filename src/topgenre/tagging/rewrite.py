"""The genre in a music file's own tags: read, and changed so that nothing else is.

A file is never changed where it lies. A copy beside it, of a name of its own, gets the new genre.
The copy is read again through the same open file: every byte must be as it was meant, all other
tags and the sound as they were. Then, if neither the file nor the copy has been touched by anybody,
this very copy takes the file's place in one step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from topgenre import files
from topgenre.errors import AudioError
from topgenre.tagging.formats import (
    Edit,
    GenreTag,
    TaggedFile,
    explained,
    reason,
    status,
    unchanged,
)

_NO_COPY = "a changed copy cannot be written beside it"
_BLOCK = 1 << 20  # bytes read at once
_MOST_UNDO = 1 << 16  # bytes of edits that a journal has to keep
_WAIT, _PAUSE = 60.0, 0.05  # s for which another topgenre may hold a file

Commit = Callable[[GenreTag, GenreTag], None]


def read_genre(path: str | os.PathLike[str]) -> GenreTag:
    """Read the genre in a file's tags.

    A file may have one in a place that is not known here. Then that is what `genres` names.

    Raises
    ------
    TagError
        If there is no such file, it is in a format whose tags cannot be written, or its tags are
        damaged.
    """
    path = os.fspath(path)
    with explained(path):
        status(path)
        with Path(path).open("rb") as file:
            tag = TaggedFile(file, path).genre()
    if tag.genres:
        return tag
    from topgenre.library.tags import read_tags

    elsewhere = read_tags(path).genre
    return tag._replace(genres=(elsewhere,), agreed=False) if elsewhere else tag


def write_genre(
    path: str | os.PathLike[str],
    genres: Sequence[str],
    *,
    preserve_mtime: bool = False,
    commit: Commit | None = None,
) -> GenreTag:
    """Write the genres of a file into its tags, in place of those that are there.

    Parameters
    ----------
    path : path-like
        File; where a link stands, the file that it points to is changed.
    genres : sequence of str
        At least one.
    preserve_mtime : bool
        Whether to keep the file's modification time.
    commit : callable, optional
        Called with what was there and what will be, just before it is; what it raises keeps the
        file as it was.

    Returns
    -------
    GenreTag
        What is there now. Its `raw` says how to get the very bytes back that were there before.

    Raises
    ------
    TagError
        If the file cannot be changed; it is as it was then.
    """
    wanted = tuple(genres)

    def edit(file: TaggedFile, _source: BinaryIO) -> list[Edit]:
        return file.set(wanted)

    return _rewrite(path, _Request(edit, wanted), preserve_mtime, commit)


def restore_genre(
    path: str | os.PathLike[str],
    change: tuple[GenreTag, GenreTag],
    *,
    preserve_mtime: bool = False,
    commit: Commit | None = None,
) -> GenreTag:
    """Take a change back, whatever else has been changed since; otherwise like `write_genre`.

    If nothing has, the file has all the bytes that it had before.

    Parameters
    ----------
    path : path-like
    change : (GenreTag, GenreTag)
        What was there before and after it, as `commit` got them.
    preserve_mtime, commit
        As `write_genre` has them.
    """
    old, new = change
    known: dict[str, Any] = new.raw.get("undo", {})

    def exactly(_file: TaggedFile, source: BinaryIO) -> list[Edit]:
        if _hash_of(source) != known["after"]:
            raise _InexactError
        return [Edit(start, end, bytes.fromhex(data)) for start, end, data in known["edits"]]

    def nearly(file: TaggedFile, _source: BinaryIO) -> list[Edit]:
        return file.restore(old, new.genres)

    if known:
        with suppress(_InexactError):
            request = _Request(exactly, old.genres, known["before"])
            return _rewrite(path, request, preserve_mtime, commit)
    return _rewrite(path, _Request(nearly, None), preserve_mtime, commit)


class _InexactError(Exception):
    """The very bytes from before a change cannot be had back."""


class _Request(NamedTuple):
    """What is to become of a file.

    Attributes
    ----------
    edit : callable
        Makes the edits of the tags.
    genres : tuple of str, optional
        What the tags must say then.
    digest : str, optional
        SHA-256 that the file must have then.
    """

    edit: Callable[[TaggedFile, BinaryIO], list[Edit]]
    genres: tuple[str, ...] | None
    digest: str | None = None


def _rewrite(
    path: str | os.PathLike[str], request: _Request, preserve_mtime: bool, commit: Commit | None
) -> GenreTag:
    named = os.fspath(path)
    target = Path(os.path.realpath(named))
    with explained(named), _held(named, target) as source:
        before = os.fstat(source.fileno())
        tagged = TaggedFile(source, named)
        old = tagged.genre()
        edits = request.edit(tagged, source)
        if not edits:
            return old
        with ExitStack() as cleanup:
            with explained(named, _NO_COPY):
                # For nobody else to read meanwhile.
                part, copy = cleanup.enter_context(files.new_part(target, 0o600))
                digests = _copy(source, copy, tagged.finish(edits))
            if request.digest not in (None, digests.after):
                raise _InexactError
            if _hash_of(copy) != digests.after:
                raise unchanged(named, "the disk did not keep what was written to it", "check it")
            if request.digest:  # and so every byte is as it was once
                new = TaggedFile(copy, named).genre()
            else:
                new = _check(named, source, copy, request)
            undo = [(each.start, each.end, each.data.hex()) for each in tagged.inverse(edits)]
            if sum(len(data) for _, _, data in undo) <= _MOST_UNDO:
                known = {"before": digests.before, "after": digests.after, "edits": undo}
                new = new._replace(raw=new.raw | {"undo": known})
            with explained(named, _NO_COPY):
                _dress(named, copy, source, before, preserve_mtime)
            if commit:
                commit(old, new)
            if {_stamp(target.stat()), _stamp(os.fstat(source.fileno()))} != {_stamp(before)}:
                raise unchanged(named, "another program is writing to it", "try again later")
            if not files.same_file(part, copy):
                raise unchanged(named, "another program has changed its copy", "try again later")
            if os.name == "nt":  # where no open file can be replaced
                copy.close()
                source.close()
                shutil.copystat(target, part)
                if not preserve_mtime:
                    os.utime(part)
            part.replace(target)
        files.sync_folder(target.parent)
    return new


@contextmanager
def _held(named: str, target: Path) -> Iterator[BinaryIO]:
    """Open a file while no other topgenre writes to it."""
    status(named)
    if not target.stat().st_mode & 0o222 or not os.access(target, os.W_OK):
        raise unchanged(named, "it is read-only", "allow writing to it first")
    end = time.monotonic() + _WAIT
    while True:
        with target.open("r+b") as file:  # as some network folders lock only what can be written
            if files.lock(file) is not False and files.same_file(target, file):
                yield file
                return
        if time.monotonic() > end:
            raise unchanged(named, "another topgenre is writing to it", "try again later")
        time.sleep(_PAUSE)


class _Digests(NamedTuple):
    """The SHA-256 of a file, and that of its changed copy."""

    before: str
    after: str


def _copy(source: BinaryIO, copy: BinaryIO, edits: Sequence[Edit]) -> _Digests:
    """Copy a file with sorted edits in it."""
    before, after = hashlib.sha256(), hashlib.sha256()

    def pass_on(until: int | None, *, kept: bool) -> None:
        while size := min(_BLOCK, until - source.tell()) if until is not None else _BLOCK:
            block = source.read(size)
            if not block:
                break
            before.update(block)
            if kept:
                after.update(block)
                copy.write(block)

    source.seek(0)
    for edit in edits:
        pass_on(edit.start, kept=True)
        pass_on(edit.end, kept=False)
        after.update(edit.data)
        copy.write(edit.data)
    pass_on(None, kept=True)
    copy.flush()
    return _Digests(before.hexdigest(), after.hexdigest())


def _check(named: str, source: BinaryIO, copy: BinaryIO, request: _Request) -> GenreTag:
    """Return the genre of the copy, if that is all it differs in."""
    was, edited = TaggedFile(source, named), TaggedFile(copy, named)
    new, others, remaining = edited.genre(), was.others(), edited.others()
    if any(remaining.get(name, []) != kept for name, kept in others.items()):
        raise unchanged(named, "its other tags would change with the genre")
    sound, shown = _heard(copy, named)
    if not was.loose and sound != _heard(source, named)[0]:
        raise unchanged(named, "its sound would change, as it is damaged")
    if request.genres is not None and (new.genres != request.genres or not new.agreed):
        raise unchanged(named, "its tags are damaged, and would not show the new genre")
    # Some formats show the first of several genres, some the last, and some all of them.
    hidden = shown and not any(_plain(genre) in _plain(shown) for genre in new.genres)
    if request.genres and hidden and shown == _heard(source, named)[1]:
        raise unchanged(named, f"it would go on to show the genre {shown} from an unknown place")
    return new


def _heard(file: BinaryIO, name: str) -> tuple[bytes, str]:
    """Return a SHA-256 over all packets of sound and of pictures, and the genre that FFmpeg reads.

    Raises
    ------
    TagError
        If the file cannot be read as music.
    """
    from av.container import InputContainer
    from av.stream import Discard

    from topgenre.audio.source import opened
    from topgenre.audio.track import DECODING_ERRORS, Track

    digest = hashlib.sha256()
    try:
        with opened(file, name) as reader, Track(reader, name) as track:
            container = track.stream.container
            assert isinstance(container, InputContainer)
            read: dict[str, Any] = {**container.metadata, **track.stream.metadata}
            shown = {key.casefold(): str(value) for key, value in read.items()}
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
    return digest.digest(), shown.get("genre", "")


def _plain(genre: str) -> str:
    return "".join(filter(str.isalnum, genre)).casefold()


def _hash_of(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    """Return what changes when anybody changes a file."""
    changed = found.st_ctime_ns if os.name == "posix" else 0
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, changed


def _dress(
    named: str, copy: BinaryIO, source: BinaryIO, before: os.stat_result, preserve_mtime: bool
) -> None:
    """Give the copy the owner, the attributes and the permissions of the file, and store it."""
    handle = copy.fileno()
    if os.name == "posix":
        mine = os.fstat(handle)
        if (mine.st_uid, mine.st_gid) != (before.st_uid, before.st_gid):
            try:
                os.fchown(handle, before.st_uid, before.st_gid)
            except OSError as error:
                raise unchanged(
                    named, "it belongs to somebody else, and would not any more", "ask its owner"
                ) from error
        if hasattr(os, "listxattr"):
            with suppress(OSError):  # not every disk has them
                for name in os.listxattr(source.fileno()):
                    with suppress(OSError):  # and some belong to the system
                        os.setxattr(handle, name, os.getxattr(source.fileno(), name))
        os.fchmod(handle, before.st_mode & 0o7777)
        if preserve_mtime:
            os.utime(handle, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.fsync(handle)
