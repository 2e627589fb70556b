"""One line at the foot of the terminal that says how far a batch has come."""

from __future__ import annotations

import shutil
import sys
import time

_BAR = 24  # characters


class StatusLine:
    """A progress bar on standard error, if that is a terminal.

    It is wiped before anything else is printed, and drawn again afterwards. So results can go to
    standard output without a thought for whether both are the same terminal.

    Parameters
    ----------
    total : int
        Files there are to do.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        # A single file is done before anybody has read the line.
        self.wanted = total > 1 and sys.stderr.isatty()
        self._begin = time.monotonic()
        self._shown = ""
        utf8 = (sys.stderr.encoding or "").lower().startswith("utf")
        self._full, self._empty = "━─" if utf8 else "#-"

    def draw(self, done: int) -> None:
        """Draw the line anew."""
        if self.wanted:
            self.show(self.text(done))

    def text(self, done: int) -> str:
        """Word how far the batch has come."""
        pace = ""
        passed = time.monotonic() - self._begin
        if done and passed > 1:
            left = round(passed / done * (self.total - done))
            pace = f", {left // 60}:{left % 60:02d} left"
        return self.bar(done) + pace

    def bar(self, done: int) -> str:
        """Draw the share that is done."""
        full = round(done / self.total * _BAR)
        return f"{self._full * full}{self._empty * (_BAR - full)} {done}/{self.total} files"

    def show(self, text: str) -> None:
        """Put a text into the line, as far as it fits."""
        self.wipe()
        self._shown = text[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write(self._shown)
        sys.stderr.flush()

    def wipe(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write(f"\r{' ' * len(self._shown)}\r")
            sys.stderr.flush()
            self._shown = ""
