"""Taught genres and corrections in the commands around them."""

from __future__ import annotations

import html
import json
from pathlib import Path

import mutagen
import numpy as np
import pytest
from typer.testing import CliRunner

from tag_files import write_song
from test_teach import N_EMBEDDING, centre, songs
from topgenre.cli.app import app
from topgenre.head import GenreHead
from topgenre.library.analysis import file_hash
from topgenre.library.catalogue import Catalogue, model_hash
from topgenre.library.song import Analysis, Tags
from topgenre.result import Result, rank
from topgenre.tagging.process import read_genre
from topgenre.teaching.examples import gather
from topgenre.teaching.review import doubtful_in
from topgenre.teaching.teach import teach_examples


@pytest.fixture
def genres(tmp_path: Path) -> Path:
    """Return a file of taught genres."""
    taught = teach_examples(gather(songs({"deep dub": 9, "ΣΚΑ": 9})), model_hash().hex(), "mine")
    taught.head.save(tmp_path / "mine.genres")
    return tmp_path / "mine.genres"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Return a catalogue that knows three songs without a genre."""
    path = tmp_path / "catalogue.sqlite3"
    with Catalogue(path) as catalogue:
        for name, sound in (("one", "deep dub"), ("two", "ΣΚΑ"), ("three", "deep dub")):
            song = write_song(tmp_path / "music" / f"{name}.flac")
            file = mutagen.File(song)
            file["title"] = name  # no two files have the same content
            file.save()
            result = Result(str(song), rank({"rock": 0.9, "pop": 0.1}), False, 0.0, 10.0, "m")
            vector = centre(sound).astype(np.float32)
            found = Analysis(file_hash(str(song)), result, vector, Tags())
            status = song.stat()
            catalogue.add(str(song), status.st_size, status.st_mtime_ns, model_hash(), found)
    return path


def tag(catalog: Path, *arguments: object, code: int = 0) -> str:
    folder = catalog.parent
    fixed = ["tag", "--catalog", str(catalog), "--journal", str(folder / "journal.ndjson")]
    result = CliRunner().invoke(app, [*fixed, *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def written(catalog: Path) -> dict[str, tuple[str, ...]]:
    music = catalog.parent / "music"
    return {path.stem: read_genre(str(path)).genres for path in music.iterdir()}


def test_tag_writes_taught_genres_as_they_are_named(catalog: Path, genres: Path) -> None:
    music = catalog.parent / "music"
    tag(catalog, music, "--genres", genres, "--write")
    assert written(catalog) == {"one": ("deep dub",), "two": ("ΣΚΑ",), "three": ("deep dub",)}
    # The catalogue has followed the tags: nothing need be scanned or judged again.
    with Catalogue(catalog, read_only=True) as catalogue:
        for song in catalogue.songs():
            assert song.analysis is not None
            assert song.analysis.hash == file_hash(song.path)
            assert song.analysis.tags.genre in ("deep dub", "ΣΚΑ")
            assert song.analysis.result.genres[0].genre == "rock"
    assert "3 unchanged" in tag(catalog, music, "--genres", genres, "--write", "--replace")
    tag(catalog, "--undo")
    assert set(written(catalog).values()) == {()}


def test_a_map_renames_taught_genres(catalog: Path, genres: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.toml"
    names.write_text('"deep dub" = "Dub"\n', encoding="utf-8")
    music = tmp_path / "music"
    tag(catalog, music, "--genres", genres, "--map", names, "--write")
    assert written(catalog) == {"one": ("Dub",), "two": ("ΣΚΑ",), "three": ("Dub",)}
    tag(catalog, music, "--map", names, code=2)  # the model's own genres have no such name


def test_a_correction_is_certain_with_and_without_taught_genres(
    catalog: Path, genres: Path, tmp_path: Path
) -> None:
    music = tmp_path / "music"
    with Catalogue(catalog) as catalogue:
        catalogue.correct(str(music / "one.flac"), "shoegaze")
    moved = music / "moved.flac"
    (music / "one.flac").rename(moved)  # known by its content
    for options in ((), ("--genres", genres)):
        lines = tag(catalog, moved, "--json", *options).splitlines()
        record = json.loads(lines[0])
        assert record["new"][0].casefold() == "shoegaze"
        assert record["genres"][0]["probability"] == 1.0
    tag(catalog, moved, "--write", "--genres", genres)
    assert read_genre(str(moved)).genres == ("shoegaze",)


def test_a_correction_follows_a_song_whose_tags_change(catalog: Path, tmp_path: Path) -> None:
    song = tmp_path / "music" / "one.flac"
    with Catalogue(catalog) as catalogue:
        catalogue.correct(str(song), "Dub")
    tag(catalog, song, "--write")
    with Catalogue(catalog, read_only=True) as catalogue:
        assert catalogue.corrected()[1] == {file_hash(str(song)): "Dub"}


def test_songs_that_nobody_has_scanned_are_judged_by_the_taught_genres(
    genres: Path, tmp_path: Path
) -> None:
    from topgenre.demo import synthesise, write_audio

    song = tmp_path / "new.flac"
    write_audio(song, synthesise("metal", seconds=4, sample_rate=22_050), 22_050)
    arguments = ["tag", str(song), "--no-catalog", "--genres", str(genres), "--json"]
    result = CliRunner().invoke(app, [*arguments, "--include-uncertain"])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout.splitlines()[0])
    assert record["new"][0] in ("deep dub", "ΣΚΑ")


def test_genres_of_another_model_tag_nothing(catalog: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.genres"
    teach_examples(gather(songs({"a": 3, "b": 3})), "cd" * 32).head.save(other)
    assert "teach them again" in CliRunner().invoke(
        app, ["tag", str(tmp_path / "music"), "--catalog", str(catalog), "--genres", str(other)]
    ).output.replace("\n", " ")
    assert set(written(catalog).values()) == {()}


def test_a_file_of_many_genres_keeps_the_ten_best() -> None:
    names = tuple(f"genre {n:03}" for n in range(300))
    zeros = np.zeros((300, N_EMBEDDING), np.float32)
    head = GenreHead("m", names, zeros, np.arange(300, dtype=np.float32), 1.0, 0.5, "")
    result = head.result(head.probabilities(zeros[:1])[0], "song")
    assert next(genre for genre, _ in result.genres) == "genre 299"
    assert len(result.genres) == 10


def test_the_report_lists_doubtful_tags_with_a_command_to_accept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalogue.sqlite3"
    with Catalogue(path) as catalogue:
        for number, song in enumerate(songs({"Deep Dub": 12, "Ska": 12}, artists=6)):
            genre = "Ska" if number == 0 else song.genres[0]  # a wrong tag
            result = Result(song.path, rank({"reggae": 0.9, "pop": 0.1}), False, 0.0, 10.0, "m")
            tags = Tags(artist=song.group, genre=genre)
            found = Analysis(number.to_bytes(32, "big"), result, song.embeddings[0], tags)
            catalogue.add(song.path, 1, 1, model_hash(None), found)
    page = tmp_path / "page.html"
    for corrected in (False, True):
        out = CliRunner().invoke(app, ["report", "--catalog", str(path), "--out", str(page)])
        assert out.exit_code == 0, out.output
        text = html.unescape(page.read_text("utf-8"))
        command = "topgenre correct '/music/Deep Dub/0.mp3' 'Deep Dub'"
        assert (command in text) is not corrected
        assert ("Tags that the sound contradicts" in text) is not corrected
        with Catalogue(path) as catalogue:
            catalogue.correct("/music/Deep Dub/0.mp3", "Ska")
    # What is drawn from a large library is as good.
    monkeypatch.setattr("topgenre.teaching.review._MOST_IN_REPORT", 22)
    with Catalogue(path, read_only=True) as catalogue:
        assert doubtful_in(catalogue, model_hash()) == ()
        assert doubtful_in(catalogue, b"another") == ()
