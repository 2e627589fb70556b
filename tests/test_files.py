"""Files that topgenre writes: whole or not at all, and never over anything of others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topgenre import files, playlist, preprocessed
from topgenre.charts import save_bar_chart
from topgenre.errors import OutputError
from topgenre.files import ANYTHING, write_whole
from topgenre.library.catalogue import Catalogue
from topgenre.library.export import export
from topgenre.result import Result, rank

needs_posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes of Unix")
RESULT = Result("song", rank({"rock": 0.8, "pop": 0.2}), False, 0, 10, "m 1")
SONG = b"ID3\x04\0\0\0\0\0\0 a song of somebody"


def _export(path: Path) -> None:
    with Catalogue(path.with_name("catalogue.sqlite3")) as catalogue:
        export(catalogue, path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "chart.png": lambda path: save_bar_chart(RESULT, path),
    "chart.svg": lambda path: save_bar_chart(RESULT, path),
    "list.m3u8": lambda path: playlist.save([playlist.Entry(b"a.mp3", "a")], path),
    "table.csv": _export,
    "table.ndjson": lambda path: write_whole(path, b'{"path": ', b'{"path": '),
    "result.json": lambda path: write_whole(path, b"{}", b"{"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.parametrize("name", WRITERS)
def test_own_files_are_replaced_and_no_others(name: str, folder: Path) -> None:
    folder.mkdir()
    path = folder / name
    for _ in range(2):
        WRITERS[name](path)
    path.write_bytes(SONG)
    with pytest.raises(OutputError, match="it exists already and is not from topgenre"):
        WRITERS[name](path)
    assert path.read_bytes() == SONG
    assert not list(folder.glob(".topgenre*"))


@needs_posix
@pytest.mark.parametrize("name", WRITERS)
def test_nothing_is_written_through_a_link(name: str, folder: Path) -> None:
    folder.mkdir()
    path, song = folder / name, folder / "song.mp3"
    WRITERS[name](path)
    own = path.read_bytes()
    path.rename(folder / "own")
    song.write_bytes(SONG)
    for target in (song, folder / "own", folder / "nothing", folder):
        path.symlink_to(target)
        with pytest.raises(OutputError, match="it is a link"):
            WRITERS[name](path)
        path.unlink()
    os.mkfifo(path)
    with pytest.raises(OutputError):
        WRITERS[name](path)
    assert song.read_bytes() == SONG
    assert (folder / "own").read_bytes() == own
    assert not (folder / "nothing").exists()


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=100), ours=st.binary(max_size=4))
def test_only_files_that_begin_like_ours_are_replaced(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, ours: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(data)
    if data.startswith(ours):
        write_whole(path, b"new", ours)
        assert path.read_bytes() == b"new"
    else:
        with pytest.raises(OutputError):
            write_whole(path, b"new", ours)
        assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    writing = files.replacing(path, ANYTHING)
    writing.__enter__().write_bytes(b"ours")
    path.write_bytes(SONG)
    with pytest.raises(OutputError):
        writing.__exit__(None, None, None)
    assert path.read_bytes() == SONG
    assert list(tmp_path.iterdir()) == [path]


def test_a_preprocessed_file_is_known_by_its_first_member(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(b"PK\x03\x04 a ZIP file of somebody")
    import numpy as np

    from topgenre.audio import Segment
    from topgenre.spectrograms import compute

    made = compute(Segment(np.zeros(30_000, np.float32), 0.0, 1.4, ()), "song")
    with pytest.raises(OutputError, match="not from topgenre"):
        preprocessed.save(made, path)
    path.unlink()
    for _ in range(2):
        preprocessed.save(made, path)
