"""Neighbours in a catalogue: exact, one an artist, filtered, varied, and told why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import signals
from topgenre.audio.segment import Segment
from topgenre.cli.app import app
from topgenre.demo import write_audio
from topgenre.library.catalogue import Catalogue
from topgenre.library.likeness import compare, traits
from topgenre.library.scan import scan
from topgenre.library.similarity import Neighbour, neighbours
from topgenre.library.song import Analysis, Array, Tags
from topgenre.result import Result as Judgement
from topgenre.result import rank
from topgenre.spectrograms import compute

MODEL = b"model"


def add(
    catalogue: Catalogue,
    path: str,
    embedding: Array,
    *,
    artist: str | None = None,
    genres: dict[str, float] | None = None,
    model: bytes = MODEL,
    content: str | None = None,
) -> None:
    judged = Judgement(path, rank(genres or {"rock": 0.6, "pop": 0.4}), False, 0, 10, "m 1")
    digest = hashlib.sha256((content or path).encode()).digest()
    found = Analysis(digest, judged, embedding.astype(np.float32), Tags(artist, "Title"))
    catalogue.add(path, 1, 1, model, found)


def angle(degrees: float) -> Array:
    radians = np.radians(degrees)
    return np.array([np.cos(radians), np.sin(radians)], np.float32)


def names(found: list[Neighbour]) -> list[str]:
    return [Path(neighbour.path).name for neighbour in found]


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "catalogue.sqlite3") as catalogue:
        yield catalogue


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_the_nearest_are_those_of_the_exact_cosine(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((count, 8)).astype(np.float32)
    query = rng.standard_normal(8).astype(np.float32)
    with Catalogue(tmp_path_factory.mktemp("c") / "c.sqlite3") as catalogue:
        for number, vector in enumerate(vectors):
            add(catalogue, f"/{number}/{number}", vector * rng.uniform(0.1, 9))
        found = neighbours(catalogue, query, model=MODEL, limit=5, least=-1)
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    assert names(found) == [str(number) for number in np.argsort(-cosines)[:5]]
    np.testing.assert_allclose(
        [neighbour.similarity for neighbour in found], np.sort(cosines)[::-1][:5], atol=1e-5
    )


def test_more_songs_than_are_read_at_once(catalogue: Catalogue) -> None:
    for number in range(2500):
        add(catalogue, f"/{number}/{number}", angle(number * 0.03))
    assert names(neighbours(catalogue, angle(74), model=MODEL, limit=3)) == ["2467", "2466", "2468"]


def test_silence_in_the_embedding_is_similar_to_nothing(catalogue: Catalogue) -> None:
    add(catalogue, "/a/a", np.zeros(2, np.float32))
    for query in (angle(0), np.zeros(2, np.float32)):
        assert neighbours(catalogue, query, model=MODEL) == []
        (found,) = neighbours(catalogue, query, model=MODEL, least=0)
        assert found.similarity == 0


def test_one_song_an_artist(catalogue: Catalogue) -> None:
    for number, artist in enumerate(["A", "a", "B", "A", "B", "C"]):
        add(catalogue, f"/all/{number}", angle(number), artist=artist)
    assert names(neighbours(catalogue, angle(0), model=MODEL)) == ["0", "2", "5"]


def test_without_tags_a_folder_is_an_artist_unless_songs_are_few(catalogue: Catalogue) -> None:
    for number, folder in enumerate("xxxyyz"):
        add(catalogue, f"/{folder}/{number}", angle(number))
    assert names(neighbours(catalogue, angle(0), model=MODEL, limit=3)) == ["0", "3", "5"]
    assert names(neighbours(catalogue, angle(0), model=MODEL, limit=5)) == list("01235")
    assert len(neighbours(catalogue, angle(0), model=MODEL, limit=50)) == 6


def test_the_song_itself_and_copies_are_left_out(catalogue: Catalogue, tmp_path: Path) -> None:
    for folder, name in enumerate(("me", "me too", "other", "other too")):
        path = tmp_path / str(folder) / name
        path.parent.mkdir()
        path.touch()  # a copy: one whose file is gone would be one that has moved
        add(catalogue, str(path), angle(folder // 2), content=name.split()[0])
    assert catalogue.count() == 4
    me = hashlib.sha256(b"me").digest()
    assert names(neighbours(catalogue, angle(0), model=MODEL, content=me)) == ["other"]


def test_filters(catalogue: Catalogue) -> None:
    add(catalogue, "/music/jazz/a", angle(1), genres={"jazz": 0.7, "rock": 0.3})
    add(catalogue, "/music/rock/b", angle(2))
    add(catalogue, "/music/rocky/c", angle(3))
    add(catalogue, "/music/rock/live/d", angle(4))
    add(catalogue, "/music/gone", angle(0))
    add(catalogue, "/music/old/e", angle(0), model=b"another")
    catalogue.mark("/music/gone", missing=True)

    def found(genre: str | None = None, folder: str | None = None) -> list[str]:
        query = angle(0)
        return names(neighbours(catalogue, query, model=MODEL, genre=genre, folder=folder))

    assert found() == ["a", "b", "c", "d"]
    assert found(genre="jazz") == ["a"]
    assert found(genre="rock") == ["b", "c", "d"]
    assert found(folder="/music/rock") == ["b", "d"]
    assert found(folder="/music/rock/", genre="jazz") == []
    assert catalogue.other_models(MODEL) == 1


def test_why_two_songs_match(catalogue: Catalogue) -> None:
    add(catalogue, "/a/a", angle(0), genres={"rock": 0.5, "pop": 0.3, "jazz": 0.15, "disco": 0.05})
    genres = {"jazz": 0.6, "pop": 0.2, "rock": 0.12, "disco": 0.08}
    (found,) = neighbours(catalogue, angle(0), model=MODEL, genres=genres)
    assert found.shared_genres == ("pop", "jazz", "rock")
    record = json.loads(json.dumps(found.to_dict()))
    assert record["shared_genres"] == ["pop", "jazz", "rock"]
    assert record["genres"][0] == {"genre": "rock", "probability": 0.5}
    assert record["similarity"] == 1.0
    assert record["title"] == "Title"


def test_a_seed_varies_what_is_near(catalogue: Catalogue) -> None:
    for number in range(100):
        add(catalogue, f"/{number}/{number}", angle(number * 0.5))

    def found(seed: int | None) -> list[int]:
        return [
            int(name)
            for name in names(neighbours(catalogue, angle(0), model=MODEL, limit=6, seed=seed))
        ]

    assert found(None) == list(range(6))
    assert found(1) == found(1)
    lists = [found(seed) for seed in range(20)]
    assert len(set(map(tuple, lists))) > 10
    for drawn in lists:
        assert drawn == sorted(set(drawn))
        assert len(drawn) == 6
        assert max(drawn) < 18
    assert np.mean(lists) < 8.5  # of all candidates, the mean is 8.5


def test_an_empty_catalogue_and_a_limit_of_nothing(catalogue: Catalogue) -> None:
    assert neighbours(catalogue, angle(0), model=MODEL) == []
    with pytest.raises(ValueError, match="at least 1"):
        neighbours(catalogue, angle(0), model=MODEL, limit=0)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four songs and their catalogue."""
    folder = tmp_path_factory.mktemp("library")
    for name, sound in signals.ALL.items():
        if name != "noise":
            (folder / name).mkdir()
            write_audio(folder / name / f"{name}.wav", sound(3.0), signals.SAMPLE_RATE)
    with Catalogue(folder / "c.sqlite3") as catalogue:
        for _ in scan(catalogue, [folder], jobs=1):
            pass
    return folder


