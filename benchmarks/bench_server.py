"""Requests per second and latency of `topgenre serve`, beside the bare classifier.

A 4-minute mp3 is uploaded over loopback to a server with one worker, one request after the other
and with four clients at once; the same file is classified in this process between the rounds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np

import topgenre
from topgenre.demo import STYLES, synthesise, write_audio

ROUNDS = 5
REQUESTS = 40  # a round


def timed(function: object) -> float:
    """Return the milliseconds of one call."""
    began = time.perf_counter()
    function()  # type: ignore[operator]
    return 1e3 * (time.perf_counter() - began)


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

            def request(_: int = 0) -> None:
                client.post(url, files={"file": ("song.mp3", data)}).raise_for_status()

            bare, single, rates = [], [], []
            for round_number in range(ROUNDS + 1):
                in_process = [timed(lambda: classifier.classify(song)) for _ in range(REQUESTS)]
                served = [timed(request) for _ in range(REQUESTS)]
                with ThreadPoolExecutor(4) as pool:
                    together = timed(lambda: list(pool.map(request, range(REQUESTS))))
                if round_number:  # the first one warms up
                    bare.append(statistics.median(in_process))
                    single += served
                    rates.append(1e3 * REQUESTS / together)
            server.terminate()
        p50, p95 = np.percentile(single, [50, 95])
        cost = statistics.median(bare)
        print(f"file: {len(data) / 1e6:.1f} MB; rounds: {ROUNDS} of {REQUESTS}")
        print(f"Classifier.classify in one process   {cost:6.1f} ms")
        print(f"POST /v1/classify, p50               {p50:6.1f} ms  {p50 / cost - 1:+.0%}")
        print(f"POST /v1/classify, p95               {p95:6.1f} ms")
        rate = statistics.median(rates)
        print(f"four clients, one worker             {rate:6.1f} requests/s")
        print(f"of what one bare process could do    {rate * cost / 1e3:6.0%}")


if __name__ == "__main__":
    main()
