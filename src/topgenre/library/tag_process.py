"""Tags are read and written in a process of their own, which a hostile file may hang or end.

Some files take the libraries that read tags hours or gigabytes: a frame that is compressed a
thousandfold, or a million values. Such a file costs a minute, one line, and nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from topgenre.errors import TagError
from topgenre.library.genre_tags import (
    GenreTag,
    part_of,
    read_genre,
    restore_genre,
    write_genre,
)
from topgenre.library.processes import interrupts_held, limit_memory

_READING = 60.0  # s for one file
_WRITING = 600.0  # s, in which all of a large file is copied and read twice from a slow disk
_MEMORY = 1 << 30  # bytes

Commit = Callable[[GenreTag, GenreTag], None]


class TagProcess:
    """Does what `topgenre.library.genre_tags` does, and raises what it raises, in a process.

    A script must guard its own start with ``if __name__ == "__main__":``, as `multiprocessing`
    demands.
    """

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> TagProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process and self._connection:
            self._process.kill()
            self._process.join()
            self._connection.close()
        self._process = self._connection = None

    def read(self, path: str) -> GenreTag:
        """Read the genre of a file, as `read_genre` does."""
        return self._ask(path, _READING, None, "read", path)

    def write(
        self, path: str, genres: Sequence[str], *, preserve_mtime: bool, commit: Commit
    ) -> GenreTag:
        """Write the genres of a file, as `write_genre` does; `commit` is called in this process."""
        return self._ask(path, _WRITING, commit, "write", path, tuple(genres), preserve_mtime)

    def restore(self, path: str, raw: dict[str, Any], *, preserve_mtime: bool) -> GenreTag:
        """Put back what was there, as `restore_genre` does."""
        return self._ask(path, _WRITING, None, "restore", path, raw, preserve_mtime)

    def _ask(self, path: str, seconds: float, commit: Commit | None, *order: Any) -> GenreTag:
        connection = self._connection or self._start()
        try:
            connection.send(order)
            answer = self._answer(connection, seconds)
            if isinstance(answer, tuple) and not isinstance(answer, GenreTag):
                # All is prepared: the file changes if, and only if, this is noted.
                assert commit
                try:
                    commit(*answer)
                except BaseException:
                    connection.send(False)
                    self._answer(connection, seconds)
                    raise
                connection.send(True)
                answer = self._answer(connection, seconds)
        except (TimeoutError, EOFError, ConnectionError) as error:
            self._abandon(path)
            late = isinstance(error, TimeoutError)
            what = f"not read after {seconds:g} s" if late else "the end of the process"
            raise TagError(
                f"{path}: its tags led to {what}; they may be made to do harm, "
                "and it was left as it is"
            ) from error
        if isinstance(answer, str):
            raise TagError(answer)
        assert isinstance(answer, GenreTag)
        return answer

    def _answer(self, connection: Connection, seconds: float) -> Any:
        if not connection.poll(seconds):
            raise TimeoutError
        return connection.recv()

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with interrupts_held():
            self._process.start()
        theirs.close()
        return self._connection

    def _abandon(self, path: str) -> None:
        self.close()
        with suppress(OSError):
            part_of(path).unlink(missing_ok=True)


def _serve(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory(_MEMORY)

    def commit(old: GenreTag, new: GenreTag) -> None:
        connection.send((old, new))
        if not connection.recv():
            raise TagError("")

    # When the parent is gone, so is the reason to go on.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            what, path, *more = connection.recv()
            try:
                if what == "read":
                    answer: GenreTag | str = read_genre(path)
                elif what == "write":
                    genres, preserve = more
                    answer = write_genre(path, genres, preserve_mtime=preserve, commit=commit)
                else:
                    raw, preserve = more
                    answer = restore_genre(path, raw, preserve_mtime=preserve)
            except TagError as error:
                answer = str(error)
            except MemoryError:
                answer = f"{path}: its tags take too much memory; it was left as it is"
            connection.send(answer)


__all__ = ["TagProcess"]
