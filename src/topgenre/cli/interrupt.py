"""What Ctrl-C and SIGTERM do.

Python's own answer, an exception out of nowhere, is lost when it strikes inside a callback that
FFmpeg makes, or spoils the import of an extension module. So the program simply ends: results are
out as soon as they are there, and nothing else is lost with it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERRUPTED = 130  # what shells report of a program that Ctrl-C has ended
TERMINATED = 143  # and of one that SIGTERM has ended
MESSAGE = "\nstopped"

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Handler = Callable[[int, FrameType | None], object]
_received: list[int] = []


def end_at_once() -> None:
    """Let Ctrl-C and SIGTERM end the program from now on."""
    for number in _SIGNALS:
        signal.signal(number, _end)


@contextmanager
def raised() -> Iterator[None]:
    """Let both raise KeyboardInterrupt where there is something to put right before the end."""
    with _handled(_raise):
        yield


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """Let both wait for what is in hand, and tell whether one came; a second one does not wait."""
    wishes: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        _received.append(number)
        wishes.append(number)
        for which, handler in before.items():
            signal.signal(which, handler)

    with _handled(note) as earlier:
        before |= earlier
        yield lambda: bool(wishes)


def exit_code() -> int:
    """Return the exit code of a program that was stopped."""
    return TERMINATED if signal.SIGTERM in _received else INTERRUPTED


def pass_on() -> None:
    """End by SIGTERM if one came, as whoever sent it expects, now that all is put right."""
    if signal.SIGTERM in _received:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)


@contextmanager
def _handled(handler: _Handler) -> Iterator[dict[signal.Signals, Any]]:
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield before
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _raise(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    raise KeyboardInterrupt


def _end(number: int, _frame: FrameType | None) -> None:
    if "multiprocessing" in sys.modules:
        import multiprocessing

        for process in multiprocessing.active_children():
            process.kill()
    os.write(2, f"{MESSAGE}\n".encode())
    if number == signal.SIGTERM:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    os._exit(INTERRUPTED)
