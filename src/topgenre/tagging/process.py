"""Read and write tags in another process, which a hostile file may hang or crash.

Some files cost the libraries that read tags hours or gigabytes: a frame that is compressed a
thousandfold, or a million values. Here, such a file costs a minute and one line. The functions do
the same as those of the same names in `rewrite`. A script that calls them must guard its start with
``if __name__ == "__main__":``, as `multiprocessing` demands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from topgenre import files
from topgenre.errors import TagError
from topgenre.library import tags
from topgenre.library.song import Tags
from topgenre.tagging import rewrite
from topgenre.tagging.formats import GenreTag
from topgenre.workers.single import Single
from topgenre.workers.worker import Channel, Do, JobError, Spec

_READING = 60.0  # s for one file
_WRITING = 600.0  # s, for a large file on a slow disk to be copied and read twice
_IDLE = 10.0  # s after which the idle process ends
_MEMORY = 1 << 30  # bytes

_Commit = Callable[[GenreTag, GenreTag], None]


def read_genre(path: str) -> GenreTag:
    """Read the genre in a file's tags."""
    tag: GenreTag = _ask(path, _READING, "read_genre")
    return tag


def write_genre(
    path: str, genres: Sequence[str], *, preserve_mtime: bool = False, commit: _Commit
) -> GenreTag:
    """Write genres into a file's tags; `commit` is called in this process."""
    more = tuple(genres), preserve_mtime
    tag: GenreTag = _ask(path, _WRITING, "write_genre", *more, commit=commit)
    return tag


def restore_genre(
    path: str, change: tuple[GenreTag, GenreTag], *, preserve_mtime: bool = False
) -> GenreTag:
    """Undo a change."""
    tag: GenreTag = _ask(path, _WRITING, "restore_genre", change, preserve_mtime)
    return tag


def read_tags(path: str) -> Tags:
    """Read the tags that the catalogue stores."""
    found: Tags = _ask(path, _READING, "read_tags")
    return found


def _ask(path: str, seconds: float, name: str, *more: Any, commit: _Commit | None = None) -> Any:
    """Call a function of `rewrite` in the process."""
    refused: TagError | None = None

    def settle(change: tuple[GenreTag, GenreTag]) -> bool:
        nonlocal refused
        try:
            if commit:
                commit(*change)
        except TagError as error:
            refused = error
        return refused is None

    try:
        return _helper.run((name, path, more), seconds, answer=settle)
    except TagError as error:
        raise refused or error from None
    except JobError as error:
        if error.why == "memory":
            raise TagError(f"{path}: its tags need too much memory; it was not changed") from error
        if error.why == "fault":
            last = error.how.strip().splitlines()[-1]
            raise TagError(f"{path}: a bug in topgenre ({last}); please report it") from error
        files.sweep(Path(path).resolve().parent, again=True)  # remove its partial copies
        why = (
            f"not done after {seconds:g} s"
            if error.why == "overrun"
            else "they crashed the process"
        )
        raise TagError(
            f"{path}: its tags cannot be read ({why}); the file may be malicious"
        ) from error


def _setup() -> Do:
    def do(job: tuple[str, str, tuple[Any, ...]], channel: Channel) -> GenreTag | Tags:
        name, path, more = job
        if name == "read_tags":
            return tags.read_tags(path)
        if name == "read_genre":
            return rewrite.read_genre(path)

        def commit(old: GenreTag, new: GenreTag) -> None:
            if not channel.ask((old, new)):
                raise TagError("refused")  # for a reason that the parent process knows

        change = rewrite.write_genre if name == "write_genre" else rewrite.restore_genre
        given, preserve = more
        return change(path, given, preserve_mtime=preserve, commit=commit)

    return do


_helper = Single(Spec(_setup, _MEMORY, _IDLE))
