"""Measure the page that needs no server: loading it, and a song from drop to answer.

Needs Chromium, the page as `make pages` builds it, and `PYTHONPATH=tests`. This process, its
server and the browser share one core. Beside the wall clock stands the processor time of all of
Chromium's processes, which other programs on the machine disturb less. Each round also runs the
Python path, in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import http.server
import json
import mimetypes
import os
import tempfile
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

import topgenre
from page_driver import find_chromium
from topgenre.audio import SAMPLE_RATE
from topgenre.demo import synthesise
from topgenre.demo.encode import write_audio

_PACKED_BY_HOSTS = {".html", ".js", ".mjs", ".css", ".svg", ".json", ".webmanifest"}
_PATIENCE = 300_000  # milliseconds
_WATCH = """
window.tasks = []; // of over 50 ms
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.tasks.push(duration);
}).observe({ type: "longtask", buffered: true });
window.answered = (name) => new Promise((resolve) => {
  const look = () => {
    const shown = document.querySelector(".song-file .file-name");
    const isShown = shown?.textContent === name && document.querySelector("#result-title");
    if (isShown) requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    else requestAnimationFrame(look);
  };
  look();
});
window.usable = () => new Promise((resolve) => {
  const look = () => document.querySelector("#colophon-version")?.textContent
    ? resolve(performance.now()) : setTimeout(look, 5);
  look();
});
"""
_PAINTED = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN"""
# The page's own engine, but not its page: another worker, asked directly.
_OPEN = """async () => {
  const { open } = await import(new URL("static/js/engine/tab/tab-engine.js", location.href).href);
  window.backend = await open();
  const begin = performance.now();
  await new Promise((resolve) => {
    window.backend.listener.addEventListener("loaded", resolve, { once: true });
    window.backend.listener.load();
  });
  const probe = Object.assign(document.createElement("input"), { type: "file", id: "probe" });
  document.body.append(probe);
  return performance.now() - begin;
}"""
_ANALYSE = """async (mode) => {
  const [file] = document.querySelector("#probe").files;
  const begin = performance.now();
  await window.backend.analyser.analyse(file, { name: file.name, mode, onProgress() {},
    signal: new AbortController().signal });
  return performance.now() - begin;
}"""


