"""Handle Ctrl-C and SIGTERM.

Python raises an exception at any point, which is lost inside a callback from FFmpeg and breaks the
import of an extension module. So the program ends at once instead: results are printed as soon as
they are known, and nothing else is lost.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERRUPTED = 130  # what shells report after Ctrl-C
TERMINATED = 143  # and after SIGTERM
MESSAGE = "\nstopped"

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Handler = Callable[[int, FrameType | None], object]
_received: list[int] = []


def end_at_once() -> None:
    """End the program on Ctrl-C and SIGTERM from now on."""
    for number in _SIGNALS:
        signal.signal(number, _end)


@contextmanager
def raised() -> Iterator[None]:
    """Raise KeyboardInterrupt on both, where something must be cleaned up before the end."""
    with _handled(_raise):
        yield


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """Note either while work in progress is finished; a second one does not wait."""
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
    """End by SIGTERM if one came, as its sender expects, after cleaning up."""
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
