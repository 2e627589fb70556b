"""The report of a library: its numbers, its limits, and the files that it may take the place of."""

from __future__ import annotations

import hashlib
import html
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from song_rows import Library
from topgenre.errors import TooShortError
from topgenre.report.page import render
from topgenre.report.summary import MOST_POINTS, MOST_REVIEWED, summarise

DATE = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    monkeypatch.chdir(tmp_path)
    library = Library(tmp_path / "Music")
    yield library
    library.catalogue.close()


def words(page: str) -> str:
    """The text of a page, as it is read."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def drawn(page: str) -> Any:
    """What the map is drawn from."""
    found = re.search(r'<script type="application/json" id="map-data">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def test_the_numbers_are_those_of_the_catalogue(library: Library) -> None:
    for number in range(12):
        library.add(f"a/{number}.mp3", "jazz", 0.9, duration=1200)
    library.add("b.mp3", "rock", 0.45, uncertain=True, duration=None, artist="Ann", title="Bee")
    library.add("old.mp3", "rock", 0.9, model=b"another")
    library.catalogue.mark(library.add("gone.mp3", "rock", 0.9), missing=True)
    library.add_failure("c/s.mp3")
    library.add_failure("c/t.mp3", "only 0.1 s of sound", TooShortError)
    library.add_failure("c/u.mp3", "only 0.2 s of sound", TooShortError)
    result = library.call("report")
    assert result.exit_code == 0
    assert result.stdout == "wrote topgenre-report.html (13 songs)\n"
    assert "another model classified them: 1 song;" in result.stderr
    page = Path("topgenre-report.html").read_text(encoding="utf-8")
    text = words(page)
    assert f"13 songs in {library.folder} . Jazz comes first, with 92.3% of them." in text
    assert "songs classified 13 hours of sound; 1 of unknown length 4.0" in text
    assert "not sure: 1 song 7.7% files failed 3" in text
    assert "Left out: 1 song whose file is gone and 1 song that another model classified" in text
    assert "Jazz 12 92.3% Rock 1 7.7% , 1 of them not sure Blues 0 0.0%" in text
    assert "about 11 of 13 first genres are right" in text
    assert "40% to 50% 1 1" in text
    assert "90% to 100% 12 0" in text
    assert "Ann - Bee b.mp3 Rock 45.0% Blues 27.5% Jazz 27.5%" in text
    assert "Too short 2 c/t.mp3 only 0.1 s of sound c/u.mp3 only 0.2 s of sound Silent 1" in text
    songs = drawn(page)["songs"]
    assert len(songs) == 13
    assert sorted({song[3] for song in songs}) == ["45.0%", "90.0%"]


def test_only_what_lies_in_a_folder(library: Library) -> None:
    library.add("a/1.mp3", "jazz", 0.9)
    library.add("ab/2.mp3", "rock", 0.9)
    library.add_failure("ab/3.mp3")
    assert library.call("report", "--folder", library.folder / "a").exit_code == 0
    text = words(Path("topgenre-report.html").read_text(encoding="utf-8"))
    assert f"1 song in {library.folder / 'a'} . Jazz" in text
    assert "files failed 0" in text
    assert "Failed files" not in text


def test_a_library_in_which_all_has_failed(library: Library) -> None:
    library.add_failure("a/3.mp3")
    assert library.call("report").exit_code == 0
    text = words(Path("topgenre-report.html").read_text(encoding="utf-8"))
    assert f"No song in {library.folder / 'a'} could be classified." in text
    assert "Failed files 1 file could not be classified." in text
    assert "Map" not in text


def test_nothing_to_report_on(library: Library) -> None:
    library.catalogue.mark(library.add("gone.mp3", "rock", 0.9), missing=True)
    result = library.call("report")
    assert result.exit_code == 1
    assert "holds no song here" in result.stderr
    library.add("old.mp3", "rock", 0.9, model=b"another")
    result = library.call("report")
    assert result.exit_code == 1
    assert "but 1 that another model judged" in result.stderr
    assert not Path("topgenre-report.html").exists()


def test_only_a_report_is_replaced(library: Library) -> None:
    library.add("a.mp3", "jazz", 0.9)
    assert library.call("report", "--out", "mine.html").exit_code == 0
    library.add("b.mp3", "jazz", 0.9)
    assert library.call("report", "--out", "mine.html").exit_code == 0
    assert "2 songs" in words(Path("mine.html").read_text(encoding="utf-8"))
    Path("other.html").write_text("<!doctype html>\n<p>my page", encoding="utf-8")
    result = library.call("report", "--out", "other.html")
    assert result.exit_code == 1
    assert "other.html: it exists already and is not from topgenre" in result.stderr
    assert Path("other.html").read_text(encoding="utf-8").endswith("my page")
    assert library.call("report", "--out", "song.mp3").exit_code == 2
    result = library.call("report", "--out", "none/there.html")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_the_map_shows_the_principal_axes(library: Library) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((40, 6)) * [9, 4, 1, 1, 1, 1] + 3
    for number, vector in enumerate(vectors):
        library.add(f"{number}.mp3", "jazz", 0.9, embedding=vector)
    found = summarise(library.catalogue, model=library.model)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    _, strengths, axes = np.linalg.svd(unit - unit.mean(axis=0))
    expected = unit @ axes[:2].T
    order = [int(Path(song.path).stem) for song in found.map.songs]
    assert sorted(order) == list(range(40))
    points = np.empty((40, 2))
    points[order] = found.map.points
    # The same picture, but for the place, the scale and the side from which it is seen.
    scale = np.ptp(expected, axis=0).max()
    np.testing.assert_allclose(
        np.linalg.norm(points[:, None] - points[None], axis=2) * scale,
        np.linalg.norm(expected[:, None] - expected[None], axis=2),
        atol=1e-5,
    )
    assert points.min() == 0
    assert points.max() == 1
    share = (strengths[:2] ** 2).sum() / (strengths**2).sum()
    assert found.map.kept == pytest.approx(share, abs=1e-6)
    assert f"these two keep {share:.1%} of what" in words(render(found, written=DATE))


def test_songs_that_sound_all_the_same(library: Library) -> None:
    for number in range(3):
        library.add(f"{number}.mp3", "jazz", 0.9)
    found = summarise(library.catalogue, model=library.model)
    assert found.map.kept is None
    assert not found.map.points.any()
    assert "all of them sound the same" in words(render(found, written=DATE))


def test_a_huge_library_gives_a_page_of_bounded_size(library: Library) -> None:
    library.add("first.mp3", "jazz", 0.4, uncertain=True, embedding=np.arange(8))
    copies = MOST_POINTS + 500
    with closing(sqlite3.connect(library.catalogue.path)) as database, database:
        (first,) = database.execute("SELECT * FROM songs").fetchall()
        names = [column[1] for column in database.execute("PRAGMA table_info(songs)")]
        rng = np.random.default_rng(2)
        rows = []
        for number in range(copies):
            path = b"/music/%d/song %d.mp3" % (number // 10, number)
            new = {
                "id": None,
                "path": path,
                "hash": hashlib.sha256(path).digest(),
                "embedding": rng.standard_normal(8).astype("<f4").tobytes(),
            }
            rows.append([new.get(name, value) for name, value in zip(names, first, strict=True)])
        places = ", ".join("?" * len(names))
        database.executemany(f"INSERT INTO songs VALUES ({places})", rows)
    found = summarise(library.catalogue, model=library.model)
    page = render(found, written=DATE)
    text = words(page)
    assert f"The map shows 4,000 of the {copies + 1:,} songs" in text
    assert len(drawn(page)["songs"]) == MOST_POINTS
    assert f"The 1,000 least sure of {copies + 1:,} are listed." in text
    assert page.count("data-confidence") == MOST_REVIEWED
    assert len(page) < 2_000_000
    # The same catalogue gives the same page, and one song more hardly another sample.
    assert render(summarise(library.catalogue, model=library.model), written=DATE) == page
    before = {song.path for song in found.map.songs}
    library.add("another.mp3", "jazz", 0.9, embedding=np.arange(8))
    after = summarise(library.catalogue, model=library.model)
    assert len(before & {song.path for song in after.map.songs}) >= MOST_POINTS - 1
