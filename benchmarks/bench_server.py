"""Measure requests per second and latency of `topgenre serve`, beside the bare classifier.

A 4-minute mp3 is uploaded over loopback to a server with one worker, one request after the other
and with eight clients at once; the same file is classified in this process between the rounds.
Processor time is measured too, since other programs disturb it less.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil

import topgenre
from topgenre.demo import STYLES, synthesise, write_audio

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
REQUESTS = 40  # a round
CLIENTS = 8


def timed(function: Callable[[], object]) -> float:
    """Return the milliseconds of one call."""
    began = time.perf_counter()
    function()
    return 1e3 * (time.perf_counter() - began)


def processor(process: psutil.Process) -> float:
    """Return the milliseconds of processor time that a process has taken."""
    times = process.cpu_times()
    return float(1e3 * (times.user + times.system))


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.mp3"
        write_audio(song, np.tile(synthesise(STYLES[0], seconds=60.0), 4))
        data = song.read_bytes()
        classifier = topgenre.load()
        command = [sys.executable, "-m", "topgenre", "serve", "--port", "0", "--workers", "1"]
        settings = os.environ | {"TOPGENRE_RATE_LIMIT": "0"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=settings
        ) as server:
            assert server.stdout
            url = server.stdout.readline().split()[-1] + "/v1/classify"
            client = httpx.Client(timeout=60)
            parent = psutil.Process(server.pid)
            [worker] = [c for c in parent.children() if "spawn_main" in " ".join(c.cmdline())]
            me = psutil.Process()

            def request(_: int = 0) -> float:
                return timed(
                    lambda: client.post(url, files={"file": ("song.mp3", data)}).raise_for_status()
                )

            client.get(url.replace("classify", "info"))  # opens the connection
            starts = []
            for _ in range(3):
                before = processor(worker)
                starts.append((request(), processor(worker) - before))
            bare, single, many, rates, cpu = [], [], [], [], []
            for round_number in range(ROUNDS + 1):
                marks = [processor(me)]
                in_process = [timed(lambda: classifier.classify(song)) for _ in range(REQUESTS)]
                marks += [processor(me), processor(parent), processor(worker)]
                served = [request() for _ in range(REQUESTS)]
                marks += [processor(parent), processor(worker)]
                with ThreadPoolExecutor(CLIENTS) as pool:
                    began = time.perf_counter()
                    together = list(pool.map(request, range(REQUESTS * 2)))
                    seconds = time.perf_counter() - began
                if round_number:  # the first one warms up
                    bare.append(statistics.median(in_process))
                    single += served
                    many += together
                    rates.append(len(together) / seconds)
                    steps = (marks[1] - marks[0], marks[4] - marks[2], marks[5] - marks[3])
                    cpu.append([step / REQUESTS for step in steps])
            server.terminate()
        cost = statistics.median(bare)
        p50, p95 = np.percentile(single, [50, 95])
        print(f"file: {len(data) / 1e6:.1f} MB; rounds: {ROUNDS} of {REQUESTS}")
        for name, (wall, used) in zip(("first", "second", "third"), starts, strict=True):
            print(f"{name:7} request after start           {wall:6.1f} ms, worker {used:5.0f} ms")
        print(f"Classifier.classify in one process   {cost:6.1f} ms")
        print(f"POST /v1/classify, p50               {p50:6.1f} ms  {p50 / cost - 1:+.0%}")
        print(f"POST /v1/classify, p95               {p95:6.1f} ms")
        p50, p95 = np.percentile(many, [50, 95])
        print(f"{CLIENTS} clients, p50                       {p50:6.1f} ms")
        print(
            f"{CLIENTS} clients, p95                       {p95:6.1f} ms  {p95 / p50:.2f} times p50"
        )
        rate = statistics.median(rates)
        print(f"{CLIENTS} clients, one worker                {rate:6.1f} requests/s")
        bare_ms, parent_ms, worker_ms = np.median(cpu, axis=0)
        print(
            f"processor time of a request: bare {bare_ms:.1f} ms; server {parent_ms:.1f} ms, "
            f"worker {worker_ms:.1f} ms, {(parent_ms + worker_ms) / bare_ms - 1:+.0%} together"
        )


if __name__ == "__main__":
    main()
