"""Tags are read and written in a process of their own, which a hostile file may hang or end.

Some files take the libraries that read tags hours or gigabytes: a frame that is compressed a
thousandfold, or a million values. Such a file costs a minute, one line, and nothing else. The
functions here do what those of the same names in `rewrite` do. A script that calls them must
guard its own start with ``if __name__ == "__main__":``, as `multiprocessing` demands.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from topgenre import files
from topgenre.errors import TagError
from topgenre.tagging import rewrite
from topgenre.tagging.formats import GenreTag
from topgenre.workers.processes import interrupts_held, limit_memory

_READING = 60.0  # s for one file
_WRITING = 600.0  # s, in which all of a large file is copied and read twice from a slow disk
_IDLE = 10.0  # s after which the process ends when there is nothing to do
_MEMORY = 1 << 30  # bytes

_Commit = Callable[[GenreTag, GenreTag], None]


def read_genre(path: str) -> GenreTag:
    """Read the genre in a file's tags."""
    return _helper.ask(path, _READING, "read", ())


def write_genre(
    path: str, genres: Sequence[str], *, preserve_mtime: bool = False, commit: _Commit
) -> GenreTag:
    """Write the genres of a file into its tags; `commit` is called in this process."""
    return _helper.ask(path, _WRITING, "write", (tuple(genres), preserve_mtime), commit)


def restore_genre(
    path: str, change: tuple[GenreTag, GenreTag], *, preserve_mtime: bool = False
) -> GenreTag:
    """Take a change back."""
    return _helper.ask(path, _WRITING, "restore", (change, preserve_mtime))


class _Helper:
    """The process, while there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: tuple[BaseProcess, Connection] | None = None

    def ask(
        self,
        path: str,
        seconds: float,
        what: str,
        more: Sequence[Any],
        commit: _Commit | None = None,
    ) -> GenreTag:
        with self._lock:
            try:
                try:
                    said, answer = self._exchange((what, path, *more), seconds)
                except (EOFError, ConnectionError):
                    # It may have ended just now for want of work.
                    self._end()
                    said, answer = self._exchange((what, path, *more), seconds)
                if said == "ready":
                    said, answer = self._settle(answer, seconds, commit)
            except (TimeoutError, EOFError, ConnectionError) as error:
                self._end()
                files.sweep(Path(os.path.realpath(path)).parent, again=True)
                late = isinstance(error, TimeoutError)
                why = f"not done after {seconds:g} s" if late else "they ended the process"
                raise TagError(
                    f"{path}: its tags cannot be read ({why}); they may be made to do harm"
                ) from error
            except BaseException:
                self._end()  # whatever it is doing: its answer would be taken for the next one
                raise
        if said == "error":
            raise TagError(answer)
        tag: GenreTag = answer
        return tag

    def _settle(
        self, change: tuple[GenreTag, GenreTag], seconds: float, commit: _Commit | None
    ) -> tuple[str, Any]:
        """Let the file change that is prepared, when the change is noted."""
        assert commit
        try:
            commit(*change)
        except TagError as error:
            self._exchange(False, seconds)
            return "error", str(error)
        return self._exchange(True, seconds)

    def _exchange(self, message: Any, seconds: float) -> tuple[str, Any]:
        connection = self._connection()
        connection.send(message)
        if not connection.poll(seconds):
            raise TimeoutError
        answer: tuple[str, Any] = connection.recv()
        return answer

    def _connection(self) -> Connection:
        if self._running is None:
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            with interrupts_held():
                process.start()
            theirs.close()
            self._running = process, ours
        return self._running[1]

    def _end(self) -> None:
        if self._running:
            process, connection = self._running
            self._running = None
            process.kill()
            process.join()
            connection.close()


_helper = _Helper()


def _serve(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory(_MEMORY)

    def commit(old: GenreTag, new: GenreTag) -> None:
        connection.send(("ready", (old, new)))
        if not connection.recv():
            raise TagError

    # When the parent is gone, so is the reason to go on.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while connection.poll(_IDLE):
            what, path, *more = connection.recv()
            connection.send(_done(what, path, more, commit))


def _done(what: str, path: str, more: list[Any], commit: _Commit) -> tuple[str, Any]:
    try:
        if what == "read":
            return "tag", rewrite.read_genre(path)
        given, preserve = more
        if what == "write":
            tag = rewrite.write_genre(path, given, preserve_mtime=preserve, commit=commit)
        else:
            tag = rewrite.restore_genre(path, given, preserve_mtime=preserve)
    except TagError as error:
        return "error", str(error)
    except MemoryError:
        return "error", f"{os.fspath(path)}: its tags take too much memory; left as it is"
    return "tag", tag
