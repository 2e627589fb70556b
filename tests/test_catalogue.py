"""The catalogue: what goes in comes out, and files that are no sound catalogue are left alone."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topgenre.errors import CatalogueError, ModelError, NotAudioError, OutputError
from topgenre.library.catalogue import Catalogue, default_path, model_hash
from topgenre.library.export import export
from topgenre.library.fields import STORED, json_of
from topgenre.library.playlists import choose
from topgenre.library.similarity import neighbours
from topgenre.library.song import Analysis, Song, Tags
from topgenre.report.summary import summarise
from topgenre.result import Failure, Result, rank

MODEL = b"m" * 32
needs_bytes = pytest.mark.skipif(os.name != "posix", reason="names are characters here")


def analysis(seed: int = 0, **tags: str) -> Analysis:
    rng = np.random.default_rng(seed)
    genres = dict(zip(("jazz", "pop", "rock", "disco"), rng.dirichlet(np.ones(4)), strict=True))
    result = Result("song", rank(genres), bool(seed % 2), 1.5, 11.5, "topgenre 8", ("short",), 13.0)
    embedding = rng.standard_normal(16).astype(np.float32)
    return Analysis(hashlib.sha256(bytes([seed])).digest(), result, embedding, Tags(**tags))


def failure(path: str) -> Failure:
    return Failure.of(path, NotAudioError(f"{path}: no sound"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite3"


names = st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name)


@needs_bytes
@settings(max_examples=40, deadline=None)
@given(st.lists(names, min_size=1, max_size=8, unique=True))
def test_any_name_comes_back_as_it_was(found: list[bytes]) -> None:
    paths = [os.fsdecode(b"/music/" + name) for name in found]
    with tempfile.TemporaryDirectory() as folder, Catalogue(Path(folder) / "c") as catalogue:
        for number, path in enumerate(paths):
            outcome = failure(path) if number % 2 else analysis(number)
            catalogue.add(path, number, -number, MODEL, outcome)
        songs = {song.path: song for song in catalogue.songs()}
        assert sorted(songs, key=os.fsencode) == sorted(paths, key=os.fsencode)
        assert [song.path for song in catalogue.songs()] == sorted(paths, key=os.fsencode)
        assert [songs[path].size for path in paths] == list(range(len(paths)))
        below = dict(catalogue.below(os.fsdecode(b"/music")))
        assert below == dict.fromkeys(paths, False)
        table = Path(folder) / "songs.ndjson"
        assert export(catalogue, table) == len(paths)
        assert all(map(json.loads, table.read_text(encoding="utf-8").splitlines()))


def test_what_is_stored_comes_back(path: Path) -> None:
    found = analysis(1, artist="A", title="T", album="L", genre="G")
    with Catalogue(path) as catalogue:
        assert catalogue.add("/a.mp3", 5, 6, MODEL, found) == "classified"
        catalogue.add("/b.mp3", 7, 8, MODEL, failure("/b.mp3"))
    with Catalogue(path, read_only=True) as catalogue:
        good, bad = catalogue.songs()
        assert catalogue.count() == 1
        assert [song.path for song in catalogue.failures()] == ["/b.mp3"]
        known = catalogue.find(found.hash, MODEL)
        assert catalogue.find(found.hash, b"another model") is None
    assert known is not None
    for back in (good.analysis, known):
        assert back is not None
        assert back.hash == found.hash
        assert back.tags == found.tags
        assert back.result.to_dict() == {**found.result.to_dict(), "path": "/a.mp3"}
        np.testing.assert_array_equal(back.embedding, found.embedding)
    assert (good.size, good.mtime_ns, good.missing, good.model_hash) == (5, 6, False, MODEL)
    assert (bad.analysis, bad.error_code) == (None, "not_audio")
    assert bad.error == "/b.mp3: no sound"


def test_the_documented_columns_are_there(path: Path) -> None:
    Catalogue(path).close()
    document = (Path(__file__).parents[1] / "docs" / "catalogue.md").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(songs)")]
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert len(columns) > 20
    for column in columns:
        stem = column.replace("_2", "_3")  # "genre_1 to genre_3"
        assert f"`{stem}`" in document


def test_the_file_lies_in_the_folder_for_user_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.name == "posix":
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        assert default_path() == tmp_path / "data" / "topgenre" / "catalogue.sqlite3"
        with Catalogue() as catalogue:
            assert catalogue.path == default_path()
        assert default_path().is_file()
    assert default_path().name == "catalogue.sqlite3"


def test_reading_makes_no_catalogue(path: Path) -> None:
    with pytest.raises(CatalogueError, match="no catalogue yet"):
        Catalogue(path, read_only=True)
    assert not path.exists()


def test_a_reader_cannot_write(path: Path) -> None:
    Catalogue(path).close()
    with Catalogue(path, read_only=True) as catalogue, pytest.raises(CatalogueError, match="used"):
        catalogue.prune()


def test_a_reader_and_a_writer_at_a_time(path: Path) -> None:
    with Catalogue(path) as writer, Catalogue(path, read_only=True) as reader:
        songs = reader.songs()
        for number in range(5):
            writer.add(f"/{number}", 0, 0, MODEL, analysis(number))
            assert reader.count() == number + 1
        assert len(list(songs)) == 5


@pytest.mark.parametrize("read_only", [True, False])
def test_what_is_no_catalogue_is_left_alone(path: Path, read_only: bool) -> None:
    path.write_bytes(b"dear diary, " * 1000)
    before = path.read_bytes()
    with pytest.raises(CatalogueError, match="it is damaged, or not a catalogue"):
        Catalogue(path, read_only=read_only)
    assert path.read_bytes() == before

    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE songs (path)")
    with pytest.raises(CatalogueError, match="not a topgenre catalogue"):
        Catalogue(path, read_only=read_only)

    path.unlink()
    path.mkdir()
    with pytest.raises(CatalogueError, match="cannot be used"):
        Catalogue(path, read_only=read_only)


def test_a_newer_catalogue_is_left_alone(path: Path) -> None:
    Catalogue(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 3")
    with pytest.raises(CatalogueError, match=r"version 3, .*update topgenre"):
        Catalogue(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="check the disk, the folder"):
        Catalogue(tmp_path / "nowhere" / "c.sqlite3")


def filled(path: Path, count: int = 60) -> None:
    with Catalogue(path) as catalogue:
        for number in range(count):
            catalogue.add(f"/{number:03d}.mp3", 0, 0, MODEL, analysis(number))


def test_a_page_of_rubbish_is_told_in_one_line(path: Path) -> None:
    filled(path)
    data = bytearray(path.read_bytes())
    for page in range(4, len(data) // 4096):
        data[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(data)

    def use() -> None:
        with Catalogue(path) as catalogue:
            for number in range(60):
                catalogue.stamp(f"/{number:03d}.mp3")
            list(catalogue.songs())

    with pytest.raises(CatalogueError, match="it is damaged") as caught:
        use()
    assert str(caught.value).isprintable()
    assert path.read_bytes() == bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        "probabilities = 'oops'",
        "notices = NULL",
        "probabilities = CAST(x'ff' AS TEXT)",
        "embedding = x'00'",
        "path = 'text', embedding = x'00'",
    ],
)
def test_a_row_of_rubbish_is_told_in_one_line(path: Path, change: str) -> None:
    filled(path, 3)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE songs SET {change} WHERE path = CAST('/001.mp3' AS BLOB)")
    with Catalogue(path) as catalogue, pytest.raises(CatalogueError, match="it is damaged"):
        [*catalogue.embeddings(MODEL), *catalogue.songs()]


WRONG_VALUES = ["NULL", "''", "'x'", "'{}'", "'[]'", "x'00'", "x''", "9e999", "-1", "'[[[['"]
READ = {field.name for field in STORED} - {"path", "error_code"}


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(READ)), st.sampled_from(WRONG_VALUES))
def test_a_value_of_a_wrong_type_is_told_in_one_line(column: str, value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.sqlite3"
        filled(path, 3)
        not_null = suppress(sqlite3.IntegrityError)
        with not_null, closing(sqlite3.connect(path)) as database, database:
            database.execute(f"UPDATE songs SET {column} = {value} WHERE id = 2")
        with Catalogue(path) as catalogue:
            uses: list[Callable[[], object]] = [
                lambda: list(catalogue.songs()),
                lambda: export(catalogue, Path(folder) / "songs.csv"),
                lambda: export(catalogue, Path(folder) / "songs.ndjson"),
                lambda: choose(catalogue, model=MODEL),
                lambda: neighbours(catalogue, analysis(0).embedding, model=MODEL),
                lambda: summarise(catalogue, model=MODEL),
                lambda: catalogue.find(analysis(1).hash, MODEL),
            ]
            for use in uses:
                with suppress(CatalogueError):
                    use()


def test_a_catalogue_of_version_1_keeps_its_rows_and_gains_columns(path: Path) -> None:
    filled(path, 5)
    with closing(sqlite3.connect(path)) as database, database:
        for column in ("tier", "verdict", "tags", "music"):
            database.execute(f"ALTER TABLE songs DROP COLUMN {column}")
        database.execute("DROP TABLE corrections")
        database.execute("PRAGMA user_version = 1")
    with Catalogue(path, read_only=True) as catalogue:  # as it is, without a change
        before = [json_of(song) for song in catalogue.songs()]
        assert catalogue.corrections() == []
        assert len(choose(catalogue, model=MODEL)) == 4
    with Catalogue(path) as catalogue:
        assert [json_of(song) for song in catalogue.songs()] == before
        assert catalogue.add("/new.mp3", 0, 0, MODEL, analysis(9)) == "classified"
        catalogue.correct("/new.mp3", "ska")
        assert catalogue.count() == 6
    assert [record["tier"] for record in before].count(None) == 0
    assert all(record["verdict"] for record in before)


def test_corrections_stay(path: Path) -> None:
    with Catalogue(path) as catalogue:
        catalogue.add("/a.mp3", 0, 0, MODEL, analysis(1))
        catalogue.correct("/a.mp3", "ska")
        catalogue.correct("/unknown.mp3", "jazz")
        catalogue.correct("/a.mp3", "reggae")
        catalogue.add("/a.mp3", 0, 1, b"another model", analysis(2))
        catalogue.mark("/a.mp3", missing=True)
        assert catalogue.prune() == 1
    with Catalogue(path, read_only=True) as catalogue:
        found = {one.path: (one.genre, one.hash) for one in catalogue.corrections()}
    assert found == {"/a.mp3": ("reggae", analysis(1).hash), "/unknown.mp3": ("jazz", None)}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_cell_of_a_table_is_a_formula(path: Path, tmp_path: Path, start: str) -> None:
    with Catalogue(path) as catalogue:
        tags = dict.fromkeys(("artist", "title", "album", "genre"), f"{start}1+1")
        catalogue.add(f"{start}path.mp3", 0, 0, MODEL, analysis(1, **tags))
        export(catalogue, tmp_path / "songs.csv")
    with (tmp_path / "songs.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert all(not str(cell).startswith(start) for name, cell in row.items())
    assert row["artist"] == f"'{start}1+1"


@pytest.mark.parametrize("new", [True, False])
def test_a_locked_catalogue_is_told_in_one_line(path: Path, new: bool) -> None:
    if not new:
        filled(path, 2)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CatalogueError, match="another program has locked it"):
            Catalogue(path)
        other.execute("ROLLBACK")
    with Catalogue(path) as catalogue:
        assert catalogue.count() == (0 if new else 2)


def test_moved_copied_and_touched(path: Path, tmp_path: Path) -> None:
    here = tmp_path / "here.mp3"
    here.touch()
    with Catalogue(path) as catalogue:
        assert catalogue.add("/gone.mp3", 0, 1, MODEL, analysis()) == "classified"
        assert catalogue.add(str(here), 0, 1, MODEL, analysis()) == "moved"
        assert catalogue.add(str(here), 0, 2, MODEL, analysis()) == "unchanged"
        assert catalogue.add("/other.mp3", 0, 1, MODEL, analysis()) == "copied"
        assert catalogue.add("/other.mp3", 0, 1, b"model 2", analysis()) == "classified"
        assert [song.path for song in catalogue.songs()] == sorted(["/other.mp3", str(here)])


def test_missing_songs_are_kept_until_they_are_pruned(path: Path) -> None:
    filled(path, 3)
    with Catalogue(path) as catalogue:
        catalogue.mark("/001.mp3", missing=True)
        assert catalogue.count() == 2
        assert [song.missing for song in catalogue.songs()] == [False, True, False]
        assert sum(len(block.ids) for block in catalogue.embeddings(MODEL)) == 2
        assert catalogue.prune() == 1
        assert catalogue.prune() == 0
        assert [song.path for song in catalogue.songs()] == ["/000.mp3", "/002.mp3"]


def test_below_is_what_lies_in_a_folder_and_no_more(path: Path) -> None:
    with Catalogue(path) as catalogue:
        for place in ("/a", "/a/1", "/a/b/2", "/ab/3", "/a.mp3", "/a0"):
            catalogue.add(place, 0, 0, MODEL, failure(place))
        assert [path for path, _ in catalogue.below("/a")] == ["/a", "/a/1", "/a/b/2"]
        assert len(list(catalogue.below("/"))) == 6


def test_the_hash_of_the_model(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"weights")
    assert model_hash(model) == hashlib.sha256(b"weights").digest()
    assert model_hash() != model_hash(model)
    with pytest.raises(ModelError, match="cannot be read"):
        model_hash(tmp_path / "none.onnx")


@pytest.fixture
def mixed(path: Path) -> Path:
    """Songs, a failure, and one whose file is gone."""
    with Catalogue(path) as catalogue:
        catalogue.add('/a "b", c.mp3', 9, 10**18, MODEL, analysis(1, artist="Ä\n", title="x,y"))
        catalogue.add("/bad.mp3", 1, 10**30 // 10**12, MODEL, failure("/bad.mp3"))
        catalogue.add("/gone.mp3", 2, 2**62, MODEL, analysis(2))
        catalogue.mark("/gone.mp3", missing=True)
    return path


def all_songs(path: Path) -> list[Song]:
    with Catalogue(path, read_only=True) as catalogue:
        return list(catalogue.songs())


def test_export_as_csv(mixed: Path, tmp_path: Path) -> None:
    table = tmp_path / "songs.csv"
    with Catalogue(mixed, read_only=True) as catalogue:
        assert export(catalogue, table) == 3
    with table.open(encoding="utf-8", newline="") as file:
        good, bad, gone = csv.DictReader(file)
    song = all_songs(mixed)[0]
    assert song.analysis is not None
    result = song.analysis.result
    assert good["path"] == song.path
    assert good["artist"] == "Ä\n"
    assert good["genre_1"] == result.genres[0].genre
    assert float(good["probability_3"]) == result.genres[2].probability
    assert json.loads(good["probabilities"]) == dict(result.genres)
    assert (good["uncertain"], good["missing"], gone["missing"]) == ("true", "false", "true")
    assert (bad["genre_1"], bad["error_code"]) == ("", "not_audio")
    assert bad["probabilities"] == ""


def test_export_as_ndjson(mixed: Path, tmp_path: Path) -> None:
    table = tmp_path / "songs.ndjson"
    with Catalogue(mixed, read_only=True) as catalogue:
        export(catalogue, table)
    good, bad, gone = map(json.loads, table.read_text(encoding="ascii").splitlines())
    assert good == json_of(all_songs(mixed)[0])
    assert good["modified_at"] == "2001-09-09T01:46:40Z"
    assert bad["error"] == {"type": "not_audio", "message": "/bad.mp3: no sound"}
    assert bad["genres"] is None
    assert gone["missing"] is True


def test_export_as_parquet(mixed: Path, tmp_path: Path) -> None:
    table = tmp_path / "songs.parquet"
    with Catalogue(mixed, read_only=True) as catalogue:
        if not find_spec("pyarrow"):
            with pytest.raises(OutputError, match=r"topgenre\[parquet\]"):
                export(catalogue, table)
            return
        assert export(catalogue, table) == 3
    parquet = pytest.importorskip("pyarrow.parquet")
    good, bad, gone = parquet.read_table(table).to_pylist()
    song = all_songs(mixed)[0]
    assert song.analysis is not None
    np.testing.assert_array_equal(np.float32(good["embedding"]), song.analysis.embedding)
    assert dict(good["probabilities"]) == dict(song.analysis.result.genres)
    assert bad["embedding"] is None
    assert gone["missing"] is True


def test_export_where_it_cannot_be(mixed: Path, tmp_path: Path) -> None:
    with Catalogue(mixed, read_only=True) as catalogue:
        for name in ("songs.txt", "songs", "nowhere/songs.csv"):
            with pytest.raises(OutputError, match="songs"):
                export(catalogue, tmp_path / name)
        (tmp_path / "folder.csv").mkdir()
        with pytest.raises(OutputError, match="it is a folder"):
            export(catalogue, tmp_path / "folder.csv")
    assert not list(tmp_path.glob(".*"))


def test_an_export_that_fails_leaves_the_one_before(mixed: Path, tmp_path: Path) -> None:
    table = tmp_path / "songs.csv"
    before = "path,size,mtime_ns\n"
    table.write_text(before, encoding="utf-8")
    with closing(sqlite3.connect(mixed)) as database, database:
        database.execute("UPDATE songs SET probabilities = '{' WHERE genre_1 IS NOT NULL")
    with Catalogue(mixed) as catalogue, pytest.raises(CatalogueError, match="damaged"):
        export(catalogue, table)
    assert table.read_text(encoding="utf-8") == before
    assert not list(tmp_path.glob(".*"))
