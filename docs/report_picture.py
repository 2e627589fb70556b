"""Draw the page of ``topgenre report``: ``python docs/report_picture.py [FOLDER]``.

The library that it is about is synthetic: many performances of the demo songs. This needs Chromium,
on the path or named by TOPGENRE_BROWSER, and Playwright; without them it says so and does nothing.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from topgenre.demo import STYLES, synthesise, write_audio
from topgenre.output import write_whole

HOME = Path(__file__).with_name("images")
PERFORMANCES = 30  # of each demo song
_SAMPLE_RATE = 22_050
_USER = "/home/you/Music"
_WIDTH = 1100  # of the window, in pixels
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


def photograph(page: Path, executable: str) -> dict[str, bytes]:
    """Return the page's top and its map as a browser shows them."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": _WIDTH, "height": 900})
        window.goto(page.as_uri())
        # Nobody keeps music in the temporary folder that this one lies in.
        place = window.get_by_text(str(page.with_name("Music")), exact=True)
        place.evaluate("(shown, user) => { shown.textContent = user }", _USER)
        box = window.locator("#map").bounding_box()
        assert box
        taken = window.screenshot(full_page=True)
        browser.close()
    edge, end = round(box["y"]), round(box["y"] + box["height"])
    pictures = {}
    with Image.open(io.BytesIO(taken)) as whole:
        for name, top, bottom in (("report.png", 0, edge), ("report-map.png", edge, end)):
            small = io.BytesIO()
            part = whole.convert("RGB").crop((0, top, _WIDTH, bottom))
            part.save(small, "PNG", optimize=True)
            pictures[name] = small.getvalue()
    return pictures


def main(folder: Path) -> None:
    """Write the picture into a folder, if there is a browser."""
    named = os.environ.get("TOPGENRE_BROWSER")
    browser = named or next(filter(None, map(shutil.which, _BROWSERS)), None)
    try:
        import playwright  # noqa: F401 - only whether it is there
    except ImportError:
        browser = None
    if not browser:
        sys.stdout.write("left out the pages of a report: they need Chromium and Playwright\n")
        return
    with tempfile.TemporaryDirectory() as home:
        page = write_report(Path(home).resolve(), PERFORMANCES)
        for name, picture in photograph(page, browser).items():
            write_whole(folder / name, picture)
            sys.stdout.write(f"wrote {folder / name}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HOME)
