"""The plugin in the real beets: its own process, a library of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import mutagen
import pytest

import signals
from topgenre.classifier import load
from topgenre.demo import STYLES, synthesise, write_audio
from topgenre.result import Result
from topgenre.tagging.policy import Policy

RATE = 22_050


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Result]:
    """Songs whose genre the model is sure of, and what it says of them."""
    folder = tmp_path_factory.mktemp("songs")
    classifier, sure = load(), {}
    for style in STYLES:
        path = folder / f"{style}.flac"
        write_audio(path, synthesise(style, seconds=4, sample_rate=RATE), RATE)
        result = classifier.classify(path)
        if not result.uncertain:
            sure[path] = result
    return sure


class Beets:
    """A library of beets, and the music to import into it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.configure(**options)

    def configure(self, **options: Any) -> None:
        configuration = {
            "directory": str(self.folder / "library"),
            "library": str(self.folder / "library.db"),
            "plugins": ["topgenre"],
            "import": {"copy": True, "write": True, "autotag": False},
            "topgenre": options,
        }
        # JSON is YAML, too.
        (self.folder / "config.yaml").write_text(json.dumps(configuration), encoding="utf-8")

    def add(self, source: Path, title: str, genre: list[str] | None = None) -> None:
        """Put a song into the inbox."""
        path = self.inbox / f"{title}{source.suffix}"
        path.write_bytes(source.read_bytes())
        file = mutagen.File(path)
        if file.tags is None:
            file.add_tags()
        if source.suffix == ".flac":
            file.tags.update({"title": title, "artist": "Somebody", "album": "Something"})
            if genre:
                file.tags["genre"] = genre
        file.save()

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run ``beet``, and return what it prints and logs."""
        ended = subprocess.run(
            [sys.executable, "-m", "beets", *arguments],
            env={**os.environ, "BEETSDIR": str(self.folder), "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        assert ended.returncode == code, ended.stdout
        assert "Traceback" not in ended.stdout
        return ended.stdout

    def genres(self, *, albums: bool = False) -> dict[str, str]:
        """Give what the library says, by title."""
        form = "$album|$genres" if albums else "$title|$genres"
        listed = self.run("ls", *(["-a"] if albums else []), "-f", form)
        return dict(line.split("|") for line in listed.splitlines())

    def tags(self) -> dict[str, list[str]]:
        """Give what the files in the library say, by title."""
        files = [mutagen.File(path) for path in (self.folder / "library").rglob("*.*")]
        return {file["title"][0]: file.get("genre", []) for file in files if "title" in file}


def expected(result: Result, **options: Any) -> list[str]:
    return [genre for genre, _ in Policy(**{"threshold": 0.0, **options}).choose(result)]


def test_an_import_fills_what_is_empty(tmp_path: Path, songs: dict[Path, Result]) -> None:
    (path, result), *_ = songs.items()
    beets = Beets(tmp_path, threshold=0.0)
    beets.add(path, "bare")
    beets.add(path, "tagged", ["Chanson"])
    write_audio(tmp_path / "noise.flac", signals.noise(2), signals.SAMPLE_RATE)
    beets.add(tmp_path / "noise.flac", "noise")
    # Whatever fails costs no import: this is no music to topgenre.
    beets.add(write_silence(tmp_path / "silence.flac"), "silence")
    log = beets.run("import", str(beets.inbox))
    (genre,) = expected(result)
    assert beets.genres() == {"bare": genre, "tagged": "Chanson", "noise": "", "silence": ""}
    # beets leaves the tags alone of what it imports as it is; `beet write` is for those.
    assert beets.tags()["bare"] == []
    beets.run("write", "title:bare")
    assert beets.tags() == {"bare": [genre], "tagged": ["Chanson"], "noise": [], "silence": []}
    assert re.search(r"topgenre: .*silence.*silen", log)
    # The album's own field is filled from the songs that have been judged.
    assert beets.genres(albums=True) == {"Something": genre}


def write_silence(path: Path) -> Path:
    write_audio(path, 0 * signals.noise(2), signals.SAMPLE_RATE)
    return path


def test_the_command_does_what_a_query_finds(tmp_path: Path, songs: dict[Path, Result]) -> None:
    (path, result), *_ = songs.items()
    name = result.genres[0].genre
    beets = Beets(tmp_path, auto=False, threshold=0.0, count=2, map={name: "Mein Genre"})
    beets.add(path, "one")
    beets.add(path, "two", ["Chanson", "Pop"])
    beets.run("import", str(beets.inbox))
    assert beets.genres()["one"] == ""
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.flac")}
    shown = beets.run("topgenre", "--pretend", "title:one")
    wanted = expected(result, count=2, names={name: "Mein Genre"})
    assert wanted[0] == "Mein Genre"
    assert len(wanted) == 2
    assert f"would be {', '.join(wanted)}" in shown
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.flac")} == before
    assert beets.genres()["one"] == ""
    beets.run("topgenre")
    assert beets.tags() == {"one": wanted, "two": ["Chanson", "Pop"]}
    beets.run("topgenre", "--force", "title:two")
    assert beets.tags() == {"one": wanted, "two": wanted}
    assert beets.genres() == dict.fromkeys(("one", "two"), "; ".join(wanted))


def test_a_threshold_that_nothing_reaches(tmp_path: Path, songs: dict[Path, Result]) -> None:
    beets = Beets(tmp_path, threshold=1.0)
    beets.add(next(iter(songs)), "one")
    beets.run("import", str(beets.inbox))
    assert "not sure" in beets.run("topgenre")
    assert beets.genres() == {"one": ""}


def test_a_setting_that_makes_no_sense_is_one_line(
    tmp_path: Path, songs: dict[Path, Result]
) -> None:
    beets = Beets(tmp_path, count=0)
    beets.add(next(iter(songs)), "one")
    why = "count must be at least 1"
    assert why in beets.run("import", str(beets.inbox))
    assert beets.genres() == {"one": ""}
    settings: list[tuple[dict[str, Any], str]] = [
        ({"map": {"polka": "Polka"}}, "'polka' is not one of topgenre's genres: blues"),
        ({"map": "missing.toml"}, "the names of genres cannot be read"),
        ({"threshold": 7}, "threshold from 0 to 1"),
    ]
    for options, why in settings:
        beets.configure(**options)
        assert why in beets.run("topgenre", code=1)


def test_one_song_says_nothing_of_the_rest_of_its_album(
    tmp_path: Path, songs: dict[Path, Result]
) -> None:
    """A song that is judged alone must not replace the genres of the whole album."""
    (path, result), *_ = songs.items()
    (genre,) = expected(result)
    beets = Beets(tmp_path, auto=False, threshold=0.0)
    for title in ("one", "two", "three"):
        beets.add(path, title, ["Chanson"])
    beets.run("import", str(beets.inbox))
    beets.run("modify", "-a", "-y", "-I", "album:Something", "genres=Chanson")
    assert beets.genres(albums=True) == {"Something": "Chanson"}
    beets.run("topgenre", "--force", "title:one")
    assert beets.genres() == {"one": genre, "two": "Chanson", "three": "Chanson"}
    assert beets.genres(albums=True) == {"Something": "Chanson"}
    # All of its songs do say what it is.
    beets.run("topgenre", "--force")
    assert beets.genres(albums=True) == {"Something": genre}
