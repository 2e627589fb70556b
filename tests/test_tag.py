"""Genres in files' own tags: written, and nothing else; and taken back."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.id3 import ID3, TCON
from typer.testing import CliRunner, Result

import signals
from audio_files import encode, noise
from tag_files import genres, packets, sound, write_song
from terminal import terminal
from topgenre.cli.app import app
from topgenre.demo import write_audio
from topgenre.errors import TagError
from topgenre.library.analysis import file_hash
from topgenre.library.catalogue import Catalogue, model_hash
from topgenre.library.scan import scan
from topgenre.library.song import Analysis, Tags
from topgenre.result import Result as Judgement
from topgenre.result import rank
from topgenre.tagging.apply import undo
from topgenre.tagging.journal import Journal
from topgenre.tagging.policy import Policy, check_names, read_names
from topgenre.tagging.rewrite import read_genre, write_genre

needs_posix = pytest.mark.skipif(os.name != "posix", reason="permissions and limits of Unix")

ROCK = {"rock": 0.8, "metal": 0.15, "hiphop": 0.05}


def judge(
    catalog: Path, path: Path, shares: dict[str, float] = ROCK, *, uncertain: bool = False
) -> None:
    """Let a catalogue say what a song is, so that no network need be asked."""
    with Catalogue(catalog) as catalogue:
        result = Judgement(str(path), rank(shares), uncertain, 0, 10, "m 1")
        status = path.stat()
        found = Analysis(file_hash(str(path)), result, np.ones(4, np.float32), Tags())
        catalogue.add(str(path), status.st_size, status.st_mtime_ns, model_hash(), found)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite3"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.ndjson"


@pytest.fixture
def music(tmp_path: Path, catalog: Path) -> Path:
    """Three songs that the catalogue knows: of rock, of rock with a genre, and of no sure genre."""
    folder = tmp_path / "music"
    for name in ("bare.flac", "tagged.mp3", "vague.ogg"):
        write_song(folder / name)
    write_genre(folder / "tagged.mp3", ["Chanson"])
    judge(catalog, folder / "bare.flac")
    judge(catalog, folder / "tagged.mp3")
    judge(catalog, folder / "vague.ogg", {"pop": 0.3, "jazz": 0.28}, uncertain=True)
    return folder


@pytest.fixture
def call(catalog: Path, journal: Path) -> Any:
    def run(*arguments: str | Path, catalogued: bool = True) -> Result:
        known = ["--catalog", str(catalog)] if catalogued else ["--no-catalog"]
        fixed = ["tag", "--journal", str(journal), *known]
        return CliRunner().invoke(app, [*fixed, *map(str, arguments)])

    return run


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Give all that could change of a folder's files."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())
    }


# The policy.


def judged(shares: dict[str, float], *, uncertain: bool = False) -> Judgement:
    return Judgement("song", rank(shares), uncertain, 0, 10, "m 1")


@pytest.mark.parametrize(
    ("policy", "shares", "uncertain", "expected"),
    [
        (Policy(), {"hiphop": 0.51, "rock": 0.49}, False, ["Hip-Hop"]),
        (Policy(), {"hiphop": 0.49, "rock": 0.4}, False, []),
        (Policy(), {"hiphop": 0.9}, True, []),
        (Policy(count=2), {"pop": 0.5, "jazz": 0.26, "rock": 0.24}, False, ["Pop", "Jazz"]),
        (Policy(count=2), {"pop": 0.7, "jazz": 0.2}, False, ["Pop"]),
        (Policy(threshold=0.2, count=3), {"pop": 0.7, "jazz": 0.2}, False, ["Pop", "Jazz"]),
        (Policy(include_uncertain=True), {"blues": 0.2, "rock": 0.1}, True, ["Blues"]),
        (Policy(include_uncertain=True, threshold=0.3), {"blues": 0.2}, True, []),
        (Policy(names={"rock": ""}), {"rock": 0.6, "pop": 0.4}, False, []),
        # Genres with one name are one genre.
        (Policy(names={"metal": "Rock"}), {"metal": 0.4, "rock": 0.3}, False, ["Rock"]),
        (Policy(), {"zydeco": 1.0}, False, ["zydeco"]),
    ],
)
def test_what_is_written_of_a_result(
    policy: Policy, shares: dict[str, float], uncertain: bool, expected: list[str]
) -> None:
    chosen = policy.choose(judged(shares, uncertain=uncertain))
    assert [genre for genre, _ in chosen] == expected


names = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=20
).filter(lambda name: name == name.strip() and TCON(text=[name]).genres == [name])
mappings = st.dictionaries(st.sampled_from(["rock", "pop", "hiphop"]), names)


@settings(max_examples=50, deadline=None)
@given(mapping=mappings)
def test_a_map_says_the_same_as_toml_and_as_csv(
    tmp_path_factory: pytest.TempPathFactory, mapping: dict[str, str]
) -> None:
    import csv

    folder = tmp_path_factory.mktemp("map")
    # JSON's strings are strings of TOML, too.
    lines = [f"{genre} = {json.dumps(name, ensure_ascii=False)}" for genre, name in mapping.items()]
    (folder / "map.toml").write_text("\n".join(lines), encoding="utf-8")
    with (folder / "map.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(mapping.items())
    known = ["rock", "pop", "hiphop", "jazz"]
    assert read_names(folder / "map.toml", known) == mapping
    assert read_names(folder / "map.csv", known) == mapping
    result = judged(dict.fromkeys(known, 1 / 4))
    named = Policy(names=mapping).named(result)
    assert {genre for genre, _ in named} >= set(mapping.values())
    assert sum(share for _, share in named) == pytest.approx(1)


@pytest.mark.parametrize("name", ["17", "(17)", "((x", "CR", "two\nlines", 3, ["a"]])
def test_a_name_that_tags_would_misread_is_refused(name: Any) -> None:
    with pytest.raises(TagError, match="cannot be the name of rock"):
        check_names({"rock": name}, ["rock"], "map")


# The command.


def test_a_dry_run_shows_and_changes_nothing(music: Path, call: Any, journal: Path) -> None:
    before = state(music)
    result = call(music)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"{music / 'bare.flac'}: (none) → Rock 80.0%",
        f"{music / 'vague.ogg'}: Not sure: closest are pop and jazz",
    ]
    assert result.stderr.splitlines() == [
        "3 files: 1 to write, 1 left with their genre, 1 not sure",
        "Nothing was changed. Add --write to apply.",
    ]
    assert state(music) == before
    assert not journal.exists()


def test_writing_and_taking_back(music: Path, call: Any, catalog: Path) -> None:
    before = {path: read_genre(path) for path in music.iterdir()}
    result = call(music, "--write", "--replace", "--top", "2", "--threshold", "0.1", "--json")
    assert result.exit_code == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(Path(r["path"]).name, r["action"], r["old"], r["new"]) for r in records] == [
        ("bare.flac", "written", [], ["Rock", "Metal"]),
        ("tagged.mp3", "written", ["Chanson"], ["Rock", "Metal"]),
        ("vague.ogg", "not_sure", [], []),
    ]
    assert records[0]["genres"][0] == {"genre": "Rock", "probability": 0.8}
    assert genres(music / "tagged.mp3") == ["Rock", "Metal"]
    # The catalogue knows the files by their new content: no scan judges them again.
    with Catalogue(catalog) as catalogue:
        assert {step.what for step in scan(catalogue, [music], jobs=1)} == {"unchanged"}
        rows = {Path(song.path).name: song for song in catalogue.songs()}
    analysis = rows["bare.flac"].analysis
    assert analysis is not None
    assert analysis.tags.genre is not None
    assert analysis.hash == hashlib.sha256((music / "bare.flac").read_bytes()).digest()
    result = call("--undo")
    assert result.exit_code == 0, result.stderr
    assert f"{music / 'tagged.mp3'}: Rock, Metal → Chanson\n" in result.stdout
    assert result.stderr == "2 files: 2 restored\n"
    assert {path: read_genre(path) for path in music.iterdir()} == before
    assert call("--undo").stderr == "There is nothing to undo.\n"


def test_append_adds_what_is_not_there(music: Path, call: Any, tmp_path: Path) -> None:
    names = tmp_path / "names.toml"
    names.write_text('rock = "chanson"\nmetal = "Métal"\n', encoding="utf-8")
    arguments = (music / "tagged.mp3", "--append", "--map", names, "--top", "2")
    result = call(*arguments, "--threshold", "0.1", "--write")
    assert result.exit_code == 0, result.stderr
    assert "tagged.mp3: Chanson → Chanson, Métal 15.0%\n" in result.stdout
    assert genres(music / "tagged.mp3") == ["Chanson", "Métal"]
    again = call(*arguments, "--threshold", "0.1", "--write")
    assert again.stderr == "1 file: 1 unchanged\n"


def test_a_file_that_nobody_knows_is_judged(call: Any, tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    write_audio(path, signals.music(2), signals.SAMPLE_RATE)
    result = call(path, "--write", "--include-uncertain", "--json", catalogued=False)
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["action"] == "written"
    assert len(record["genres"]) == 10
    assert genres(path) == record["new"] == [record["genres"][0]["genre"]]


def test_runs_are_undone_one_by_one_or_by_folder(music: Path, call: Any) -> None:
    song = music / "tagged.mp3"
    for name in ("Rock", "Pop"):
        with_map = music.parent / f"{name}.toml"
        with_map.write_text(f'rock = "{name}"', encoding="utf-8")
        assert call(song, "--replace", "--map", with_map, "--write").exit_code == 0
    assert genres(song) == ["Pop"]
    result = call("--undo")
    assert genres(song) == ["Rock"]
    assert "1 older change can still be undone" in result.stderr
    assert call(music, "--replace", "--write").exit_code == 0
    assert genres(music / "bare.flac") == ["Rock"]
    assert call("--undo", music).exit_code == 0
    assert genres(song) == ["Chanson"]
    assert genres(music / "bare.flac") == []


def test_what_another_program_has_changed_since_is_left(music: Path, call: Any) -> None:
    assert call(music, "--replace", "--write").exit_code == 0
    tags = ID3(music / "tagged.mp3")
    tags.setall("TCON", [TCON(text=["By hand"])])
    tags.save()
    (music / "bare.flac").rename(music / "elsewhere.flac")
    result = call("--undo")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert "another program has changed its genre since" in lines[0]
    assert "bare.flac: there is no such file" in lines[1]
    assert genres(music / "tagged.mp3") == ["By hand"]
    (music / "elsewhere.flac").rename(music / "bare.flac")
    assert call("--undo", music / "bare.flac").exit_code == 0
    assert genres(music / "bare.flac") == []


@needs_posix
def test_each_file_that_fails_is_one_line_and_the_rest_is_done(
    music: Path, call: Any, catalog: Path
) -> None:
    locked = write_song(music / "locked.mp3")
    judge(catalog, locked)
    locked.chmod(0o400)
    (music / "noise.mp3").write_bytes(b"this is no music")
    damaged = write_song(music / "damaged.m4a")
    data = damaged.read_bytes()
    damaged.write_bytes(data.replace(b"ilst", b"ilst\xff\xff\xff\xff", 1))
    truncated = music / "truncated.mp3"
    truncated.write_bytes(b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + sound("song.mp3")[:999])
    (music / "video.webm").write_bytes(encode(noise(0.5, 48_000), 48_000, "webm", "libopus"))
    (music / "gone.flac").symlink_to(music / "nowhere.flac")
    kept = {p.name: p.read_bytes() for p in (locked, damaged, truncated)}
    result = call(music, music / "missing.mp3", "--write")
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    said = "\n".join(errors)
    assert "locked.mp3: it is read-only" in said
    assert "noise.mp3: its tags are damaged, or it is not music" in said
    assert "damaged.m4a: " in said
    assert "truncated.mp3: its tags are damaged" in said
    assert "video.webm: topgenre cannot write tags of this format" in said
    assert "gone.flac: there is no such file" in said
    assert "missing.mp3: there is no such file" in said
    assert len(errors) == 7
    assert {name: (music / name).read_bytes() for name in kept} == kept
    assert genres(music / "bare.flac") == ["Rock"]
    assert not list(music.glob(".topgenre*"))


def start(*arguments: str | Path, limit: int | None = None) -> subprocess.Popen[str]:
    """Run topgenre in a process of its own, for which the disk may be full at some size."""
    resource = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    bound = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    script = f"{resource + bound if limit else ''}from topgenre.cli import main\nmain()\n"
    return subprocess.Popen(
        [sys.executable, "-c", script, "tag", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@needs_posix
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, catalog: Path, journal: Path) -> None:
    small, large = write_song(tmp_path / "m" / "small.mp3"), tmp_path / "m" / "big.wav"
    write_audio(large, signals.music(6.0), signals.SAMPLE_RATE)
    for path in (small, large):
        judge(catalog, path)
    before = large.read_bytes()
    limit = len(before) - 1000
    assert limit > catalog.stat().st_size
    arguments = ("--journal", journal, "--catalog", catalog, "--write")
    out, errors = start(large, small, *arguments, limit=limit).communicate(timeout=60)
    assert "small.mp3: (none) → Rock" in out or "small.mp3: (none) -> Rock" in out
    assert f"error: {large}: a changed copy cannot be written beside it (File too large)" in errors
    assert (genres(small), large.read_bytes()) == (["Rock"], before)
    assert sorted(path.name for path in small.parent.iterdir()) == ["big.wav", "small.mp3"]


@needs_posix
def test_nothing_changes_without_its_line_in_the_journal(tmp_path: Path, journal: Path) -> None:
    songs = [tmp_path / f"{number}.wav" for number in range(3)]
    for path in songs:
        write_audio(path, signals.music(1.5), signals.SAMPLE_RATE)
    with Journal(journal) as entries:
        place = f"/somewhere/{'else' * 100_000}"
        entries.note(place, read_genre(songs[0]), read_genre(songs[0]))
    size = journal.stat().st_size
    arguments = ("--journal", journal, "--no-catalog", "--include-uncertain", "--write")
    process = start(*songs, *arguments, limit=size + 700)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the journal cannot be used" in errors
    written = [path for path in songs if genres(path)]
    assert len(written) == 1
    with Journal(journal) as entries:
        assert {entry.path for entry in entries.entries()} == {place, str(written[0])}


@needs_posix
def test_a_kill_leaves_every_file_old_or_new(tmp_path: Path, catalog: Path, journal: Path) -> None:
    folder = tmp_path / "music"
    songs = [write_song(folder / f"{number:02}{suffix}") for number in range(20)
             for suffix in (".mp3", ".flac", ".m4a")]  # fmt: skip
    for path in songs[::3]:
        write_genre(path, ["Chanson", "Pop"])
    for path in songs:
        judge(catalog, path)
    before = {path: (path.read_bytes(), packets(path)) for path in songs}
    old = {path: read_genre(path) for path in songs}
    arguments = ("--replace", "--write", "--json", "--journal", journal, "--catalog", catalog)
    for line in (1, 17):
        process = start(folder, *arguments)
        assert process.stdout is not None
        for _ in range(line):
            process.stdout.readline()
        time.sleep(0.003 * line)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    new = [path for path in songs if genres(path) == ["Rock"]]
    assert len(new) >= 17
    for path in songs:
        assert packets(path) == before[path][1]
        assert path in new or path.read_bytes() == before[path][0]
    with Journal(journal) as entries:
        noted = {entry.path for entry in entries.entries()}
        assert {str(path) for path in new} <= noted
        assert len(noted) <= len(new) + 1
        with Catalogue(catalog) as catalogue:
            list(undo(entries, [folder], catalogue=catalogue))
        assert entries.entries() == []
    assert {path: read_genre(path) for path in songs} == old


def test_the_journal_is_for_one_program_and_bears_half_a_line(
    music: Path, call: Any, journal: Path
) -> None:
    assert call(music, "--write").exit_code == 0
    with journal.open("ab") as file:
        file.write(b'{"version": 1, "id": "half')
    with Journal(journal):
        result = call("--undo")
        assert result.exit_code == 1
        assert "another program is writing genres" in result.stderr
    assert call("--undo").exit_code == 0
    assert genres(music / "bare.flac") == []
    assert all(json.loads(line) for line in journal.read_text("ascii").splitlines())
    journal.write_text("no journal\n", encoding="ascii")
    result = call("--undo")
    assert result.exit_code == 1
    assert "line 1 is damaged" in result.stderr
    assert journal.read_text("ascii") == "no journal\n"
    journal.unlink()
    assert "there is no journal" in call("--undo").stderr
    assert not journal.exists()


def test_a_name_of_any_bytes_comes_back(tmp_path: Path, journal: Path) -> None:
    path = tmp_path / (os.fsdecode(b"caf\xe9\n.mp3") if sys.platform == "linux" else "café.mp3")
    write_song(path)
    old = read_genre(path)
    with Journal(journal) as entries:
        write_genre(path, ["Pop"], commit=lambda *tags: entries.note(str(path), *tags))
    with Journal(journal) as entries:
        assert [type(outcome).__name__ for outcome in undo(entries)] == ["Undone"]
    assert read_genre(path) == old


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["-"], ["a.mp3", "--keep", "--replace"], ["a.mp3", "--threshold", "1.5"]),
        *(["a.mp3", "--top", "0"], ["--undo", "--write"], ["a.mp3", "--map", "missing.toml"]),
    ],
)
def test_wrong_usage_ends_with_2(call: Any, arguments: Sequence[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("m.toml", 'polka = "Polka"', "'polka' is not one of topgenre's genres: blues, classical"),
        ("m.toml", "rock = ", "the names of genres cannot be read"),
        ("m.csv", "rock,Rock,9", "two columns"),
    ],
)
def test_a_map_that_makes_no_sense(
    call: Any, tmp_path: Path, name: str, text: str, why: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    result = call("a.mp3", "--map", tmp_path / name)
    assert result.exit_code == 2
    assert why in " ".join(result.stderr.split())


@pytest.fixture
def screen(music: Path, catalog: Path, journal: Path) -> Iterator[Any]:
    with terminal("tag", music, "--catalog", catalog, "--journal", journal) as shown:
        yield shown


@needs_posix
def test_in_a_terminal_old_and_new_are_told_apart_by_colour(screen: Any) -> None:
    code, text = screen.end()
    assert code == 0
    assert "\x1b[2m(none)\x1b[0m → \x1b[32mRock 80.0%\x1b[0m" in text
    assert "Nothing was changed. Add --write to apply." in text


@needs_posix
def test_ctrl_c_leaves_nothing_half_done(tmp_path: Path, journal: Path) -> None:
    songs = [tmp_path / "music" / f"{number:02}.wav" for number in range(40)]
    songs[0].parent.mkdir()
    write_audio(songs[0], signals.music(1.5), signals.SAMPLE_RATE)
    for path in songs[1:]:
        path.write_bytes(songs[0].read_bytes())
    arguments = ("--include-uncertain", "--write", "--jobs", "1", "--journal", journal)
    with terminal("tag", songs[0].parent, "--no-catalog", *arguments) as screen:
        screen.see("02.wav: ")
        screen.interrupt()
        code, text = screen.end()
    assert code == 130
    assert "What was written stays; --undo takes it back" in text
    assert "Traceback" not in text
    assert sorted(songs[0].parent.iterdir()) == songs
    written = [path for path in songs if genres(path)]
    assert 3 <= len(written) < len(songs)
    with Journal(journal) as entries:
        assert {entry.path for entry in entries.entries()} >= {str(path) for path in written}
