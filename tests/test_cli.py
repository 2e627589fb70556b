"""The commands: what they print where, and the exit codes they end with."""

from __future__ import annotations

import csv
import gc
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import wave
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import typer
from mutagen.flac import FLAC
from typer.testing import CliRunner, Result

import signals
from fake_deezer import FakeDeezer
from terminal import Terminal, terminal
from topgenre import __version__
from topgenre.cli.app import app
from topgenre.demo import write_audio

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "result.schema.json").read_text(encoding="utf-8")
)


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def process(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "topgenre", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two songs, a file that is none, and one that nobody asked for."""
    music = tmp_path / "music"
    music.mkdir()
    write_audio(music / "one.wav", signals.music(4.0), signals.SAMPLE_RATE)
    write_audio(music / "two.flac", signals.tones(4.0), signals.SAMPLE_RATE)
    (music / "bad.mp3").write_bytes(b"this is no music")
    (music / "notes.txt").write_text("notes", encoding="utf-8")
    return music


def test_version_and_help() -> None:
    assert call("--version").stdout == f"topgenre {__version__}\n"
    for arguments in (["-h"], ["classify", "--help"], ["train", "-h"], ["evaluate", "-h"]):
        result = call(*arguments)
        assert result.exit_code == 0
        assert re.search("Examples?: topgenre", result.stdout)


@pytest.mark.parametrize("command", [("genres",), ("classify", "no such file")])
def test_garbage_is_collected_once_a_command_has_started(command: tuple[str, ...]) -> None:
    gc.disable()  # as at the start of the program
    call(*command)
    assert gc.isenabled()


def test_an_option_is_the_same_kind_of_thing_in_every_command() -> None:
    kinds: dict[str, set[tuple[bool, bool]]] = {}
    group: Any = typer.main.get_command(app)
    for command in (group.get_command(None, name) for name in group.list_commands(None)):
        for option in command.params:
            if option.param_type_name == "option":
                for name in option.opts:
                    kinds.setdefault(name, set()).add((option.is_flag, option.multiple))
    # One song's genres may be mixed for `recommend`; `similar` looks for those of one.
    assert {name for name, found in kinds.items() if len(found) > 1} == {"--genre"}


def test_json_lines_follow_the_schema(folder: Path) -> None:
    result = call("classify", folder, "--json")
    assert result.exit_code == 1
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [Path(record["path"]).name for record in records] == ["bad.mp3", "one.wav", "two.flac"]
    for record in records:
        jsonschema.validate(record, SCHEMA)
    assert records[0]["error"]["type"] == "not_audio"
    shares = [entry["probability"] for entry in records[1]["genres"]]
    assert len(shares) == 10
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert "3 files" in result.stderr


def test_top_limits_json_and_csv(folder: Path) -> None:
    record = json.loads(call("classify", folder / "one.wav", "--json", "--top", "2").stdout)
    assert len(record["genres"]) == 2
    result = call("classify", folder, "--csv", "--top", "2")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["genre_1"] for row in rows][1] == record["genres"][0]["genre"]
    assert rows[0]["error"]
    assert "genre_3" not in rows[0]


def test_one_file_is_bars_and_several_are_lines(folder: Path) -> None:
    bars = call("classify", folder / "one.wav", "--top", "4")
    assert bars.exit_code == 0
    assert bars.stdout.count("#") > 4
    assert len([line for line in bars.stdout.splitlines() if "%" in line]) == 4
    verdict = json.loads(call("classify", folder / "one.wav", "--json").stdout)["verdict"]
    assert bars.stdout.splitlines()[1] == f"  {verdict}"
    lines = call("classify", folder)
    assert f"one.wav: {verdict} (" in lines.stdout
    assert lines.exit_code == 1
    assert len(lines.stdout.splitlines()) >= 2
    assert "error: " in lines.stderr
    assert "bad.mp3" in lines.stderr
    assert "3 files in" in lines.stderr
    assert "1 failed" in lines.stderr
    # How many files have each genre.
    assert len(re.findall(r"^\S.*  \d #+$", lines.stderr, re.MULTILINE)) in (1, 2)


def test_rows_say_artist_and_title_beside_the_file(folder: Path) -> None:
    tagged = FLAC(folder / "two.flac")
    tagged.update(artist="Ann", title="Song")
    tagged.save()
    shown = call("classify", folder).stdout
    assert f"{folder / 'one.wav'}: " in shown
    assert f"{folder / 'two.flac'} (Ann - Song): " in shown


def test_an_empty_folder_is_one_message(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    result = call("classify", empty)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    result = call("classify", empty, folder / "one.wav", folder / "two.flac")
    assert result.exit_code == 1
    assert "2 files in" in result.stderr
    assert "failed" not in result.stderr


def test_errors_break_between_words_in_a_terminal(tmp_path: Path) -> None:
    name = "a name with spaces and words " * 4
    with terminal("classify", f"{name}.mp3", home=tmp_path) as screen:
        code, text = screen.end()
    assert code == 1
    words = re.sub(r"\x1b\[[0-9;]*m", "", text).split()
    assert set(words) >= set(f"error: {name}".split())
    with terminal("classify", "x.mp3", "--top", "0", "--jobs", "3", home=tmp_path) as screen:
        code, text = screen.end()
    assert code == 2
    assert all(len(line) <= 80 for line in text.split("\r\n"))


def test_charts(folder: Path, tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    assert call("classify", folder / "one.wav", "--chart", chart).exit_code == 0
    assert "one.wav" in chart.read_text(encoding="utf-8")
    charts = tmp_path / "charts"
    assert f"wrote {chart}\n" in call("classify", folder / "one.wav", "--chart", chart).stderr
    assert f"wrote 2 charts in {charts}" in call("classify", folder, "--charts", charts).stderr
    assert sorted(path.name for path in charts.iterdir()) == ["one.wav.png", "two.flac.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "--csv"],
        ["--top", "0"],
        ["--chart", "chart.jpg"],
        ["--jobs", "0"],
        ["--chart", "a.png", "--charts", "b"],
        ["--no-such-option"],
    ],
)
def test_wrong_usage_ends_with_2(folder: Path, arguments: list[str]) -> None:
    result = call("classify", folder / "one.wav", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_chart_of_several_files_points_to_charts(folder: Path) -> None:
    result = call("classify", folder, "--chart", "chart.png")
    assert result.exit_code == 2
    assert "--charts" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify"],
        ["classify", "--whole", "--recommend"],
        ["scan", "--catalog", "new.sqlite3"],
        ["tag"],
        ["tag", "--write", "--journal", "new.jsonl"],
        ["teach"],
        ["evaluate"],
        ["similar"],
        ["recommend"],
        ["spectrograms", "--out", "new.npz"],
    ],
    ids=" ".join,
)
def test_every_command_says_once_that_a_folder_is_empty(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    call("scan", "--catalog", "all.sqlite3", tmp_path)  # `similar` needs one
    folder = tmp_path / "empty"
    folder.mkdir()
    catalogue = ["--catalog", "all.sqlite3"] if arguments[0] == "similar" else []
    result = call(*arguments, *catalogue, folder)
    assert result.exit_code == 1
    assert re.fullmatch(rf"error: {folder}: [^\n]*(folder|music)[^\n]*\n", result.stderr)
    assert "failed" not in result.stdout
    assert list(folder.iterdir()) == []


def test_missing_files_and_empty_folders_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.mp3", tmp_path):
        result = call("classify", path)
        assert result.exit_code == 1
        assert str(path) in result.stderr.replace("\n", "")


def test_unusable_model(folder: Path) -> None:
    result = call("classify", folder / "one.wav", "--model", folder / "notes.txt")
    assert result.exit_code == 1
    assert "not a usable topgenre model" in result.stderr


def test_spectrograms_can_be_saved_drawn_and_classified(folder: Path, tmp_path: Path) -> None:
    saved, picture = tmp_path / "one.npz", tmp_path / "one.png"
    result = call("spectrograms", folder / "one.wav", "-o", saved, "--picture", picture)
    assert result.exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    of_saved = json.loads(call("classify", saved, "--json").stdout)
    of_music = json.loads(call("classify", folder / "one.wav", "--json").stdout)
    assert of_saved["genres"] == of_music["genres"]
    assert call("spectrograms", folder / "one.wav").exit_code == 2
    assert call("spectrograms", folder / "bad.mp3", "-o", saved).exit_code == 1


def test_genres() -> None:
    assert "hiphop" in call("genres").stdout.splitlines()
    assert "reggae" in json.loads(call("genres", "--json").stdout)["genres"]


def test_evaluate_reports_figures_with_intervals(tmp_path: Path) -> None:
    for genre, make in (("pop", signals.music), ("rock", signals.noise)):
        (tmp_path / genre).mkdir()
        write_audio(tmp_path / genre / "a.wav", make(3.0), signals.SAMPLE_RATE)
    result = call("evaluate", tmp_path)
    assert result.exit_code == 0
    assert "accuracy" in result.stdout
    assert "[" in result.stdout
    record = json.loads(call("evaluate", tmp_path, "--json").stdout)
    assert record["n"] == 2
    assert call("evaluate", tmp_path, "--only", "test").exit_code == 1
    assert call("evaluate", tmp_path / "nowhere").exit_code == 1


def test_train_says_what_is_wrong_with_a_data_set(tmp_path: Path) -> None:
    result = call("train", tmp_path, "--run-dir", tmp_path / "run")
    if find_spec("onnxscript"):
        assert result.exit_code == 1
        assert "no music found" in result.stderr
    else:
        assert result.exit_code == 2
        assert "topgenre[train]" in result.stderr


def test_standard_input_and_output_of_a_real_process(folder: Path) -> None:
    done = process("classify", "-", "--json", stdin=(folder / "two.flac").read_bytes())
    assert done.returncode == 0
    assert json.loads(done.stdout)["path"] == "-"
    assert done.stderr == b""
    done = process("classify", folder / "bad.mp3")
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1


def test_names_that_are_no_characters(tmp_path: Path) -> None:
    name = bytes(tmp_path) + b"/m\xfasica \xff.wav"
    with open(name, "wb") as raw, wave.open(raw, "wb") as file:  # noqa: PTH123 - a name of bytes
        file.setparams((1, 2, signals.SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((signals.music(2.0) * 20_000).astype(np.int16).tobytes())
    for form, code in (("--json", 0), ("--csv", 0)):
        done = process("classify", tmp_path, form)
        assert done.returncode == code
        assert "sica" in done.stdout.decode("utf-8")


def test_nothing_to_do_without_a_terminal() -> None:
    done = process()
    assert done.returncode == 2
    assert b"Usage" in done.stderr


def test_reader_that_leaves_is_no_error(folder: Path) -> None:
    command = [sys.executable, "-m", "topgenre", "classify", "--json", *[str(folder)] * 40]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert b"Traceback" not in running.stderr.read()


def test_interrupt_ends_with_130(folder: Path) -> None:
    command = [sys.executable, "-m", "topgenre", "classify", "--json", *[str(folder)] * 400]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, messages = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"stopped" in messages
    assert b"Traceback" not in messages


def test_terminal_shows_bars_in_colour(folder: Path) -> None:
    with terminal("classify", folder / "one.wav") as screen:
        code, text = screen.end()
    assert code == 0
    assert "━" in text
    assert "\x1b[" in text


def answer(screen: Terminal, *answers: tuple[str, str]) -> None:
    """Wait for each question, and answer it."""
    for question, keys in answers:
        screen.see(question)
        screen.type(f"{keys}\n")


def test_guided_mode_classifies_draws_and_recommends(
    folder: Path, tmp_path: Path, nothing_set: None
) -> None:
    chart = tmp_path / "my chart.png"
    with terminal(home=tmp_path / "..") as screen:
        answer(
            screen,
            ("Music file or folder", f"{folder}/nothing.mp3"),
            ("no such file or folder", ""),
            ("name a music file", f"'{folder}/one.wav'"),
            ("How many genres", "many"),
            ("Enter a number of 1 or more", "2"),
            ("whole tracks", "perhaps"),
            ("Enter y or n", "y"),
            ("Draw a chart?", "y"),
            ("Chart file, .png or .svg [one.png]", f"{folder}/nowhere/x.png"),
            ("no such folder", "x.gif"),
            ("must end in .png or .svg", f"{chart}"),
        )
        shown = screen.see("similar music? [Y/n]")
        screen.type("\n")
        found = screen.see("Another song?")
        screen.type("n\n")
        code, _ = screen.end()
    assert code == 0
    assert len(re.findall(r"\d\.\d% ", shown)) == 2  # the progress is in whole percents
    assert f"wrote {chart}"[:60] in shown
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert "https://open.spotify.com/search/" in found


def test_guided_mode_offers_music_that_it_finds(folder: Path, tmp_path: Path) -> None:
    """The folder `music`, the current folder, and the last one used; nothing in them changes."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_audio(elsewhere / "three.wav", signals.music(2.0), signals.SAMPLE_RATE)
    write_audio(tmp_path / "four.wav", signals.music(2.0), signals.SAMPLE_RATE)
    music = [*folder.iterdir(), *elsewhere.iterdir()]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in music]
    with terminal(home=tmp_path) as screen:
        offered = screen.see("Number, or a music file or folder")
        assert "1  music  (3 files)" in offered
        assert "2  this folder  (1 file)" in offered
        assert "3  " not in offered
        screen.type(f"{elsewhere}\n")
        answer(screen, *[("?" if n else "list", "n" if n else "") for n in range(3)])
        answer(screen, ("similar music?", "n"), ("Another song?", "y"))
        offered = screen.see("Number, or a music file or folder")
        assert f"3  {elsewhere}  (1 file)" in offered.replace("\r\n", "")
        screen.type("\n")
        answer(screen, ("How many", ""), ("whole", ""), ("Draw a chart of each?", "y"))
        answer(screen, ("Folder for the charts [charts]", "notes.txt"))
        answer(screen, ("similar music?", "n"), ("Another song?", ""))
        code, _ = screen.end()
    assert code == 1  # one of the files is no music
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in music] == before
    assert sorted([*folder.iterdir(), *elsewhere.iterdir()]) == sorted(music)
    assert len(list((tmp_path / "notes.txt").iterdir())) == 2


