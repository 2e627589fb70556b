"""Photograph the two pages of topgenre in a browser: ``python docs/browser_pictures.py [FOLDER]``.

One is that of ``topgenre serve``, with a demo song on it. The other is that of ``topgenre report``,
about a synthetic library: many performances of the demo songs. This needs Chromium, on the path or
named by TOPGENRE_BROWSER; without it, this says so and does nothing.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FilePayload, ViewportSize, sync_playwright

from topgenre.demo import STYLES, synthesise, write_audio
from topgenre.demo.encode import encode
from topgenre.files import ANYTHING, write_whole

HOME = Path(__file__).with_name("images")
PERFORMANCES = 30  # of each demo song
_SAMPLE_RATE = 22_050
_USER = "/home/you/Music"
_WIDTH = 1100  # of the report, in pixels
_PAGE = (1280, 900)  # of the page
# Above the flat line of a waveform that is not decoded yet, and beside the analysed part.
_WAVEFORM_IS_THERE = """() => {
  const canvas = document.querySelector(".wave canvas");
  const row = Math.round(0.4 * canvas.height), width = Math.round(0.3 * canvas.width);
  const pixels = canvas.getContext("2d").getImageData(0, row, width, 1).data;
  return pixels.some((value, index) => index % 4 === 3 && value > 0);
}"""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def write_library(folder: Path, performances: int) -> None:
    """Synthesise a folder of songs, a sub-folder for each style."""
    for style in STYLES:
        place = folder / style.capitalize()
        place.mkdir(parents=True)
        for seed in range(1, performances + 1):
            song = synthesise(style, seconds=12, sample_rate=_SAMPLE_RATE, seed=seed)
            write_audio(place / f"{style.capitalize()} no. {seed}.flac", song, _SAMPLE_RATE)


def write_report(folder: Path, performances: int) -> Path:
    """Scan such a library, and return the page about it."""
    environment = os.environ | {"HOME": str(folder)}
    write_library(folder / "Music", performances)
    catalogue = ("--catalog", "catalogue.sqlite3")
    for command in (("scan", "Music"), ("report", "--out", "report.html")):
        subprocess.run(
            [sys.executable, "-m", "topgenre", *command, *catalogue],
            cwd=folder,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return folder / "report.html"


def photograph_result(browser: Browser) -> bytes:
    """Return the page of ``topgenre serve`` as a browser shows it."""
    command = [sys.executable, "-m", "topgenre", "serve", "--port", "0", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        url = server.stdout.readline().split()[-1]
        size: ViewportSize = {"width": _PAGE[0], "height": _PAGE[1]}
        window = browser.new_page(viewport=size, reduced_motion="reduce")
        window.goto(url)
        song = encode(synthesise("disco"), ".m4a")
        file: FilePayload = {"name": "disco.m4a", "mimeType": "", "buffer": song}
        window.locator("#file").set_input_files([file])
        # The links to listen to come after the ranking; the waveform, whenever it is decoded.
        window.locator("section.recommendations a").first.wait_for()
        window.wait_for_function(_WAVEFORM_IS_THERE)
        taken = window.screenshot()
        server.terminate()
    return _compressed(Image.open(io.BytesIO(taken)))


def photograph_report(browser: Browser, page: Path) -> dict[str, bytes]:
    """Return the top and the map of a report as a browser shows them."""
    window = browser.new_page(viewport={"width": _WIDTH, "height": 900})
    window.goto(page.as_uri())
    # Nobody keeps music in the temporary folder that this one lies in.
    place = window.get_by_text(str(page.with_name("Music")), exact=True)
    place.evaluate("(shown, user) => { shown.textContent = user }", _USER)
    box = window.locator("#map").bounding_box()
    assert box
    edge, end = round(box["y"]), round(box["y"] + box["height"])
    with Image.open(io.BytesIO(window.screenshot(full_page=True))) as whole:
        return {
            name: _compressed(whole.crop((0, top, _WIDTH, bottom)))
            for name, top, bottom in (("report.png", 0, edge), ("report-map.png", edge, end))
        }


def _compressed(picture: Image.Image) -> bytes:
    small = io.BytesIO()
    picture.convert("RGB").save(small, "PNG", optimize=True)
    return small.getvalue()


def main(folder: Path) -> None:
    """Write the pictures into a folder, if there is a browser."""
    named = os.environ.get("TOPGENRE_BROWSER")
    executable = named or next(filter(None, map(shutil.which, _BROWSERS)), None)
    if not executable:
        sys.stdout.write("left out the pages of topgenre: they need Chromium\n")
        return
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        pictures = {"page.png": photograph_result(browser)}
        pictures |= photograph_report(browser, write_report(Path(home).resolve(), PERFORMANCES))
        browser.close()
    for name, picture in pictures.items():
        write_whole(folder / name, picture, ANYTHING)
        sys.stdout.write(f"wrote {folder / name}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HOME)