class Host(NamedTuple):
    """A host of plain files that packs text, as most do, and counts the bytes that it sends."""

    url: str
    sent: list[int]


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Host]:
    """Serve the built page."""
    sent: list[int] = []
    files = {f"/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*.*")}
    files["/"] = folder / "index.html"
    bodies = {name: path.read_bytes() for name, path in files.items()}
    packed = {name for name, path in files.items() if path.suffix in _PACKED_BY_HOSTS}
    for name in packed:
        bodies[name] = gzip.compress(bodies[name])

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = bodies.get(self.path)
            tag = f'"{len(body or b"")}"'
            known = body is not None and self.headers["If-None-Match"] == tag
            self.send_response(404 if body is None else 304 if known else 200)
            if body is None or known:
                body = b""
            if self.path in packed:
                self.send_header("Content-Encoding", "gzip")
            suffix = files.get(self.path, folder).suffix
            kind = "text/javascript" if suffix == ".mjs" else mimetypes.types_map.get(suffix)
            self.send_header("Content-Type", kind or "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "max-age=600")
            self.send_header("ETag", tag)
            self.end_headers()
            self.wfile.write(body)
            sent.append(len(body))

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Host(f"http://127.0.0.1:{server.server_port}/", sent)
        server.shutdown()


class Songs(NamedTuple):
    """What is dropped: four minutes of mp3, and 10 s that need neither decoder nor resampler."""

    long: Path
    short: Path

    def another(self, number: int) -> Path:
        """Give the long song another name: the page shows one that it knows at once."""
        link = self.long.with_name(f"song {number}.mp3")
        link.hardlink_to(self.long)
        return link


def write_songs(folder: Path) -> Songs:
    """Synthesise what is dropped."""
    songs = Songs(folder / "song.mp3", folder / "short.wav")
    write_audio(songs.long, np.tile(synthesise("disco", seconds=20), 12), 44_100)
    sound = synthesise("disco", seconds=10, sample_rate=SAMPLE_RATE).mean(axis=0)
    with wave.open(str(songs.short), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return songs


@contextlib.contextmanager
def browse(driver: Playwright, *options: str) -> Iterator[Browser]:
    """Run a browser of its own, so that nothing is compiled or kept from before."""
    browser = driver.chromium.launch(
        executable_path=find_chromium(), args=["--no-sandbox", *options]
    )
    yield browser
    browser.close()


def _new_page(browser: Browser) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(_PATIENCE)
    page.add_init_script(_WATCH)
    return page


def measure_loading(driver: Playwright, host: Host, rounds: int) -> None:
    """Print what a first visit loads, and how long it takes and blocks the page."""
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        host.sent.clear()
        with browse(driver) as browser:
            page = _new_page(browser)
            page.goto(host.url, wait_until="commit")
            usable = page.evaluate("window.usable()")
            before = sum(host.sent)
            page.evaluate("navigator.serviceWorker.ready.then(() => null)")
            kept = page.evaluate("performance.now()")
            tasks = page.evaluate("window.tasks")
            row = {
                "first contentful paint, ms": page.evaluate(_PAINTED),
                "usable, ms": usable,
                "sent until then, kB": before / 1000,
                "engine loaded and all kept for offline use, ms": kept,
                "sent in all, kB": sum(host.sent) / 1000,
                "total blocking time, ms": sum(task - 50 for task in tasks),
            }
        for name, value in row.items():
            figures.setdefault(name, []).append(value)
    for name, values in figures.items():
        print(f"| first visit: {name} | {_spread(values)} |")


def measure_first_song(driver: Playwright, host: Host, songs: Songs, rounds: int) -> None:
    """Print how long a song takes that is dropped before the engine is there."""
    first: list[float] = []
    second: list[float] = []
    for number in range(rounds):
        with browse(driver) as browser:
            page = _new_page(browser)
            for times in (first, second):
                page.goto(host.url, wait_until="commit")
                page.evaluate("window.usable()")
                song = songs.another(1000 + 2 * number + len(second) - len(first))
                times.append(_drop(page, song))
                song.unlink()
                page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    print(f"| first visit, dropped at once: file to answer, ms | {_spread(first)} |")
    print(f"| second visit, dropped at once: file to answer, ms | {_spread(second)} |")


def _drop(page: Page, song: Path) -> float:
    page.evaluate(
        """() => document.querySelector("#file").addEventListener("change",
          () => { window.begun = performance.now(); }, { capture: true, once: true })"""
    )
    page.locator("#file").set_input_files(song)
    return float(page.evaluate("name => answered(name).then((at) => at - begun)", song.name))


def _settle(page: Page) -> None:
    """Wait until the waveform is decoded and drawn, and nothing moves any more."""
    spent = 1.0
    while spent > 0.02:
        before = sum(_processor_times().values())
        page.wait_for_timeout(400)
        spent = sum(_processor_times().values()) - before


def measure_songs(driver: Playwright, host: Host, songs: Songs, rounds: int) -> None:
    """Print how long a song takes once the engine is there, beside Python."""
    classifier = topgenre.load()
    with browse(driver) as browser:
        page = _new_page(browser)
        page.goto(host.url)
        memory = [_memory()]
        page.evaluate("window.usable()")
        _drop(page, songs.another(0))
        _settle(page)
        memory.append(_memory())
        rows: dict[str, list[float]] = {}
        for number in range(1, rounds + 1):
            song = songs.another(number)
            wall, cpu = _timed(lambda: _drop(page, song))  # noqa: B023
            _settle(page)
            rows.setdefault("file to answer, ms", []).append(wall)
            rows.setdefault("file to answer, processor, ms", []).append(cpu)
            for clock, name in ((time.perf_counter, "wall"), (time.process_time, "processor")):
                before = clock()
                classifier.classify(song)
                rows.setdefault(f"Python, {name}, ms", []).append(1000 * (clock() - before))
        memory.append(_memory())
        page.context.new_cdp_session(page).send("HeapProfiler.collectGarbage")
        _settle(page)
        memory.append(_memory())
        for name, values in rows.items():
            print(f"| song: {name} | {_spread(values)} |")
        print(
            "| memory: page, with engine, after all songs, garbage collected, MB | "
            f"{', '.join(f'{value:.0f}' for value in memory)} |"
        )


def measure_engine(driver: Playwright, host: Host, songs: Songs, rounds: int) -> None:
    """Print how long the engine takes by itself: 10 s, and whole tracks."""
    classifier = topgenre.load()
    with browse(driver) as browser:
        page = _new_page(browser)
        page.goto(host.url)
        page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        print(f"| engine ready, from the cache, ms | {page.evaluate(_OPEN):.0f} |")
        for name, song, mode, times in (
            ("10 s", songs.short, "middle", rounds),
            ("whole track of 4 min", songs.long, "whole", 3),
        ):
            page.locator("#probe").set_input_files(song)
            walls, cpus, pythons = [], [], []
            cold = page.evaluate(_ANALYSE, mode)
            for _ in range(times):
                wall, cpu = _timed(lambda: page.evaluate(_ANALYSE, mode))  # noqa: B023
                walls.append(wall)
                cpus.append(cpu)
                before = time.process_time()
                classifier.classify(song, whole=mode == "whole")
                pythons.append(1000 * (time.process_time() - before))
            print(f"| {name}: first time, ms | {cold:.0f} |")
            print(f"| {name}: ms | {_spread(walls)} |")
            print(f"| {name}: processor, ms | {_spread(cpus)} |")
            print(f"| {name}: Python, processor, ms | {_spread(pythons)} |")


def measure_tasks(driver: Playwright, host: Host, songs: Songs) -> None:
    """Print the longest tasks on the page's main thread, of a visit that is traced."""
    with browse(driver) as browser:
        page = _new_page(browser)
        with _traced(browser, page, "loading"):
            page.goto(host.url)
            page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        with _traced(browser, page, "first song"):
            _drop(page, songs.another(2000))
            _settle(page)
        with _traced(browser, page, "next song"):
            _drop(page, songs.another(2001))
            _settle(page)
        with _traced(browser, page, "whole track"):
            page.get_by_role("switch", name="Analyse whole track").click()
            page.locator(".listen h2", has_text="Genres over time").wait_for()
            _settle(page)


@contextlib.contextmanager
def _traced(browser: Browser, page: Page, name: str) -> Iterator[None]:
    browser.start_tracing(page=page, categories=["toplevel"])
    yield
    events = json.loads(browser.stop_tracing())["traceEvents"]
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        (event.get("dur", 0) / 1000, event.get("tdur", 0) / 1000)
        for event in events
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in threads
    ]
    for at, kind in enumerate(("wall", "processor")):
        times = [task[at] for task in tasks]
        over = sum(ms > 50 for ms in times)
        print(f"| longest task, {name}, {kind}, ms | {max(times):.0f}; {over} of over 50 |")


def measure_live(driver: Playwright, host: Host, songs: Songs, seconds: int) -> None:
    """Print what listening live costs."""
    options = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={songs.short}",
    )
    with browse(driver, *options) as browser:
        page = _new_page(browser)
        page.goto(host.url)
        page.get_by_role("button", name="Listen live").click()
        page.locator("#live .live-top li").first.wait_for()
        page.wait_for_timeout(5000)
        memory, before, start = [_memory()], _processor_times(), time.perf_counter()
        for _ in range(3):
            page.wait_for_timeout(1000 * seconds / 3)
            memory.append(_memory())
        passed = time.perf_counter() - start
        after = _processor_times()
        for name in sorted(after):
            share = (after[name] - before.get(name, 0)) / passed
            print(f"| live: share of a core, {name} | {share:.1%} |")
        share = (sum(after.values()) - sum(before.values())) / passed
        print(f"| live: share of a core, all processes | {share:.1%} |")
        grown = ", ".join(f"{value:.0f}" for value in memory)
        print(f"| live: memory at 0, 1/3, 2/3 and 3/3 of {seconds} s, MB | {grown} |")


