"""Handle Ctrl-C and SIGTERM.

By default, Python raises an exception at any point. It is lost inside a callback from FFmpeg, and
breaks the import of an extension module. So the program ends at once instead. Results are printed
as soon as they are known, so nothing is lost.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERRUPTED = 130  # exit code after Ctrl-C
TERMINATED = 143  # exit code after SIGTERM
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
    """Raise KeyboardInterrupt for both signals in the block, so that it can clean up."""
    with _handled(_raise):
        yield


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether a signal came; a second signal ends at once."""
    noted_signals: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        _received.append(number)
        noted_signals.append(number)
        for which, handler in before.items():
            signal.signal(which, handler)

    with _handled(note) as earlier:
        before |= earlier
        yield lambda: bool(noted_signals)


def exit_code() -> int:
    """Return the exit code after an interruption."""
    return TERMINATED if signal.SIGTERM in _received else INTERRUPTED


def pass_on() -> None:
    """End the process by SIGTERM if it came, as its sender expects."""
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
