"""What Ctrl-C does.

Python's own answer, an exception out of nowhere, is lost when it strikes inside a callback that
FFmpeg makes, or spoils the import of an extension module. So the program simply ends: results are
out as soon as they are there, and nothing else is lost with it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130  # what shells report of a program that Ctrl-C has ended
MESSAGE = "\nstopped"


def end_at_once() -> None:
    """Let Ctrl-C end the program from now on."""
    signal.signal(signal.SIGINT, _end)


@contextmanager
def raised() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt where there is something to put right before the end."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(_number: int, _frame: FrameType | None) -> None:
    if "multiprocessing" in sys.modules:
        import multiprocessing

        for process in multiprocessing.active_children():
            process.kill()
    os.write(2, f"{MESSAGE}\n".encode())
    os._exit(INTERRUPTED)