def call(library: Path, *arguments: str | Path) -> Result:
    command = ["similar", *map(str, arguments), "--catalog", str(library / "c.sqlite3")]
    return CliRunner().invoke(app, command)


def test_the_command_names_songs_and_reasons(library: Path) -> None:
    result = call(library, library / "music" / "music.wav")
    assert result.exit_code == 0
    heading, *lines = result.stdout.splitlines()
    assert heading.startswith(str(library / "music" / "music.wav"))
    assert len(lines) in (2, 4, 6)  # what is not alike is left out
    assert f"{library / 'music' / 'music.wav'}" not in result.stdout.split("\n", 1)[1]
    for song, place in zip(lines[::2], lines[1::2], strict=True):
        assert 0 <= float(song.split()[0]) <= 1.001
        assert "both" in song or "near in sound" in song
        assert Path(place.strip()).is_file()


def test_a_song_that_was_not_scanned_as_json(library: Path, tmp_path: Path) -> None:
    song = tmp_path / "new.flac"
    write_audio(song, signals.music(3.0), signals.SAMPLE_RATE)
    result = call(library, song, "--json", "--limit", "2")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert record["path"] == str(song)
    assert record["left_out"] == {"other_model": 0}
    # The same sound in another format: another content, and the same place.
    first, second = record["neighbours"]
    assert Path(first["path"]).name == "music.wav"
    assert first["similarity"] > 0.99 > second["similarity"]


