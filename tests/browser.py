"""Chromium for the tests that need one; a module that imports this is skipped where there is none.

With TOPGENRE_REQUIRE_BROWSER set, as in CI, a browser that is missing is a failure.
"""

from __future__ import annotations

import os

import pytest

_REQUIRED = bool(os.environ.get("TOPGENRE_REQUIRE_BROWSER"))
if not _REQUIRED:
    pytest.importorskip("playwright", reason="Playwright is not installed")

# Only where Playwright is installed:
from playwright.sync_api import Browser, Locator, Page, Route, expect  # noqa: E402

from page_driver import chromium, find_chromium  # noqa: E402

__all__ = ["CHROMIUM", "Browser", "Locator", "Page", "Route", "chromium", "expect"]

_found = find_chromium()
if _found is None:
    if _REQUIRED:
        pytest.fail("TOPGENRE_REQUIRE_BROWSER is set, but there is no Chromium", pytrace=False)
    pytest.skip("there is no Chromium", allow_module_level=True)
CHROMIUM: str = _found
