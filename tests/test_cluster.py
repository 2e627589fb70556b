"""Scanning on a Ray cluster of this machine: the rows of a local scan, whatever dies meanwhile."""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

import signals
from topgenre.cli.app import app
from topgenre.cluster.pipeline import Partition, scan_on_ray
from topgenre.demo import write_audio
from topgenre.errors import TopgenreError
from topgenre.result import Failure

N_SONGS = 12

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",  # Ray leaves files and sockets of its own to the collector
    "ignore::DeprecationWarning:ray",
    "ignore::FutureWarning:ray",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """Collect what Ray leaves behind while its warnings are still ignored."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for number in range(N_SONGS):
        song = folder / f"artist {number % 3}" / f"{number}.wav"
        song.parent.mkdir(exist_ok=True)
        write_audio(song, signals.music(1.5, number), signals.SAMPLE_RATE)
    (folder / "bad.mp3").write_bytes(b"this is no music")
    (folder / "notes.txt").touch()
    return folder


LATE = "timed out during startup"  # Ray's 30 seconds for that, too few for a very busy machine


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["scan", *map(str, arguments)])
    return run(*arguments) if LATE in " ".join(result.stderr.split()) else result


def scan(*arguments: Any, **options: Any) -> list[Partition | Failure]:
    try:
        return list(scan_on_ray(*arguments, **options))
    except TopgenreError as error:
        if LATE not in str(error):
            raise
    return scan(*arguments, **options)


def rows(table: Path) -> dict[str, dict[str, Any]]:
    """Give the rows of a table, by path and without the time at which they were written."""
    found = pyarrow.parquet.read_table(table).to_pylist()
    for row in found:
        del row["scanned_at"]
    return {row["path"]: row for row in found}


def test_rows_of_a_local_scan_though_an_actor_is_killed(music: Path, tmp_path: Path) -> None:
    catalog, table = tmp_path / "c.sqlite3", tmp_path / "local.parquet"
    local = run(music, "--catalog", catalog, "--export", table, "--jobs", 1)
    assert local.exit_code == 1  # one file is no music

    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        """Kill the first actor that has a process at work."""
        while not over.wait(0.02):
            for process in psutil.Process().children(recursive=True):
                try:
                    if "MapWorker" in process.name() and process.children():
                        process.kill()
                        killed.append(process.pid)
                        return
                except psutil.Error:
                    continue

    out = tmp_path / "tables"
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        found = scan([str(music)], str(out), jobs=2)
    finally:
        over.set()
        killer.join()
    assert len(killed) == 1
    assert all(isinstance(partition, Partition) for partition in found)
    assert rows(out) == rows(table)
    assert len(rows(out)) == N_SONGS + 1

    # Nothing is done twice: neither what is unchanged, nor the neighbours of what has changed or
    # is new. Places may be URLs.
    kept = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    again = run(music, "--engine", "ray", "--out", out)
    assert again.exit_code == 0
    assert f"{N_SONGS + 1} files" in again.stdout
    assert "0 classified" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == kept
    song = music / "artist 0" / "0.wav"
    status = song.stat()
    os.utime(song, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    place = f"file://{music}/artist 1"
    changed = run(music, place, "--engine", "ray", "--out", f"file://{out}", "--jobs", 1)
    assert changed.exit_code == 0, changed.stderr
    assert f"{1 + N_SONGS // 3} classified" in changed.stdout
    after = rows(out)
    assert len(after) == pyarrow.parquet.read_table(out).num_rows == 1 + N_SONGS + N_SONGS // 3
    new = after.keys() - rows(table).keys()
    assert new == {f"file://{song}" for song in (music / "artist 1").iterdir()}
    assert all(after[path]["genre_1"] and after[path]["error"] is None for path in new)


def test_what_is_refused(music: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "_topgenre.json").write_text(json.dumps({"not": "ours"}))
    for arguments, code, word in (
        ([music, "--engine", "ray"], 2, "--out"),
        ([music, "--out", tmp_path / "x"], 2, "--engine"),
        ([music, "--engine", "ray", "--out", tmp_path / "x", "--prune"], 2, "--engine"),
        ([music, "--engine", "ray", "--out", theirs], 1, "name another folder"),
        ([music, "--engine", "ray", "--out", music / "bad.mp3"], 1, "cannot be a folder"),
        ([music, "--engine", "ray", "--out", "nowhere://x"], 1, "cannot be used"),
    ):
        result = run(*arguments)
        assert result.exit_code == code, result.output
        assert word in " ".join(result.stderr.split())
        assert "Traceback" not in result.output
