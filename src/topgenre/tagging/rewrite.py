"""Read and change the genre in a music file's tags; every other byte stays.

A file is never changed in place. A copy beside it gets the new genre. The copy is read back through
the same open file: every byte must be as intended, and other tags and the sound unchanged. Then, if
nobody has touched the file or the copy, the copy replaces the file in one step.
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
from topgenre.tagging.policy import letters

_NO_COPY = "a changed copy cannot be written beside it"
_BLOCK = 1 << 20  # bytes read at once
_MOST_UNDO = 1 << 16  # most bytes of edits to keep in the journal
_WAIT, _PAUSE = 60.0, 0.05  # s to wait for another topgenre that has locked a file

Commit = Callable[[GenreTag, GenreTag], None]


def read_genre(path: str | os.PathLike[str]) -> GenreTag:
    """Read the genre in a file's tags.

    A genre in a tag that topgenre cannot write is in `genres` too.

    Raises
    ------
    TagError
        If the file does not exist, is in a format whose tags cannot be written, or has damaged
        tags.
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
    """Replace the genres in a file's tags.

    Parameters
    ----------
    path : path-like
        File; for a link, its target is changed.
    genres : sequence of str
        At least one.
    preserve_mtime : bool
        Whether to keep the file's modification time.
    commit : callable, optional
        Called with the old and the new tag just before the file is replaced; if it raises, the
        file is not changed.

    Returns
    -------
    GenreTag
        The new tag. Its `raw` has the edits that restore the former bytes.

    Raises
    ------
    TagError
        If the file cannot be changed; it is then untouched.
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
    """Undo a change, even if the file was changed otherwise since.

    If it was not, all its former bytes are restored. Errors are those of `write_genre`.

    Parameters
    ----------
    path : path-like
    change : (GenreTag, GenreTag)
        The tags before and after the change, as `commit` got them.
    preserve_mtime, commit
        See `write_genre`.
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
    """The exact bytes from before a change cannot be restored."""


class _Request(NamedTuple):
    """A change of a file.

    Attributes
    ----------
    edit : callable
        Returns the edits of the tags.
    genres : tuple of str, optional
        Genres that the tags must have afterwards.
    digest : str, optional
        SHA-256 that the file must have afterwards.
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
                # Nobody else may read it meanwhile.
                part, copy = cleanup.enter_context(files.new_part(target, 0o600))
                digests = _copy(source, copy, tagged.finish(edits))
            if request.digest not in (None, digests.after):
                raise _InexactError
            if _hash_of(copy) != digests.after:
                raise unchanged(named, "the disk did not store what was written to it", "check it")
            if request.digest:  # every byte is the former one
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
            if os.name == "nt":  # Windows cannot replace open files
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
    """Open and lock a file, which no other topgenre is writing to."""
    status(named)
    if not target.stat().st_mode & 0o222 or not os.access(target, os.W_OK):
        raise unchanged(named, "it is read-only", "allow writing to it first")
    end = time.monotonic() + _WAIT
    while True:
        with target.open("r+b") as file:  # some network folders lock only writable files
            if files.lock(file) is not False and files.same_file(target, file):
                yield file
                return
        if time.monotonic() > end:
            raise unchanged(named, "another topgenre is writing to it", "try again later")
        time.sleep(_PAUSE)


class _Digests(NamedTuple):
    """SHA-256 of a file and of its changed copy."""

    before: str
    after: str


def _copy(source: BinaryIO, copy: BinaryIO, edits: Sequence[Edit]) -> _Digests:
    """Copy a file, applying sorted edits."""
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
    """Return the tag of the copy, if the copy differs in nothing but the genre."""
    was, edited = TaggedFile(source, named), TaggedFile(copy, named)
    new, others, remaining = edited.genre(), was.others(), edited.others()
    if any(remaining.get(name, []) != kept for name, kept in others.items()):
        raise unchanged(named, "its other tags would change with the genre")
    sound, shown = _heard(copy, named)
    if not was.loose and sound != _heard(source, named)[0]:
        raise unchanged(named, "its sound would change, since it is damaged")
    if request.genres is not None and (new.genres != request.genres or not new.agreed):
        raise unchanged(named, "its tags are damaged and would not show the new genre")
    # Of several genres, FFmpeg shows the first, the last or all, depending on the format.
    hidden = shown and not any(letters(genre) in letters(shown) for genre in new.genres)
    if request.genres and hidden and shown == _heard(source, named)[1]:
        raise unchanged(named, f"it would still show the genre {shown}, from an unknown tag")
    return new


def _heard(file: BinaryIO, name: str) -> tuple[bytes, str]:
    """Return the SHA-256 of all packets, and the genre that FFmpeg reads.

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
                # The damage must be the same afterwards.
                digest.update(type(error).__name__.encode())
    except (AudioError, OSError) as error:
        raise unchanged(name, f"its sound cannot be read ({reason(error)})") from error
    return digest.digest(), shown.get("genre", "")


def _hash_of(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    """Return the metadata that changes with every change of a file."""
    changed = found.st_ctime_ns if os.name == "posix" else 0
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, changed


def _dress(
    named: str, copy: BinaryIO, source: BinaryIO, before: os.stat_result, preserve_mtime: bool
) -> None:
    """Copy owner, attributes and permissions of the file to the copy, and flush it."""
    handle = copy.fileno()
    if os.name == "posix":
        mine = os.fstat(handle)
        if (mine.st_uid, mine.st_gid) != (before.st_uid, before.st_gid):
            try:
                os.fchown(handle, before.st_uid, before.st_gid)
            except OSError as error:
                raise unchanged(
                    named, "it belongs to another user, and would change its owner", "ask its owner"
                ) from error
        if hasattr(os, "listxattr"):
            with suppress(OSError):  # not every file system has them
                for name in os.listxattr(source.fileno()):
                    with suppress(OSError):  # some belong to the system
                        os.setxattr(handle, name, os.getxattr(source.fileno(), name))
        os.fchmod(handle, before.st_mode & 0o7777)
        if preserve_mtime:
            os.utime(handle, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.fsync(handle)
