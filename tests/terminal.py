"""A real terminal, 80 columns wide, with a topgenre command in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
from pexpect import fdpexpect

COLUMNS = 80


class Terminal:
    """The keyboard and the screen of a running command."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self._process = process
        self._screen = fdpexpect.fdspawn(master, timeout=60, encoding="utf-8")

    def see(self, text: str) -> str:
        """Wait for a text, and return what came before it."""
        self._screen.expect_exact(text)
        return str(self._screen.before)

    def type(self, keys: str) -> None:
        self._screen.send(keys)

    def interrupt(self) -> None:
        # As a person would, a moment after the prompt: Python shows it before it listens for
        # signals, and one that comes in between waits for the next key.
        time.sleep(0.5)
        self._process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Wait for the end of the command; return its exit code and what it wrote at last."""
        self._screen.expect(pexpect.EOF)
        return self._process.wait(60), str(self._screen.before)


@contextmanager
def terminal(*arguments: str | Path, home: Path | None = None) -> Iterator[Terminal]:
    """Run topgenre in a terminal of its own."""
    # Not pexpect's own way, which forks: Python warns of that once there are threads.
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, COLUMNS))
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "INPUTRC")
    }
    environment |= {"TERM": "xterm-256color", "INPUTRC": os.devnull, "PYTHONIOENCODING": "utf-8"}
    if home:
        environment["HOME"] = str(home)
    process = subprocess.Popen(
        [sys.executable, "-m", "topgenre", *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        cwd=home,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)