def test_in_which_spectrogram_songs_are_closest(library: Path, tmp_path: Path) -> None:
    song, twin, gone = (tmp_path / name / "song.wav" for name in ("new", "twin", "gone"))
    for path in (song, twin, gone):
        path.parent.mkdir()
    write_audio(song, signals.music(3.0), signals.SAMPLE_RATE)
    write_audio(twin, 0.5 * signals.music(3.0), signals.SAMPLE_RATE)
    write_audio(gone, signals.tones(4.0), signals.SAMPLE_RATE)
    with Catalogue(tmp_path / "c.sqlite3") as catalogue:
        for _ in scan(catalogue, [twin.parent, gone.parent], jobs=1):
            pass
    gone.unlink()
    result = call(tmp_path, song, "--json", "--why")
    assert result.exit_code == 0
    first, second = json.loads(result.stdout)["neighbours"]
    # The volume is no part of it; and where all are alike, none is the closest.
    assert list(first["closeness"]) == ["full", "harmonic", "percussive", "onset"]
    assert min(first["closeness"].values()) > 0.99
    assert first["closest_spectrogram"] is None
    # A file that cannot be read any more has no such reason.
    assert Path(second["path"]) == gone
    assert second["closeness"] is None
    result = call(tmp_path, song, "--json")
    assert [found["closeness"] for found in json.loads(result.stdout)["neighbours"]] == [None] * 2


def rhythm(tempo: float, pitch: float) -> dict[str, Array]:
    """Traits of ten seconds in which a note decays at each beat, and hiss at each other one."""
    rate = signals.SAMPLE_RATE
    time = np.arange(10 * rate) / rate
    beats = time * tempo / 60
    note = np.sin(2 * np.pi * pitch * time) * np.exp(-8 * (beats % 1))
    hiss = np.random.default_rng(int(pitch)).standard_normal(len(time)) * np.exp(-60 * (beats % 2))
    samples = (0.3 * note + 0.1 * hiss).astype(np.float32)
    return traits(compute(Segment(samples, 0, 10)))


def test_the_same_rhythm_is_told_by_the_onsets() -> None:
    song = rhythm(100, 110)
    found = compare(song, rhythm(100, 1760))
    assert found.closest == "onset"
    assert found.closeness["onset"] > 0.9
    assert compare(song, rhythm(137, 110)).closeness["onset"] < 0.5
    assert compare(song, song).closeness == dict.fromkeys(song, 1.0)


def test_the_command_words_the_closest_spectrogram(library: Path) -> None:
    song = library / "music" / "music.wav"
    assert call(library, song).stdout.count("closest in") == 0
    explained = call(library, song, "--why").stdout
    assert explained.count("; closest in onset strength\n") == len(explained.splitlines()) // 2


def test_a_playlist(library: Path, tmp_path: Path) -> None:
    playlist = tmp_path / "like.m3u8"
    result = call(library, library / "tones" / "tones.wav", "--m3u8", playlist)
    assert result.exit_code == 0
    head, mark, name, *lines = playlist.read_text(encoding="utf-8").splitlines()
    assert (head, mark, name) == ("#EXTM3U", "# Written by topgenre", "#PLAYLIST:Like tones")
    assert all(line.startswith("#EXTINF:3,") for line in lines[::2])
    assert all(Path(line).is_file() for line in lines[1::2])
    assert len(lines) in (2, 4, 6)
    assert call(library, library / "tones" / "tones.wav", "--m3u8", playlist).exit_code == 0


def test_a_playlist_takes_the_place_of_no_other_file(library: Path, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    song.write_bytes((library / "tones" / "tones.wav").read_bytes())
    theirs = tmp_path / "theirs.m3u8"
    theirs.write_text("#EXTM3U\na favourite\n")
    for target, code in ((song, 2), (theirs, 1)):
        before = target.read_bytes()
        result = call(library, song, "--m3u8", target)
        assert result.exit_code == code
        assert target.name in result.stderr
        assert target.read_bytes() == before


def test_what_the_command_refuses(library: Path, tmp_path: Path) -> None:
    song = library / "music" / "music.wav"
    for arguments, code in (
        ([song, "--genre", "polka"], 2),
        ([song, "--limit", "0"], 2),
        ([tmp_path / "gone.mp3"], 1),
        ([song, "--folder", tmp_path], 1),
        ([song, "--m3u8", tmp_path / "nowhere" / "a.m3u8"], 1),
        ([song, "--model", library / "c.sqlite3"], 1),
    ):
        result = call(library, *arguments)
        assert result.exit_code == code, arguments
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
    nothing = call(tmp_path, song)
    assert nothing.exit_code == 1
    assert "topgenre scan FOLDER" in nothing.stderr


def test_songs_of_another_model_are_told(library: Path, tmp_path: Path) -> None:
    with Catalogue(tmp_path / "c.sqlite3") as catalogue:
        add(catalogue, "/old.mp3", angle(0), model=b"before")
    result = call(tmp_path, library / "music" / "music.wav")
    assert result.exit_code == 1
    assert "another model classified" in result.stderr
    assert "1 song" in result.stderr
