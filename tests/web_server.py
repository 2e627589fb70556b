"""A real topgenre server in a process of its own, and what it takes to talk to it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

import signals


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens, its process, its log and its folder for uploads."""

    url: str
    process: subprocess.Popen[str]
    log: Path
    temporary: Path

    def classify(
        self, data: bytes, name: str = "song.wav", *, headers: Any = None, **query: Any
    ) -> httpx.Response:
        """Upload a file."""
        return httpx.post(
            f"{self.url}/v1/classify",
            params=query,
            files={"file": (name, data)},
            headers=headers,
            timeout=60,
        )

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60, **options)

    def metric(self, name: str) -> float:
        """Return a value from the metrics page, or 0 if it is absent."""
        [*found] = re.findall(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").text, re.M)
        return float(found[0]) if found else 0.0

    def workers(self) -> list[psutil.Process]:
        """Return the processes that classify."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def uploads(self) -> int:
        """Count the uploads that the server has open; they are files without names."""
        found = 0
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                target = str(link.readlink())
                found += target.startswith(str(self.temporary)) and target.endswith("(deleted)")
        return found


def running(process: psutil.Process) -> bool:
    """Whether a process still runs; one that nobody has waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition: Callable[[], object]) -> None:
    """Wait for something to become true; a busy machine may take its time."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def serving(
    folder: Path, *flags: str, script: Path | None = None, **settings: object
) -> Iterator[Server]:
    """Run ``topgenre serve``, or a script instead, with flags and ``TOPGENRE_...`` settings."""
    program = ["-m", "topgenre"] if script is None else [str(script)]
    temporary = folder / "temporary"
    temporary.mkdir(parents=True)
    log = folder / "log"
    environment = {name: value for name, value in os.environ.items() if "TOPGENRE" not in name}
    environment |= {f"TOPGENRE_{name.upper()}": str(value) for name, value in settings.items()}
    environment["TMPDIR"] = str(temporary)
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, *program, "serve", "--port", "0", *flags],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        ) as process,
    ):
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("topgenre listens at "), log.read_text()
        try:
            yield Server(line.split()[-1], process, log, temporary)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def wav(samples: signals.Samples) -> bytes:
    """Return samples as a 16-bit WAV file."""
    file = BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(signals.SAMPLE_RATE)
        writer.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()
