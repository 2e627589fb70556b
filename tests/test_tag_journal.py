"""The journal of written genres: what is not one keeps every byte, and no entry is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tag_files import FORMATS, genres, sound, write_song
from topgenre.cli.app import app
from topgenre.errors import TagError
from topgenre.library.catalogue import Catalogue
from topgenre.tagging.apply import undo
from topgenre.tagging.formats import GenreTag
from topgenre.tagging.journal import Journal

needs_posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes of Unix")
NOTHING, ROCK = GenreTag((), {}), GenreTag(("Rock",), {})


def journal_of(path: Path, count: int) -> bytes:
    with Journal(path) as journal:
        for number in range(count):
            journal.note(f"song {number}", NOTHING, ROCK)
    return path.read_bytes()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return journal_of(tmp_path_factory.mktemp("journal") / "journal", 10)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "journal"


FOREIGN: dict[str, bytes] = {
    **{name: sound(name) for name in FORMATS},
    "catalogue.sqlite3": b"SQLite format 3\0" + bytes(4000),
    "notes.txt": b"Milk\nEggs\n",
    "no-newline.txt": b"Milk",
    "list.ndjson": b'{"path": "a.mp3"}\n{"path": "b.mp3"}\n',
    "version.json": b'{"version": 7}',
    "other.json": b'{"version": 2, "songs": []}\n',
    "utf-16.txt": "{}\n".encode("utf-16"),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("options", [["--undo"], ["--write"]])
def test_a_slip_of_the_hand_costs_no_byte(name: str, options: list[str], tmp_path: Path) -> None:
    target = tmp_path / name
    target.write_bytes(FOREIGN[name])
    song = write_song(tmp_path / "other.mp3")
    paths = [str(song)] if "--write" in options else []
    arguments = ["tag", *paths, *options, "--journal", str(target), "--no-catalog"]
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 1
    assert ended.stderr.count("error: ") == 1
    assert str(target) in ended.stderr
    assert target.read_bytes() == FOREIGN[name]
    assert genres(song) == []


@needs_posix
@pytest.mark.parametrize("must_exist", [False, True])
def test_what_is_not_a_file_is_not_a_journal(must_exist: bool, tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    before = song.read_bytes()
    places = [tmp_path / name for name in ("folder", "pipe", "to-song", "to-nothing")]
    places[0].mkdir()
    os.mkfifo(places[1])
    places[2].symlink_to(song)
    places[3].symlink_to(tmp_path / "nothing")
    for place in places:
        with pytest.raises(TagError, match=place.name):
            Journal(place, must_exist=must_exist)
    assert song.read_bytes() == before
    assert not (tmp_path / "nothing").exists()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=60).map(str.encode)))
def test_any_bytes_stay_as_they_are(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    if data and not b'{"version": '.startswith(data):
        with pytest.raises(TagError):
            Journal(path)
    else:
        Journal(path).close()
    assert path.read_bytes() == data


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_damaged_byte_drops_no_entry_without_a_word(
    path: Path, written: bytes, at: int, byte: int
) -> None:
    data = bytearray(written)
    data[at % len(data)] = byte
    path.write_bytes(data)
    try:
        with Journal(path) as journal:
            found = len(journal.entries())
    except TagError:
        found = 10
    assert found == 10 or (found == 9 and not data.endswith(b"\n"))
    assert path.read_bytes() == data


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(cut=st.integers(0, 10**6))
def test_an_unfinished_last_line_is_dropped_and_nothing_else(
    path: Path, written: bytes, cut: int
) -> None:
    size = cut % (len(written) + 1)
    path.write_bytes(written[:size])
    with Journal(path) as journal:
        before = [entry.path for entry in journal.entries()]
        assert path.read_bytes() == written[:size]
        journal.note("another song", NOTHING, ROCK)
    whole = written[:size].count(b"\n") + (written[size : size + 1] == b"\n")
    assert len(before) == whole
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line)["path"] for line in lines] == [*reversed(before), "another song"]


def test_an_old_journal_is_undone_by_its_genres(tmp_path: Path) -> None:
    from topgenre.tagging.rewrite import write_genre

    song = write_song(tmp_path / "song.mp3")
    write_genre(song, ["Rock"])
    raw = {"format": "id3", "tags": True, "text": None, "encoding": None, "id3v1": None}
    line = {
        **{"version": 1, "id": "a", "run": "b", "path": str(song)},
        "old": {"genres": ["Polka"], "raw": raw},
        "new": {"genres": ["Rock"], "raw": raw},
    }
    place = tmp_path / "journal"
    place.write_text(f"{json.dumps(line)}\n", encoding="ascii")
    with Journal(place) as journal:
        assert [type(outcome).__name__ for outcome in undo(journal)] == ["Undone"]
    assert genres(song) == ["Polka"]


def test_the_catalogue_is_not_a_journal(tmp_path: Path) -> None:
    place = tmp_path / "catalogue.sqlite3"
    Catalogue(place).close()
    before = place.read_bytes()
    with pytest.raises(TagError, match="this is not a journal"):
        Journal(place)
    assert place.read_bytes() == before
