"""Measure the page that needs no server: what it loads, and a song from drop to answer.

Needs Chromium, and the page as `make pages` builds it. Beside the wall clock stands the processor
time of all of Chromium's processes, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright

import topgenre
from page_driver import find_chromium
from topgenre.demo.encode import write_audio

_ANALYSE = """async (mode) => {
  const [file] = document.querySelector("#probe").files;
  const begin = performance.now();
  await window.backend.analyser.analyse(file, { name: file.name, mode, onProgress() {},
    signal: new AbortController().signal });
  return performance.now() - begin;
}"""
_READY = """async () => {
  const { open } = await import(new URL("static/js/engine/tab/tab-engine.js", location.href).href);
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      window.longest = Math.max(window.longest, duration);
    }
  }).observe({ type: "longtask" });
  window.backend = await open();
  const begin = performance.now();
  await new Promise((resolve) => {
    window.backend.listener.addEventListener("loaded", resolve, { once: true });
    window.backend.listener.load();
  });
  return performance.now() - begin;
}"""


class _Files(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
    }

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("dist/pages"))
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    _print_sizes(options.folder)
    handler = functools.partial(_Files, directory=str(options.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
            song = _song(Path(folder))
            browser = driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
            page = browser.new_page(service_workers="block")
            page.set_default_timeout(300_000)
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            _measure(page, song, options.rounds)
            browser.close()
        server.shutdown()


def _print_sizes(folder: Path) -> None:
    sizes = {"page": 0, "engine": 0}
    for path in folder.rglob("*"):
        if path.is_file():
            part = "engine" if path.parent.name == "engine" else "page"
            data = path.read_bytes()
            sizes[part] += len(data) if path.suffix == ".gz" else len(gzip.compress(data))
    for part, size in sizes.items():
        print(f"{part}: {size / 1000:.0f} kB compressed")


def _song(folder: Path) -> Path:
    """Write a song of four minutes."""
    rng = np.random.default_rng(0)
    rate = 44_100
    t = np.arange(240 * rate) / rate
    sound = 0.3 * np.sin(2 * np.pi * 220 * t * (1 + np.floor(t * 2) % 5 / 4))
    stereo = np.stack([sound, sound + 0.05 * rng.standard_normal(len(t))]).astype(np.float32)
    path = folder / "song.mp3"
    write_audio(path, stereo, rate)
    return path


def _measure(page: Page, song: Path, rounds: int) -> None:
    page.evaluate(
        """() => document.body.append(
        Object.assign(document.createElement("input"), { type: "file", id: "probe" }))"""
    )
    page.locator("#probe").set_input_files(song)
    ready, cpu = _timed(lambda: page.evaluate(_READY))
    print(f"engine ready: {ready:.0f} ms; processor {cpu:.0f} ms")
    classifier = topgenre.load()
    for mode in ("middle", "whole"):
        walls, cpus, pythons = [], [], []
        for _ in range(rounds if mode == "middle" else 3):
            wall, cpu = _timed(lambda: page.evaluate(_ANALYSE, mode))  # noqa: B023
            walls.append(wall)
            cpus.append(cpu)
            begin = time.process_time()
            classifier.classify(song, whole=mode == "whole")
            pythons.append(1000 * (time.process_time() - begin))
        print(
            f"{mode}: wall {_spread(walls)} ms, processor {_spread(cpus)} ms; "
            f"Python, processor {_spread(pythons)} ms"
        )
    print(f"longest task on the main thread: {page.evaluate('window.longest'):.0f} ms")


def _timed(action: Callable[[], Any]) -> tuple[float, float]:
    """Return what an action says of its duration, and Chromium's processor time, both in ms."""
    before = _processor_time()
    wall = float(action())
    return wall, 1000 * (_processor_time() - before)


def _processor_time() -> float:
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _spread(values: list[float]) -> str:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


if __name__ == "__main__":
    main()
