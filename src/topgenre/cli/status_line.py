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
        self._total = total
        self._begin = time.monotonic()
        self._shown = ""
        # A single file is done before anybody has read the line.
        self._wanted = total > 1 and sys.stderr.isatty()
        utf8 = (sys.stderr.encoding or "").lower().startswith("utf")
        self._full, self._empty = "━─" if utf8 else "#-"

    def draw(self, done: int) -> None:
        """Draw the line anew."""
        if not self._wanted:
            return
        share = done / self._total
        full = round(share * _BAR)
        text = f"{self._full * full}{self._empty * (_BAR - full)} {done}/{self._total} files"
        passed = time.monotonic() - self._begin
        if done and passed > 1:
            left = round(passed / done * (self._total - done))
            text += f", {left // 60}:{left % 60:02d} left"
        self._shown = text[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write(self._shown)
        sys.stderr.flush()

    def wipe(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write(f"\r{' ' * len(self._shown)}\r")
            sys.stderr.flush()
            self._shown = ""
