"""The commands: what they print where, and the exit codes they end with."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import subprocess
import sys
import wave
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

import signals
from terminal import terminal
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


def test_an_option_is_the_same_kind_of_thing_in_every_command() -> None:
    kinds: dict[str, set[tuple[bool, bool]]] = {}
    group: Any = typer.main.get_command(app)
    for command in group.commands.values():
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
    lines = call("classify", folder)
    assert lines.exit_code == 1
    assert len(lines.stdout.splitlines()) >= 2
    assert "error: " in lines.stderr
    assert "bad.mp3" in lines.stderr
    assert "1 failed" in lines.stderr


def test_charts(folder: Path, tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    assert call("classify", folder / "one.wav", "--chart", chart).exit_code == 0
    assert "one.wav" in chart.read_text(encoding="utf-8")
    charts = tmp_path / "charts"
    call("classify", folder, "--charts", charts)
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


def test_guided_prompts_classify_and_draw(folder: Path, tmp_path: Path) -> None:
    chart = tmp_path / "my chart.png"
    with terminal(home=tmp_path) as screen:
        screen.see("Music file")
        screen.type(f"{folder}/nothing.mp3\n")
        screen.see("there is no such file")
        screen.see("Music file")
        screen.type(f"'{folder}/one.wav'\n")
        screen.see("How many genres")
        screen.type("many\n")
        screen.see("no number")
        screen.type("2\n")
        screen.see("Chart picture")
        screen.type(f"{chart}\n")
        code, text = screen.end()
    assert code == 0
    assert text.count("%") == 2
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_guided_prompts_take_an_inbox_folder(folder: Path, tmp_path: Path) -> None:
    with terminal(home=tmp_path) as screen:
        screen.see("Music file")
        screen.type(f"{str(folder).replace(' ', chr(92) + ' ')}\n")
        screen.see("How many genres")
        screen.type("\n")
        screen.see("Folder to draw")
        screen.type("\n")
        code, text = screen.end()
    assert code == 1
    assert "bad.mp3" in text


def test_guided_prompts_can_be_left(tmp_path: Path) -> None:
    with terminal(home=tmp_path) as screen:
        screen.see("Music file")
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
