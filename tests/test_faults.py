"""Disks without room, signals, clocks that jump, and files that end what reads them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

import bombs
import signals
from topgenre.demo import write_audio
from topgenre.errors import TagError
from topgenre.library.watch import watch
from topgenre.result import Failure
from topgenre.tagging import process
from topgenre.workers.processes import in_processes
from web_server import until

posix = pytest.mark.skipif(os.name != "posix", reason="signals, limits and devices of Unix")


SONGS = 120


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough short songs to be stopped among, by a busy machine too; nobody changes them."""
    folder = tmp_path_factory.mktemp("music")
    write_audio(folder / "000.wav", signals.music(1.5), signals.SAMPLE_RATE)
    song = (folder / "000.wav").read_bytes()
    for number in range(1, SONGS):
        # Each has a content of its own, as the catalogue knows copies when it meets them.
        (folder / f"{number:03}.wav").write_bytes(song[:-4] + number.to_bytes(4, "little"))
    return folder


def topgenre(*arguments: str | Path, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that may write no file above a number of bytes."""
    script = "from topgenre.cli import main; main()"
    if limit is not None:
        script = (
            f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit},) * 2)\n{script}"
        )
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


# ------------------------------------------------------------------------------ no room


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("form", ["--json", "--top=1"])
def test_output_for_which_there_is_no_room(form: str, music: Path) -> None:
    command = [sys.executable, "-m", "topgenre", "classify", str(music / "000.wav"), form]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the output cannot be written")
    assert done.stderr.count("\n") == 1


@posix
@pytest.mark.parametrize(
    "command",
    [
        ("classify", "{song}", "--chart", "{out}.png"),
        ("spectrograms", "{song}", "-o", "{out}.npz"),
        ("watch", "{inbox}", "--out", "{out}", "--once", "--interval", "0.05", "--jobs", "1"),
    ],
    ids=lambda command: command[0],
)
def test_files_for_which_there_is_no_room(
    command: tuple[str, ...], music: Path, tmp_path: Path
) -> None:
    inbox, out = tmp_path / "inbox", tmp_path / "results" / "out"
    for folder in (inbox, out.parent):
        folder.mkdir()
    song = inbox / "song.wav"
    song.write_bytes((music / "000.wav").read_bytes())
    before = song.read_bytes()
    done = topgenre(*(word.format(song=song, inbox=inbox, out=out) for word in command), limit=100)
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1
    assert "cannot be written (File too large)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in out.parent.rglob("*") if path.is_file()]
    assert song.read_bytes() == before


# ------------------------------------------------------------------------------ SIGTERM


def stopped(command: Sequence[str | Path], ready: Callable[[], bool]) -> tuple[int, str]:
    """Send SIGTERM to a command and to all processes that it has started, as systemd does."""
    with subprocess.Popen(
        [sys.executable, "-m", "topgenre", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        until(lambda: ready() or running.poll() is not None)
        os.killpg(running.pid, signal.SIGTERM)
        _, errors = running.communicate(timeout=60)
    assert "Traceback" not in errors
    return running.returncode, errors


def stored(catalogue: Path) -> dict[bytes, str | None]:
    """Return the rows of a catalogue: their paths, and what failed."""
    if not catalogue.exists():
        return {}
    with closing(sqlite3.connect(f"{catalogue.as_uri()}?mode=ro", uri=True)) as database:
        try:
            return dict(database.execute("SELECT path, error_code FROM songs").fetchall())
        except sqlite3.OperationalError:  # not made yet
            return {}


@posix
def test_a_scan_that_is_told_to_end_blames_no_file(music: Path, tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.sqlite3"
    command: Sequence[str | Path] = ["scan", music, "--catalog", catalogue, "--jobs", "2"]
    code, errors = stopped(command, lambda: len(stored(catalogue)) >= 3)
    assert code == -signal.SIGTERM
    assert "run the same command to continue" in errors
    before = stored(catalogue)
    assert 3 <= len(before) < SONGS
    assert set(before.values()) == {None}
    assert topgenre(*command).returncode == 0
    assert set(stored(catalogue).values()) == {None}
    assert len(stored(catalogue)) == SONGS


@posix
def test_a_watch_that_is_told_to_end_leaves_no_half_result(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command: Sequence[str | Path] = [
        "watch",
        music,
        "--out",
        out,
        "--interval",
        "0.05",
        "--jobs",
        "1",
        "--no-charts",
    ]
    code, errors = stopped(command, lambda: out.exists() and len(list(out.glob("*.json"))) >= 3)
    assert code == -signal.SIGTERM
    assert "stopped" in errors
    done = sorted(path.name for path in out.iterdir())
    assert 3 <= len(done) < SONGS
    assert all(name.endswith(".wav.json") for name in done)
    with closing(watch(music, out, jobs=1, interval=0.01, charts=False, once=True)) as arrivals:
        assert f"{Path(next(arrivals).path).name}.json" not in done


@posix
def test_tags_are_whole_when_the_program_is_told_to_end(music: Path, tmp_path: Path) -> None:
    folder, journal = tmp_path / "songs", tmp_path / "journal"
    folder.mkdir()
    for path in music.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    before = {path: path.read_bytes() for path in folder.iterdir()}
    options: list[str | Path] = [
        "--include-uncertain",
        "--write",
        "--no-catalog",
        "--journal",
        journal,
    ]
    code, errors = stopped(
        ["tag", folder, *options, "--jobs", "1"],
        lambda: journal.exists() and len(journal.read_bytes().splitlines()) >= 3,
    )
    assert code == -signal.SIGTERM
    assert "What was written stays; --undo takes it back" in errors
    assert set(folder.iterdir()) == set(before)
    written = [path for path in before if process.read_genre(str(path)).genres]
    assert 2 <= len(written) < SONGS
    assert all(path in written or path.read_bytes() == data for path, data in before.items())
    assert len(journal.read_bytes().splitlines()) - len(written) in (0, 1)


# ------------------------------------------------------------------------------ clocks


def test_clocks_may_be_wrong(music: Path, tmp_path: Path) -> None:
    """A file of tomorrow, or of before there were computers, is done once, as any other."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number, year in enumerate((-60, 0, 400)):
        path = inbox / f"{number}.wav"
        path.write_bytes((music / "000.wav").read_bytes())
        os.utime(path, (year * 31_556_952,) * 2)
    catalogue = tmp_path / "catalogue.sqlite3"
    for expected in (3, 0):
        arrivals = watch(inbox, tmp_path / "out", jobs=1, interval=0.01, charts=False, once=True)
        assert len(list(arrivals)) == expected
    assert topgenre("scan", inbox, "--catalog", catalogue).returncode == 0
    done = topgenre("scan", inbox, "--catalog", catalogue, "--export", tmp_path / "songs.csv")
    assert (done.returncode, "3 unchanged" in done.stdout) == (0, True)


# ---------------------------------------------------------------------- hostile to a process


def take_memory(_classifier: object, path: str) -> str:
    return f"{path}: {len(bytes(5 << 30))}"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's own memory")
def test_a_worker_that_takes_all_memory_costs_its_file_alone() -> None:
    ((_, outcome),) = in_processes(take_memory, ["song.mp3"], jobs=1)
    assert isinstance(outcome, Failure)
    assert outcome.error.code == "crashed"
    assert str(outcome.error).startswith("song.mp3: it needs more memory than is available")


def test_tags_that_take_for_ever_cost_their_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(bombs.sound("mp3", "libmp3lame"))
    bomb = tmp_path / "bomb.mp3"
    bomb.write_bytes(bombs.packed_tag(8 << 20, song.read_bytes()))
    assert process.read_genre(str(song)).genres == ()
    monkeypatch.setattr(process, "_READING", 1.0)
    with pytest.raises(TagError, match=r"bomb\.mp3: its tags cannot be read \(not done after 1 s"):
        process.read_genre(str(bomb))
    monkeypatch.undo()
    assert process.read_genre(str(song)).genres == ()


def test_a_process_for_tags_that_is_killed_is_replaced(tmp_path: Path) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(bombs.sound("mp3", "libmp3lame"))
    process.read_genre(str(song))
    helpers = multiprocessing.active_children()
    assert helpers
    for helper in helpers:
        helper.kill()
    assert process.read_genre(str(song)).genres == ()