def test_guided_mode_asks_before_deezer_learns_a_name(
    deezer: FakeDeezer, folder: Path, tmp_path: Path
) -> None:
    file = FLAC(folder / "two.flac")
    file["artist"], file["title"] = "Miles Davis", "So What"
    file.save()
    with terminal(home=tmp_path) as screen:
        answer(screen, ("Number", str(folder / "two.flac")), ("How many", ""), ("whole", ""))
        answer(screen, ("chart?", ""), ("Miles Davis - So What", ""))
        links = screen.see("Ask Deezer for artists like Miles Davis?")
        assert "Search Spotify for Miles Davis - So What" in links
        assert not deezer.requests
        screen.type("y\n")
        screen.see("Deezer: like Miles Davis")
        answer(screen, ("Another song?", "n"))
        assert screen.end()[0] == 0


@pytest.mark.parametrize("question", ["Music file", "How many genres", "similar music"])
def test_guided_mode_can_be_left(folder: Path, tmp_path: Path, question: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with terminal(home=home) as screen:
        for each, keys in (
            ("Music file", str(folder / "one.wav")),
            ("How many genres", ""),
            ("whole", ""),
            ("chart", ""),
            ("similar music", ""),
        ):
            screen.see(each)
            if each == question:
                break
            screen.type(f"{keys}\n")
        screen.interrupt()
        code, text = screen.end()
    assert code == 0
    assert "Bye" in text
    assert "Traceback" not in text


def test_doctor_finds_what_is_wrong(tmp_path: Path) -> None:
    well = call("doctor")
    assert well.exit_code == 0
    assert "self-test: ok" in well.stdout
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(b"no model")
    ill = call("doctor", "--model", damaged)
    assert ill.exit_code == 1
    assert "versions: ok" in ill.stdout
    assert "model: WRONG" in ill.stdout


def test_one_long_track_shows_a_percentage_and_a_strip(tmp_path: Path) -> None:
    write_audio(tmp_path / "long.wav", signals.music(60.0), signals.SAMPLE_RATE)
    with terminal("classify", "long.wav", "--whole", home=tmp_path) as screen:
        screen.see(" 0%")
        code, text = screen.end()
    assert code == 0
    visible = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "▇" * 60 in visible
    assert "0:00-1:00" in visible


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A browser that writes down what it is to open."""
    opened = tmp_path / "opened.txt"
    script = tmp_path / "bin" / "xdg-open"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$1" > "{opened}.part"\nmv "{opened}.part" "{opened}"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return opened


@pytest.mark.skipif(sys.platform != "linux", reason="other systems open pages in other ways")
def test_the_server_opens_its_page_and_says_how_to_stop_it(browser: Path, tmp_path: Path) -> None:
    options = ("--port", "0", "--workers", "1", "--open")
    with terminal("serve", *options, home=tmp_path) as screen:
        screen.see("topgenre listens at ")
        address = screen.see("\r\n")
        screen.see("Press Ctrl-C to stop.")
        while not browser.exists():
            time.sleep(0.05)
        assert browser.read_text().strip() == address
        screen.interrupt()
        code, text = screen.end()
    assert "Traceback" not in text
    assert code in (0, 130)
