"""A watched folder: each file once, when it is complete, whatever else lies there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import signals
from topgenre.cli.app import app
from topgenre.demo import write_audio
from topgenre.library.watch import RESULTS, Arrival, watch
from topgenre.result import Failure


def write_song(path: Path, seed: int = 1, seconds: float = 2.0) -> Path:
    write_audio(path, signals.music(seconds, seed), signals.SAMPLE_RATE)
    return path


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def once(inbox: Path, out: Path | None = None, *, charts: bool = False) -> list[Arrival]:
    return list(watch(inbox, out, jobs=1, interval=0.01, charts=charts, once=True))


def result(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    return record


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["watch", *map(str, arguments)])


def test_what_is_there_is_done_once_and_left_as_it_is(inbox: Path) -> None:
    write_song(inbox / "one.wav", 1)
    (inbox / "more").mkdir()
    write_song(inbox / "more" / "two.flac", 2)
    (inbox / "bad.mp3").write_bytes(b"this is no music")
    (inbox / "notes.txt").touch()
    before = state(inbox)
    arrivals = once(inbox, charts=True)
    assert sorted(Path(arrival.path).name for arrival in arrivals) == [
        *("bad.mp3", "one.wav", "two.flac")
    ]
    assert [arrival.problem for arrival in arrivals] == [None] * 3
    assert before.items() <= state(inbox).items()
    results = inbox / RESULTS
    assert sorted(path.relative_to(results).as_posix() for path in results.rglob("*.*")) == [
        *("bad.mp3.json", "more/two.flac.json", "more/two.flac.png"),
        *("one.wav.json", "one.wav.png"),
    ]
    record = result(results / "one.wav.json")
    assert record["path"] == str(inbox / "one.wav")
    assert len(record["genres"]) == 10
    assert record["source"]["size"] == (inbox / "one.wav").stat().st_size
    assert result(results / "bad.mp3.json")["error"]["type"] == "not_audio"
    assert (results / "one.wav.png").read_bytes().startswith(b"\x89PNG")

    after = state(inbox)
    assert once(inbox, charts=True) == []
    assert state(inbox) == after
    write_song(inbox / "one.wav", 9)
    (results / "bad.mp3.json").unlink()
    assert sorted(Path(arrival.path).name for arrival in once(inbox)) == ["bad.mp3", "one.wav"]


def test_a_file_is_taken_when_it_is_complete(inbox: Path, tmp_path: Path) -> None:
    whole = write_song(tmp_path / "whole.wav", seconds=4.0).read_bytes()
    growing = inbox / "growing.wav"
    written = threading.Event()

    def arrive() -> None:
        with growing.open("wb") as file:
            for at in range(0, len(whole), 6000):
                file.write(whole[at : at + 6000])
                file.flush()
                time.sleep(0.05)
        written.set()

    writer = threading.Thread(target=arrive)
    writer.start()
    with closing(watch(inbox, jobs=1, interval=0.8, charts=False)) as arrivals:
        arrival = next(arrivals)
    writer.join()
    assert written.is_set()
    assert not isinstance(arrival.outcome, Failure)
    assert arrival.outcome.duration == pytest.approx(4.0, abs=0.01)
    assert result(inbox / RESULTS / "growing.wav.json")["source"]["size"] == len(whole)


def test_files_that_vanish_leave_no_result(inbox: Path) -> None:
    for number in range(2):
        write_song(inbox / f"{number}.wav", number)
    arrivals = watch(inbox, jobs=1, interval=0.01, charts=False, once=True)
    with closing(arrivals):
        first = next(arrivals)
        other = inbox / ("1.wav" if first.path.endswith("0.wav") else "0.wav")
        # The worker may have it in hand already; then the file has been judged.
        other.unlink()
        (second,) = arrivals
    written = sorted(path.name for path in (inbox / RESULTS).iterdir())
    assert len(written) == 2 - isinstance(second.outcome, Failure)


def test_something_else_in_the_place_of_a_result_is_kept(inbox: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "deep.wav.json").mkdir(parents=True)
    (out / "one.wav.json").write_text('{"mine": true}', encoding="utf-8")
    for name in ("deep.wav", "one.wav", "two.wav"):
        write_song(inbox / name)
    problems = {Path(arrival.path).name: arrival.problem for arrival in once(inbox, out)}
    assert problems["two.wav"] is None
    assert "it exists already and is not from topgenre" in str(problems["one.wav"])
    assert "it exists already and is not from topgenre" in str(problems["deep.wav"])
    assert (out / "one.wav.json").read_text(encoding="utf-8") == '{"mine": true}'
    assert (out / "two.wav.json").is_file()


def test_a_chart_that_cannot_be_drawn_costs_the_chart_alone(inbox: Path) -> None:
    write_song(inbox / "one.wav")
    (inbox / RESULTS / "one.wav.png").mkdir(parents=True)
    (arrival,) = once(inbox, charts=True)
    assert "one.wav.png" in str(arrival.problem)
    assert (inbox / RESULTS / "one.wav.json").is_file()
    assert once(inbox, charts=True) == []


def test_a_folder_that_goes_away_is_told_once(inbox: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with closing(watch(inbox, out, jobs=1, interval=0.01, charts=False)) as arrivals:
        write_song(inbox / "one.wav", 1)
        assert Path(next(arrivals).path).name == "one.wav"
        inbox.rename(tmp_path / "unplugged")
        gone = next(arrivals)
        assert isinstance(gone.outcome, Failure)
        assert gone.path == str(inbox)
        write_song(tmp_path / "unplugged" / "two.wav", 2)
        (tmp_path / "unplugged").rename(inbox)
        assert Path(next(arrivals).path).name == "two.wav"


HOSTILE_RESULTS: list[bytes | str] = [
    b"[" * 100_000,
    b'{"source": ' * 50_000,
    b'{"source": {"size": 1e400, "mtime_ns": 1}}',
    b'{"source": {"size": 1, "mtime_ns": -1e999}}',
    b'{"source": {"size": "x", "mtime_ns": null}}',
    b'{"source": []}',
    b"\xff\xfe",
    b"",
    *("pipe", "link", "link to nowhere", "folder"),
]


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of Unix")
@pytest.mark.parametrize("number", range(len(HOSTILE_RESULTS)))
def test_a_hostile_result_is_kept_and_the_watch_goes_on(
    inbox: Path, tmp_path: Path, number: int
) -> None:
    hostile = HOSTILE_RESULTS[number]
    out, target = tmp_path / "out", tmp_path / "precious"
    out.mkdir()
    target.write_bytes(b"precious")
    place = out / "one.wav.json"
    if isinstance(hostile, bytes):
        place.write_bytes(hostile)
    elif hostile == "pipe":
        os.mkfifo(place)
    elif hostile == "folder":
        place.mkdir()
    else:
        place.symlink_to(target if hostile == "link" else tmp_path / "gone")
    write_song(inbox / "one.wav")
    write_song(inbox / "two.wav")
    problems = {Path(arrival.path).name: arrival.problem for arrival in once(inbox, out)}
    assert problems["two.wav"] is None
    assert "exists already and is not from topgenre" in str(problems["one.wav"])
    assert target.read_bytes() == b"precious"
    assert not (tmp_path / "gone").exists()


@pytest.mark.skipif(os.name != "posix", reason="links of Unix")
def test_charts_and_results_never_go_through_links(inbox: Path, tmp_path: Path) -> None:
    write_song(inbox / "one.wav")
    (inbox / "deep").mkdir()
    write_song(inbox / "deep" / "two.wav")
    precious, elsewhere = tmp_path / "song.mp3", tmp_path / "elsewhere"
    precious.write_bytes(b"precious")
    elsewhere.mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / "one.wav.png").symlink_to(precious)
    (out / "deep").symlink_to(elsewhere, target_is_directory=True)
    problems = {
        Path(arrival.path).name: arrival.problem for arrival in once(inbox, out, charts=True)
    }
    assert "it is a link" in str(problems["one.wav"])
    assert "a link, which is not followed" in str(problems["two.wav"])
    assert precious.read_bytes() == b"precious"
    assert list(elsewhere.iterdir()) == []
    # The result itself is there; only the chart is not.
    assert (out / "one.wav.json").is_file()


@pytest.mark.parametrize("length", [199, 201, 252, 255])
def test_long_names_are_finished(inbox: Path, length: int) -> None:
    song = write_song(inbox / f"{'x' * (length - 4)}.wav")
    other = write_song(inbox / f"{'x' * (length - 5)}y.wav", 2)
    done = once(inbox, charts=True)
    assert {arrival.path for arrival in done} == {str(song), str(other)}
    assert [arrival.problem for arrival in done] == [None, None]
    assert len(list((inbox / RESULTS).glob("*.png"))) == 2
    assert once(inbox, charts=True) == []


def test_nothing_new_is_said(inbox: Path) -> None:
    assert "nothing new in" in call(inbox, "--once", "--interval", "0.05").stderr


def test_the_command(inbox: Path, tmp_path: Path) -> None:
    write_song(inbox / "one.wav")
    out = tmp_path / "out"
    arguments: list[str | Path] = [inbox, "--out", out, "--once", "--interval", "0.05"]
    done = call(*arguments, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["path"] == str(inbox / "one.wav")
    assert sorted(path.name for path in out.iterdir()) == ["one.wav.json", "one.wav.png"]
    assert call(*arguments).stdout == ""
    (inbox / "bad.mp3").write_bytes(b"no")
    done = call(*arguments, "--no-charts")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "bad.mp3: not a supported" in done.stderr


def test_wrong_usage(inbox: Path) -> None:
    assert call(inbox / "nowhere", "--once").exit_code == 2
    assert call(inbox, "--interval", "0").exit_code == 2
    (inbox / "file").touch()
    done = call(inbox, "--out", inbox / "file", "--once")
    assert done.exit_code == 1
    assert "cannot be a folder for results" in done.stderr


def test_a_watch_that_is_stopped_goes_on_where_it_was(inbox: Path) -> None:
    write_song(inbox / "one.wav", 1)
    command = [sys.executable, "-m", "topgenre", "watch", str(inbox), "--interval", "0.1"]
    command += ["--no-charts", "--jobs", "1"]

    def run(number: signal.Signals, arrives: Path) -> tuple[int, str, str]:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            assert "watching" in running.stderr.readline()
            write_song(arrives, 5)
            lines = running.stdout.readline()
            while arrives.name not in lines:
                lines += running.stdout.readline()
            running.send_signal(number)
            rest, errors = running.communicate(timeout=60)
        return running.returncode, lines + rest, errors

    code, printed, errors = run(signal.SIGINT, inbox / "two.wav")
    assert code == 130
    assert "Traceback" not in errors
    assert "one.wav" in printed
    _, printed, _ = run(getattr(signal, "SIGKILL", signal.SIGTERM), inbox / "three.wav")
    assert "one.wav" not in printed
    assert "two.wav" not in printed
    assert once(inbox) == []
    assert len(list((inbox / RESULTS).glob("*.json"))) == 3
