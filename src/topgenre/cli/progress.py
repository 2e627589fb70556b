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

T = TypeVar("T")

_BAR = 24  # characters
_WINDOW = 20.0  # s over which the rate is taken: songs differ, and so do disks
_REDRAWN = 0.1  # s between two drawings where nothing else is printed


def run(
    outcomes: Generator[T, None, None],
    show: Callable[[T], None],
    progress: Progress | None = None,
    *,
    prints: Callable[[T], bool] = lambda _: True,
) -> None:
    """Show each outcome, with a progress bar below that is wiped before anything is printed.

    Parameters
    ----------
    outcomes : generator
        Closed in any case, so that no worker process outlives the command.
    show : callable
        Counts and prints one outcome.
    progress : Progress, optional
    prints : callable, optional
        Tells whether `show` prints anything for an outcome; by default it always does.
    """
    progress = progress or Progress(1)  # which is never drawn
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
        Files to do; 0 as long as that is not known. There is no bar for a single file, which is
        done before anybody has read it.
    on_output : bool
        Whether results go to standard output meanwhile. If they go through a pipe, there is no
        bar: what reads them may print to the same terminal at any time, as in
        ``topgenre classify music | head``.
    """

    unit = "files"

    def __init__(self, total: int, *, on_output: bool = True) -> None:
        self.total = total
        self.done = 0
        self._wanted = total != 1 and sys.stderr.isatty() and not (on_output and _is_piped())
        self._shown = ""
        self._drawn = 0.0
        self._past: deque[tuple[float, int]] = deque()  # when how many were done
        utf8 = (sys.stderr.encoding or "").lower().startswith("utf")
        self._full, self._empty = "━─" if utf8 else "#-"

    def count(self, _outcome: Any) -> None:
        """Count an outcome."""
        self.done += 1

    def draw(self) -> None:
        """Draw the line, unless it was drawn a moment ago and is still there."""
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
        """Return the line: a bar, the rate and the time that is left."""
        if not self.total:
            return f"looking for music: {self.done} file{'' if self.done == 1 else 's'}"
        return f"{self.bar()} {self.done}/{self.total} {self.unit}{self._pace()}"

    def bar(self) -> str:
        """Return a bar for the share that is done."""
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
    """Return a callback that takes how many steps are done and their total, and draws a bar."""
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


def clock(seconds: float) -> str:
    """Return a span of time as hours, minutes and seconds.

    Examples
    --------
    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _is_piped() -> bool:
    """Return whether standard output is a pipe to another program."""
    try:
        return stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):  # a stream without a file, as tests have it
        return False
