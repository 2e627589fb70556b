"""A hook of MkDocs: the site is files alone, so no page may load anything from another host."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

_LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class _Loaded(HTMLParser):
    """Collects what a page loads by itself; a link to click on is no such thing."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(_LOADING.get(tag, "")) or ""
        if address.startswith(("http:", "https:", "//")):
            self.elsewhere.append(address)


def on_post_page(output: str, *, page: Any, **_: Any) -> None:
    """Refuse a page that would ask another host for something."""
    loaded = _Loaded()
    loaded.feed(output)
    if loaded.elsewhere:
        raise SystemExit(f"{page.file.src_uri}: loads {loaded.elsewhere[0]} from elsewhere")