def _timed(action: Callable[[], Any]) -> tuple[float, float]:
    """Return what an action says of its duration, and Chromium's processor time, both in ms."""
    before = sum(_processor_times().values())
    wall = float(action())
    return wall, 1000 * (sum(_processor_times().values()) - before)


def _processes() -> Iterator[tuple[str, psutil.Process]]:
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if words and "chrom" in words[0]:
                kinds = [word for word in words if word.startswith("--type=")]
                yield kinds[0].removeprefix("--type=") if kinds else "browser", process


def _processor_times() -> dict[str, float]:
    """Return the seconds that Chromium's processes have taken, by their kind."""
    total: dict[str, float] = {}
    for kind, process in _processes():
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total[kind] = total.get(kind, 0) + times.user + times.system
    return total


def _memory() -> float:
    """Return the memory of the page's own process, in MB, which it shares with no other."""
    found = [process.memory_full_info().uss for kind, process in _processes() if kind == "renderer"]
    return max(found) / 1e6


def _spread(values: list[float]) -> str:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def main() -> None:
    """Print the figures, as rows of a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("dist/pages"))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--live", type=int, default=60, help="seconds to listen")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(options.folder) as host,
        sync_playwright() as driver,
    ):
        songs = write_songs(Path(folder))
        print(f"| load of the machine, 1 min | {os.getloadavg()[0]:.1f} |")
        measure_loading(driver, host, options.visits)
        measure_first_song(driver, host, songs, options.visits)
        measure_songs(driver, host, songs, options.rounds)
        measure_engine(driver, host, songs, options.rounds)
        measure_tasks(driver, host, songs)
        if options.live:
            measure_live(driver, host, songs, options.live)
        print(f"| load of the machine, 1 min | {os.getloadavg()[0]:.1f} |")


if __name__ == "__main__":
    main()
