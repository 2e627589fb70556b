"""The README: what it tells people to type is typed here, line by line, in its own order.

There is no second list of commands: the lines are the README's, and how an outcome is looked at
follows from the command and from the files that its line names.
"""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import matplotlib
import numpy as np
import pytest

import signals
import topgenre
from fake_spotify import FakeSpotify
from topgenre.demo import STYLES, synthesise, write_audio
from topgenre.result import display_name

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\S*)\n(.*?)^```$", README, re.M | re.S)
LINES = [line.removeprefix("$ ") for kind, b in BLOCKS if not kind for line in b.splitlines()]
COMMANDS = list(dict.fromkeys(line for line in LINES if line.startswith("topgenre")))
MAKE = sorted(set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.M)))

GENRES = frozenset(
    ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]
)
MUSIC = ("Music/One/a.mp3", "Music/Two/b.ogg", "Music/Three/c.wav")
# A model that learns in seconds; by itself the README's line takes hours.
TINY = (
    "widths=[4,8,8,8]\nn_embedding=16\nn_steps=6\nn_folds=1\nwarmup_steps=2\nbatch_size=4\n"
    "n_not_music=24\n"
)
ADDED = {"train": "--config tiny.toml"}
LONG = ("serve", "watch", "train")  # until they are told to end
PATIENCE = 240  # seconds: two tests share two cores, and one of them trains


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a line."""

    words: list[str]
    stdout: str
    stderr: str
    code: int


class Reader:
    """Somebody in a folder of their own who types the README from top to bottom."""

    def __init__(self, folder: Path, proxy: str) -> None:
        self.folder = folder
        self.before = self.music()
        self._done: dict[str, Outcome] = {}
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("TOPGENRE_") and not name.lower().endswith("_proxy")
        } | {
            "HOME": str(folder / "home"),
            "XDG_DATA_HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "home"),
            "MPLCONFIGDIR": matplotlib.get_configdir(),  # where fonts have been looked for already
            "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
            # The page, wherever there is room for it.
            "TOPGENRE_PORT": "0",
            "TOPGENRE_WORKERS": "1",
            # Whoever wants to reach anything outside this machine comes by here.
            "HTTP_PROXY": proxy,
            "HTTPS_PROXY": proxy,
            "ALL_PROXY": proxy,
            "NO_PROXY": "127.0.0.1",
        }

    def outcome(self, line: str) -> Outcome:
        """Type a line, and those above it that have not been typed yet."""
        for earlier in COMMANDS[: COMMANDS.index(line) + 1]:
            if earlier not in self._done and words_of(earlier)[0] not in LONG:
                self._done[earlier] = self.type(earlier)
        return self._done[line]

    def type(self, line: str, **variables: str) -> Outcome:
        with self.typing(line, **variables) as process:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        return Outcome(words_of(line), stdout, stderr, process.returncode)

    @contextmanager
    def typing(self, line: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """Have a line run by a shell, which ends with it."""
        command = line.partition("#")[0] + ADDED.get(words_of(line)[0], "")
        with subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self._environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def music(self) -> dict[Path, bytes]:
        """Return what must never change."""
        places = (*self.folder.glob("*.mp3"), *self.folder.glob("*.flac"))
        folders = ("Music", "Inbox", "MyMusic", "DATASET")
        inside = (p for name in folders for p in self.folder.glob(f"{name}/**/*.*"))
        sound = (".mp3", ".ogg", ".wav", ".flac", ".csv")
        return {path: path.read_bytes() for path in (*places, *inside) if path.suffix in sound}


def words_of(line: str) -> list[str]:
    return shlex.split(line, comments=True)[1:]


def play(path: Path, style: str, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, synthesise(style, seconds=12, sample_rate=22_050, seed=seed), 22_050)


@pytest.fixture(scope="module")
def outside() -> Iterator[socket.socket]:
    """The way to all other machines, on which nobody may be seen."""
    with socket.create_server(("127.0.0.1", 0)) as way:
        way.setblocking(False)
        yield way


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, outside: socket.socket) -> Reader:
    """The folder that the README takes for granted."""
    folder = tmp_path_factory.mktemp("reader")
    play(folder / "song.mp3", "disco")
    play(folder / "more.flac", "reggae")
    play(folder / "Inbox" / "there already.mp3", "shuffle in A")
    for place, style in zip(MUSIC, STYLES, strict=False):
        play(folder / place, style, seed=1)
    rows = [["split", "path", "genre"]]
    for split, genre, style in (
        *(("valid", "blues", "shuffle in A"), ("valid", "disco", "disco")),
        *(("valid", "reggae", "reggae"), ("train", "metal", "metal")),
    ):
        place = f"{genre}/{genre}.00000.wav"
        rows.append([split, place, genre])
        play(folder / "DATASET" / place, style, seed=2)
    with (folder / "DATASET" / "index.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    for genre, make in (("hum", signals.tones), ("tick", signals.clicks)):
        for number in range(5):
            song = folder / "MyMusic" / genre / f"{number}.wav"
            song.parent.mkdir(parents=True, exist_ok=True)
            samples = make(10.5)
            hiss = np.random.default_rng(number).standard_normal(len(samples))
            samples = samples + 1e-3 * hiss.astype(np.float32)
            write_audio(song, np.stack([samples, samples]), signals.SAMPLE_RATE)
    (folder / "tiny.toml").write_text(TINY, encoding="utf-8")
    (folder / "home").mkdir()
    return Reader(folder, f"http://127.0.0.1:{outside.getsockname()[1]}")


def bars(text: str) -> list[tuple[str, float]]:
    """Read the bars back: genres and percentages."""
    found = re.findall(r"^  (\w+) +(\d+\.\d)% *#*$", text, re.M)
    return [(genre, float(share)) for genre, share in found]


def assert_ranked(ranking: list[tuple[str, float]], whole: float) -> None:
    assert {genre for genre, _ in ranking} <= GENRES
    assert all(0 <= share <= whole for _, share in ranking)
    assert all(first >= second for (_, first), (_, second) in pairwise(ranking))


def assert_is_what_its_name_says(path: Path) -> None:
    if path.suffix == ".png":
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert path.stat().st_size > 5000
    elif path.suffix == ".jsonl":
        records = [json.loads(line) for line in path.read_text("ascii").splitlines()]
        assert [record["path"] for record in records] == sorted(MUSIC)
        for record in records:
            assert_ranked([(g["genre"], g["probability"]) for g in record["genres"]], 1)
            assert sum(g["probability"] for g in record["genres"]) == pytest.approx(1, abs=1e-4)
    elif path.suffix == ".npz":
        with np.load(path) as arrays:
            assert {"full", "harmonic", "percussive", "onset"} <= set(arrays.files)
    else:
        pytest.fail(f"nobody looks at {path.name}")


# What is to be seen after each command, beside the files that its line names.


def after_classify(reader: Reader, outcome: Outcome) -> None:
    if "--json" in outcome.words:
        assert outcome.stdout == ""
        return
    ranking = bars(outcome.stdout)
    if ranking:
        assert len(ranking) == 3
        assert_ranked(ranking, 100)
        assert ranking[0][0] == "disco"
        return
    lines = outcome.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [*sorted(MUSIC), "more.flac"]
    for line in lines:
        guess = re.search(r": .+ \(([a-z-]+) \d+\.\d%, ", line)
        assert guess
        assert guess[1] in {display_name(genre).lower() for genre in GENRES}


def after_spectrograms(reader: Reader, outcome: Outcome) -> None:
    assert {"song.npz", "song.png"} <= set(outcome.words)


def after_recommend(reader: Reader, outcome: Outcome) -> None:
    genres = [genre for genre, _ in bars(outcome.stdout)]
    links = re.findall(r"https://open\.spotify\.com/search/(\w+)/", outcome.stdout)
    assert links
    # A genre with hardly a share gets none of the places.
    assert sorted(links) == sorted(genres[: len(links)])


def after_scan(reader: Reader, outcome: Outcome) -> None:
    assert outcome.stdout.startswith(f"{len(MUSIC)} files")
    assert f"\n{len(MUSIC)} songs in {reader.folder / 'home'}" in outcome.stdout


def after_similar(reader: Reader, outcome: Outcome) -> None:
    heading, *found = outcome.stdout.splitlines()
    assert re.match(r"song\.mp3: .+ \(disco \d", heading)
    songs = {line.strip() for line in found[1::2]}
    assert songs  # what is not alike is left out
    assert songs <= {str(reader.folder / place) for place in MUSIC}
    similarities = [float(line.split()[0]) for line in found[::2]]
    assert similarities == sorted(similarities, reverse=True)


def after_report(reader: Reader, outcome: Outcome) -> None:
    page = (reader.folder / "topgenre-report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert all(Path(place).name in page for place in MUSIC)


def after_playlists(reader: Reader, outcome: Outcome) -> None:
    lists = list((reader.folder / "Music" / "Playlists").iterdir())
    assert {path.suffix for path in lists} == {".m3u8"}
    assert {path.stem for path in lists} <= GENRES
    songs = [
        (path.parent / line).resolve()
        for path in lists
        for line in path.read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]
    classify = topgenre.load().classify
    places = [(reader.folder / place).resolve() for place in MUSIC]
    sure = [place for place in places if not classify(place).uncertain]
    assert sure
    assert sorted(songs) == sorted(sure)


def after_tag(reader: Reader, outcome: Outcome) -> None:
    assert len(outcome.stdout.splitlines()) == len(MUSIC)
    assert "to write" in outcome.stderr
    assert "Nothing was changed" in outcome.stderr


def after_evaluate(reader: Reader, outcome: Outcome) -> None:
    assert outcome.stdout.startswith("3 clips; value and 95 % interval\n")
    assert re.search(r"^accuracy +\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", outcome.stdout, re.M)
    assert re.search(r"^expected calibration error +\d", outcome.stdout, re.M)
    rows = re.findall(r"^(\w+) +1 +\d+%", outcome.stdout, re.M)
    assert [name for name in rows if name in GENRES] == ["blues", "disco", "reggae"]


CHECKS: dict[str, Callable[[Reader, Outcome], None]] = {
    name.removeprefix("after_"): check
    for name, check in list(globals().items())
    if name.startswith("after_")
}


@pytest.mark.parametrize("line", [line for line in COMMANDS if words_of(line)[0] not in LONG])
def test_the_line_does_what_the_readme_says(reader: Reader, line: str) -> None:
    outcome = reader.outcome(line)
    assert outcome.code == 0, outcome.stderr
    CHECKS[outcome.words[0]](reader, outcome)
    for before, word in pairwise(outcome.words):
        if before in ("-o", "--picture", "--chart", ">"):
            assert_is_what_its_name_says(reader.folder / word)


def test_serve_shows_the_page_and_ends_with_ctrl_c(reader: Reader) -> None:
    [line] = (line for line in COMMANDS if words_of(line) == ["serve"])
    with reader.typing(line) as process:
        assert process.stdout
        said = process.stdout.readline()
        assert said.startswith("topgenre listens at http://127.0.0.1:"), said
        with httpx.Client(base_url=said.split()[-1], timeout=PATIENCE) as client:
            assert "<title>topgenre" in client.get("/").text
            with (reader.folder / "song.mp3").open("rb") as song:
                answer = client.post("/v1/classify", files={"file": ("song.mp3", song)})
        assert answer.json()["genres"][0]["genre"] == "disco"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130


def test_watch_does_what_is_there_and_what_arrives(reader: Reader) -> None:
    [line] = (line for line in COMMANDS if words_of(line)[0] == "watch")
    results = reader.folder / "Inbox" / "topgenre-results"
    with reader.typing(line) as process:
        wait_for(results / "there already.mp3.json", process)
        shutil.copy(reader.folder / "song.mp3", reader.folder / "Inbox" / "new.mp3")
        wait_for(results / "new.mp3.json", process)
        wait_for(results / "new.mp3.png", process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGTERM
    assert (
        json.loads((results / "new.mp3.json").read_text("ascii"))["genres"][0]["genre"] == "disco"
    )
    assert_is_what_its_name_says(results / "new.mp3.png")
    arrived = reader.folder / "Inbox" / "new.mp3"
    assert arrived.read_bytes() == (reader.folder / "song.mp3").read_bytes()


@pytest.mark.skipif(find_spec("torch") is None, reason="the extra for training is not installed")
def test_train_learns_the_folders_and_measures_what_it_has_learnt(reader: Reader) -> None:
    [line] = (line for line in COMMANDS if words_of(line)[0] == "train")
    outcome = reader.type(line)
    assert outcome.code == 0, outcome.stderr
    assert "fold 0: accuracy" in outcome.stderr
    for genre in ("hum", "tick"):
        outcome = reader.type(
            f"topgenre classify MyMusic/{genre}/4.wav --json --model runs/mine/model.onnx"
        )
        ranking = json.loads(outcome.stdout)["genres"]
        assert ranking[0]["genre"] == genre
        assert len(ranking) == 2


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None, f"it ended before there was {path.name}"
        assert time.monotonic() < deadline, f"there is no {path.name}"
        time.sleep(0.05)


def test_recommend_asks_spotify_if_there_is_a_key(reader: Reader) -> None:
    [line] = (line for line in COMMANDS if words_of(line)[0] == "recommend")
    service = FakeSpotify()
    with service.running():
        outcome = reader.type(line, **service.variables)
    assert outcome.code == 0, outcome.stderr
    assert service.asked(service.search_path)
    assert "https://open.spotify.com/track/" in outcome.stdout


def test_the_python_example_names_the_genres_that_the_command_names(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    [example] = (block for kind, block in BLOCKS if kind == "python")
    *statements, last = ast.parse(example).body
    assert isinstance(last, ast.Expr)
    monkeypatch.chdir(reader.folder)
    names: dict[str, Any] = {}
    exec(compile(ast.Module(statements, []), "README.md", "exec"), names)
    ranking = eval(compile(ast.Expression(last.value), "README.md", "eval"), names)
    line = next(line for line in COMMANDS if words_of(line)[:2] == ["classify", "song.mp3"])
    said = bars(reader.outcome(line).stdout)
    assert [genre for genre, _ in ranking] == [genre for genre, _ in said]
    shares = [100 * probability for _, probability in ranking]
    assert shares == pytest.approx([share for _, share in said], abs=0.06)


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("target", MAKE)
def test_make_knows_the_target_and_would_do_something(target: str) -> None:
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    would = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert would.returncode == 0, would.stderr
    assert "pip install" in would.stdout


def test_every_line_of_the_readme_is_one_of_those_that_are_typed_here() -> None:
    assert len(COMMANDS) > 10
    assert {"demo", "test"} <= set(MAKE)
    assert {kind for kind, _ in BLOCKS} == {"", "python"}
    for line in filter(None, LINES):
        assert line.startswith(("topgenre ", "make ")), line
        assert not line.startswith("topgenre ") or words_of(line)[0] in {*CHECKS, *LONG}, line


def test_no_line_changes_music_or_reaches_another_machine(
    reader: Reader, outside: socket.socket
) -> None:
    assert len(reader.before) > 15
    reader.outcome(next(line for line in reversed(COMMANDS) if words_of(line)[0] not in LONG))
    assert reader.before.items() <= reader.music().items()  # the inbox may have got one more
    with pytest.raises(BlockingIOError):
        outside.accept()
