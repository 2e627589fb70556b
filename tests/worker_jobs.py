"""What worker processes do in tests; the processes import this module, and little else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from topgenre.errors import TagError, TopgenreError
from topgenre.workers.worker import Channel, Do

STEPS = 10_000  # of progress, within a moment


def setup() -> Do:
    return do


def do(job: Any, channel: Channel) -> Any:
    """Do what a job asks for, most of it bad."""
    match job:
        case "sleep":
            time.sleep(60)
        case "memory":
            return len(bytes(8 << 30))
        case "fault":
            return 1 // 0
        case "refuse":
            raise TagError("song.mp3: refused")
        case "exit":
            os._exit(3)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "progress":
            for step in range(STEPS):
                channel.progress(step / STEPS)
        case ["wait", path]:
            while not Path(path).exists():
                time.sleep(0.01)
        case "ask":
            return channel.ask("whether")
        case "read":
            assert channel.file is not None
            os.lseek(channel.file, 0, os.SEEK_SET)
            return os.read(channel.file, 100)
        case "files":
            return len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        case "pid":
            return os.getpid()
    return job


def cannot_start() -> Do:
    raise TopgenreError("no model")


def ends_at_start() -> Do:
    os._exit(4)


def work(_: object, path: str, progress: Callable[[float], None] | None = None) -> str:
    if path == "exit":
        os._exit(3)
    if path == "sleep":
        time.sleep(60)
    if path == "fault":
        raise ValueError("no\nlines")
    if path == "refuse":
        raise TagError("refuse: on purpose")
    if progress:
        progress(0.5)
    return path.upper()


def stop_all() -> None:
    """Kill the children of this process."""
    for process in multiprocessing.active_children():
        process.kill()
        process.join()
