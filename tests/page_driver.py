"""The web page in a real browser, and what tests do with it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FilePayload,
    Locator,
    Page,
    ViewportSize,
    expect,
)
from playwright.sync_api import sync_playwright as playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE = 60_000  # milliseconds; a busy machine may be slow, but never that slow
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

expect.set_options(timeout=_PATIENCE)


def find_chromium() -> str | None:
    """Return the browser that the tests drive, if there is one."""
    found = os.environ.get("TOPGENRE_BROWSER") or next(
        filter(None, map(shutil.which, _NAMES)), None
    )
    return found if found and Path(found).exists() else None


@contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    """Run a browser with a microphone that beeps."""
    with playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--use-fake-device-for-media-stream"],
        )
        yield browser
        browser.close()


@dataclass
class Visit:
    """One visitor with a storage of their own, on the page of a server."""

    context: BrowserContext
    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    @property
    def row(self) -> Locator:
        """The rows of the queue."""
        return self.page.locator("#queue .row")

    @property
    def title(self) -> Locator:
        """The verdict."""
        return self.page.locator("#result-title")

    def upload(self, *named: tuple[str, bytes]) -> None:
        """Choose files."""
        payloads: list[FilePayload] = [
            {"name": name, "mimeType": "", "buffer": data} for name, data in named
        ]
        self.page.locator("#file").set_input_files(payloads)

    def classified(self, *named: tuple[str, bytes]) -> None:
        """Choose files, and wait until the result of the last one is shown in full."""
        self.upload(*named)
        self.shows(named[-1][0])

    def shows(self, name: str) -> None:
        """Wait until the result of a file is shown, recommendations included."""
        expect(self.page.locator(".song-file .file-name")).to_have_text(name)
        expect(self.page.locator("section.recommendations .recommended")).not_to_contain_text(
            "Looking for music"
        )

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def whole_track(self) -> Locator:
        """The switch between the middle and the whole track."""
        return self.page.get_by_role("switch", name="Analyse whole track")

    def choose(self, menu: str, action: str) -> None:
        """Open a menu of the page, and choose an action of it."""
        self.button(menu).click()
        self.button(action).click()

    def saved(self, menu: str, action: str) -> tuple[str, bytes]:
        """Return the name and the content of the file that an action of a menu saves."""
        with self.page.expect_download() as download:
            self.choose(menu, action)
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def tab_to(self, target: Locator, *, most: int = 80) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(most):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        pytest.fail(f"the Tab key does not lead to {target}")

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def finish_animations(self) -> None:
        """Let colours and sizes come to rest, so that contrasts are those that stay."""
        self.page.evaluate(
            "document.getAnimations().filter(a => a.effect?.getTiming().iterations !== Infinity)"
            ".forEach(a => a.finish())"
        )

    def barriers(self) -> list[str]:
        """Return what axe-core finds wrong with the page as it is."""
        self.finish_animations()
        script = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
        self.page.evaluate(script)
        found: dict[str, Any] = self.page.evaluate(
            "rules => axe.run({runOnly: rules, resultTypes: ['violations']})", _RULES
        )
        return [
            f"{violation['id']}: {node['html']} ({node['failureSummary']})"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]


class Window:
    """A window for one visit after another; to open one for each takes longer than most tests."""

    OPTIONS = frozenset(["viewport", "color_scheme", "reduced_motion"])

    def __init__(self, browser: Browser) -> None:
        self._context = browser.new_context()
        self._context.set_default_timeout(_PATIENCE)
        self._page = self._context.new_page()
        self._session = self._context.new_cdp_session(self._page)

    @contextmanager
    def visiting(
        self,
        url: str,
        *,
        viewport: ViewportSize | None = None,
        color_scheme: Literal["light", "dark"] = "light",
        reduced_motion: Literal["reduce", "no-preference"] = "reduce",
    ) -> Iterator[Visit]:
        """Open the page as `visiting` does, after forgetting all about earlier visits."""
        self._leave()  # if the last visit broke off
        origin = {"origin": url.rstrip("/"), "storageTypes": "local_storage"}
        self._session.send("Storage.clearDataForOrigin", origin)
        self._page.set_viewport_size(viewport or {"width": 1280, "height": 720})
        self._page.emulate_media(color_scheme=color_scheme, reduced_motion=reduced_motion)
        with _watching(Visit(self._context, self._page, url)) as visit:
            yield visit
        self._leave()

    def _leave(self) -> None:
        for other in self._context.pages:
            if other is not self._page:
                other.close()
        if self._page.url != "about:blank":
            self._page.unroute_all(behavior="ignoreErrors")
            self._context.set_offline(False)
            self._page.evaluate("sessionStorage.clear()")
            self._page.goto("about:blank")
            self._page.mouse.move(0, 0)


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """Open the page; at the end, nothing must have gone wrong in it and nothing come from afar.

    Nothing moves unless the options say so: drawing takes more time than all the rest.
    """
    context = browser.new_context(**{"reduced_motion": "reduce"} | options)
    context.set_default_timeout(_PATIENCE)
    with _watching(Visit(context, context.new_page(), url)) as visit:
        yield visit
    context.close()


@contextmanager
def _watching(visit: Visit) -> Iterator[Visit]:
    """Open the page of a visit, and look at what is said and asked for until its end."""

    def hear(message: Any) -> None:
        # An answer that is no 200 is told by the browser itself, whatever the page makes of it.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            visit.complaints.append(message.text)

    def fail(error: Any) -> None:
        visit.complaints.append(str(error))

    def watch(request: Any) -> None:
        if not request.url.startswith((visit.url, "blob:", "data:")):
            visit.complaints.append(f"asked for {request.url}")

    page = visit.page
    page.on("console", hear)
    page.on("pageerror", fail)
    page.on("request", watch)
    page.goto(visit.url)
    expect(page.locator("#colophon-version")).not_to_be_empty()
    try:
        yield visit
    finally:
        page.remove_listener("console", hear)
        page.remove_listener("pageerror", fail)
        page.remove_listener("request", watch)
    assert not visit.complaints, visit.complaints
