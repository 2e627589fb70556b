"""Show the outcomes of a batch as they come, above a progress bar."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, TypeVar

from topgenre.text import clock, counted

T = TypeVar("T")

_BAR = 24  # characters
_WINDOW = 20.0  # s over which to measure the rate
_REDRAWN = 0.1  # least seconds between two drawings of the same line


def run(
    outcomes: Generator[T, None, None],
    show: Callable[[T], None],
    progress: Progress | None = None,
    *,
    prints: Callable[[T], bool] = lambda _: True,
) -> None:
    """Show each outcome above a progress bar.

    Parameters
    ----------
    outcomes : generator
        Closed in any case, so that no worker process outlives the command.
    show : callable
        Counts and prints one outcome; the bar is wiped before.
    progress : Progress, optional
    prints : callable, optional
        Returns whether `show` prints anything for an outcome; by default, it always does.
    """
    progress = progress or Progress(1)  # never drawn
    try:
        with closing(outcomes):
            progress.draw()
            for outcome in outcomes:
                if prints(outcome):
                    progress.wipe()
                show(outcome)
                progress.count(outcome)
                progress.draw()
    finally:
        progress.wipe()


class Progress:
    """A progress bar on standard error, if that is a terminal.

    Parameters
    ----------
    total : int
        Number of files; 0 while unknown. For a single file, which is quick, the bar is not drawn.
    on_output : bool
        Whether results go to standard output. If that is a pipe, the bar is not drawn: the reader
        may print to the same terminal, as in ``topgenre classify music | head``.
    """

    unit = "files"

    def __init__(self, total: int, *, on_output: bool = True) -> None:
        self.total = total
        self.done = 0
        self._wanted = total != 1 and sys.stderr.isatty() and not (on_output and _is_piped())
        self._shown = ""
        self._drawn = 0.0
        self._past: deque[tuple[float, int]] = deque()  # times and counts
        utf8 = (sys.stderr.encoding or "").lower().startswith("utf")
        self._full, self._empty = "━─" if utf8 else "#-"

    def count(self, _outcome: Any) -> None:
        """Count an outcome."""
        self.done += 1

    def draw(self) -> None:
        """Draw the line, unless it was drawn just now and is still shown."""
        now = time.monotonic()
        if not self._wanted or (self._shown and now - self._drawn < _REDRAWN):
            return
        self._drawn = now
        self.wipe()
        self._shown = self.text()[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write(self._shown)
        sys.stderr.flush()

    def wipe(self) -> None:
        """Remove the line."""
        if self._shown:
            sys.stderr.write(f"\r{' ' * len(self._shown)}\r")
            sys.stderr.flush()
            self._shown = ""

    def text(self) -> str:
        """Return the line: a bar, the rate and the time left."""
        if not self.total:
            return f"looking for music: {counted(self.done, 'file')}"
        return f"{self.bar()} {self.done}/{self.total} {self.unit}{self._pace()}"

    def bar(self) -> str:
        """Return the bar."""
        full = round(self.done / self.total * _BAR)
        return self._full * full + self._empty * (_BAR - full)

    def _pace(self) -> str:
        now = time.monotonic()
        self._past.append((now, self.done))
        while now - self._past[0][0] > _WINDOW:
            self._past.popleft()
        since, before = self._past[0]
        if now - since < 1 or self.done == before:
            return ""
        rate = (self.done - before) / (now - since)
        return f", {rate:.1f} a second, {clock((self.total - self.done) / rate)} left"


def counter() -> Callable[[int, int], None]:
    """Return a callback ``(done, total)`` that draws a progress bar."""
    progress: Progress | None = None

    def show(done: int, total: int) -> None:
        nonlocal progress
        progress = progress or Progress(total)
        progress.wipe()
        if done < total:
            progress.done = done
            progress.draw()
        else:
            progress = None

    return show


def _is_piped() -> bool:
    """Return whether standard output is a pipe to another program."""
    try:
        return stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):  # a stream without a file, as in tests
        return False
