"""Fixtures of several test modules; each test says which it takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Several tests run side by side: more threads of one would only wait for each other. This must come
# before the first import of NumPy or PyTorch, and holds for the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from fake_deezer import FakeDeezer
from fake_spotify import FakeSpotify
from topgenre.recommend import registry
from web_server import Server, serving
from worker_jobs import stop_all

# Each file runs in one process. The longest begin first, so that none is left over at the end;
# `--no-loadscope-reorder` keeps pytest-xdist from an order of its own.
_LONGEST = (
    *("test_training", "test_page", "test_pages", "test_audio", "test_readme", "test_web_attacks"),
    *("test_audible_sound", "test_web_api", "test_scan", "test_cluster", "test_cli", "test_docs"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files by how long they take, roughly."""
    order = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for tests that need nothing special of it and leave it as it is."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, "--workers", "1", max_upload_bytes=2_000_000, rate_limit=0) as running:
        yield running


@pytest.fixture
def no_children() -> None:
    """End the processes that earlier tests left idle, so that all children are the test's own."""
    stop_all()


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither settings nor proxies nor a .env file of whoever runs the tests."""
    for name in os.environ:
        if name.startswith("TOPGENRE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    # Providers are kept by their settings, and the next service may get the port of an earlier one.
    registry._spotify.cache_clear()
    registry._deezer.cache_clear()


@pytest.fixture
def spotify(nothing_set: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSpotify]:
    """Run a Spotify of our own, and set what it takes to be asked."""
    service = FakeSpotify()
    with service.running():
        for name, value in service.variables.items():
            monkeypatch.setenv(name, value)
        yield service


@pytest.fixture
def deezer(nothing_set: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDeezer]:
    """Run a Deezer of our own, and set its address."""
    service = FakeDeezer()
    with service.running():
        monkeypatch.setenv("TOPGENRE_DEEZER_API_URL", service.url)
        yield service
