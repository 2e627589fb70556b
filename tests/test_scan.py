"""Scanning a library: everything once, whatever comes between."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import signals
from audio_files import encode
from terminal import terminal
from topgenre.checksum import stamped
from topgenre.classifier import analyse, load
from topgenre.cli.app import app
from topgenre.demo import write_audio
from topgenre.errors import ModelError
from topgenre.library.batch import classify_file
from topgenre.library.catalogue import Catalogue, model_hash
from topgenre.library.scan import Step, scan
from topgenre.library.song import Song
from topgenre.library.tags import read_tags
from topgenre.preprocessed import save
from topgenre.result import Failure
from topgenre.workers.processes import in_processes

needs_posix = pytest.mark.skipif(os.name != "posix", reason="names and limits of Unix")


def write_song(path: Path, seed: int, seconds: float = 1.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, signals.music(seconds, seed), signals.SAMPLE_RATE)
    return path


MANY = 200


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that is not scanned before a busy machine gets to stop it; nobody changes it."""
    folder = tmp_path_factory.mktemp("many")
    song = write_song(folder / "artist 0" / "0.wav", 0).read_bytes()
    for number in range(1, MANY):
        path = folder / f"artist {number // 10}" / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        # Each has a content of its own, as the catalogue knows copies when it meets them.
        path.write_bytes(song[:-4] + number.to_bytes(4, "little"))
    return folder


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Two songs in folders, and a file that is none."""
    folder = tmp_path / "music"
    write_song(folder / "a" / "one.wav", 1)
    write_song(folder / "b" / "two.wav", 2)
    (folder / "b" / "bad.mp3").write_bytes(b"this is no music")
    (folder / "b" / "notes.txt").touch()
    return folder


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite3"


def run(catalog: Path, *paths: Path, retry_errors: bool = False) -> list[Step]:
    with Catalogue(catalog) as catalogue:
        return list(scan(catalogue, paths, jobs=1, retry_errors=retry_errors))


def done(steps: list[Step]) -> dict[str, str]:
    """Give what became of each file, by its name."""
    return {Path(step.path).name: step.what for step in steps if step.what != "found"}


def songs(catalog: Path) -> dict[str, Song]:
    with Catalogue(catalog, read_only=True) as catalogue:
        return {Path(song.path).name: song for song in catalogue.songs()}


def rows(catalog: Path) -> dict[bytes, int]:
    """Give the ids, which a row that is written anew does not keep."""
    with closing(sqlite3.connect(catalog)) as database:
        return dict(database.execute("SELECT path, id FROM songs").fetchall())


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["scan", *map(str, arguments)])


def test_a_row_holds_what_classify_and_the_network_say(music: Path, catalog: Path) -> None:
    steps = run(catalog, music)
    assert done(steps) == {
        "one.wav": "classified",
        "two.wav": "classified",
        "bad.mp3": "failed",
    }
    assert [step.to_do for step in steps if step.what != "found"] == [3, 3, 3]
    found = songs(catalog)
    assert (found["bad.mp3"].analysis, found["bad.mp3"].error_code) == (None, "not_audio")
    song, classifier = found["one.wav"], load()
    assert song.analysis is not None
    expected = classifier.classify(music / "a" / "one.wav")
    assert song.analysis.result.to_dict() == expected.to_dict()
    assert song.model_hash == model_hash()
    assert song.size == (music / "a" / "one.wav").stat().st_size
    from topgenre.spectrograms import network_input

    inputs = network_input(analyse(music / "a" / "one.wav"))[None]
    np.testing.assert_allclose(
        song.analysis.embedding, classifier.predict(inputs).embedding[0], rtol=1e-5
    )


def test_only_what_has_changed_is_done_again(music: Path, catalog: Path) -> None:
    run(catalog, music)
    before = rows(catalog)
    assert done(run(catalog, music)) == {
        "one.wav": "unchanged",
        "two.wav": "unchanged",
        "bad.mp3": "failed before",
    }
    assert rows(catalog) == before

    write_song(music / "a" / "one.wav", 7)
    os.utime(music / "b" / "two.wav", ns=(1, 123_456_789))
    write_song(music / "three.wav", 3)
    assert done(run(catalog, music)) == {
        "one.wav": "classified",
        "two.wav": "unchanged",
        "three.wav": "classified",
        "bad.mp3": "failed before",
    }
    assert songs(catalog)["two.wav"].mtime_ns == 123_456_789
    assert set(done(run(catalog, music)).values()) == {"unchanged", "failed before"}


def test_moved_and_copied_files_are_known_by_their_content(music: Path, catalog: Path) -> None:
    run(catalog, music)
    before = songs(catalog)["one.wav"]
    (music / "a").rename(music / "z")
    (music / "z" / "one.wav").rename(music / "z" / "uno.wav")
    (music / "copy.wav").write_bytes((music / "b" / "two.wav").read_bytes())
    assert done(run(catalog, music)) == {
        "uno.wav": "moved",
        "copy.wav": "copied",
        "two.wav": "unchanged",
        "bad.mp3": "failed before",
    }
    found = songs(catalog)
    assert set(found) == {"uno.wav", "copy.wav", "two.wav", "bad.mp3"}
    moved = found["uno.wav"].analysis
    assert moved is not None
    assert before.analysis is not None
    np.testing.assert_array_equal(moved.embedding, before.analysis.embedding)


def test_another_model_does_everything_again(music: Path, catalog: Path, tmp_path: Path) -> None:
    run(catalog, music)
    shipped = (resources.files("topgenre") / "model" / "topgenre.onnx").read_bytes()
    name = load().info.name.encode()
    model = tmp_path / "other.onnx"
    other = shipped.replace(b'"' + name + b'"', b'"' + name[:-1] + b'X"', 1)
    model.write_bytes(stamped(other))
    with Catalogue(catalog) as catalogue:
        steps = list(scan(catalogue, [music], model=model, jobs=1))
    assert set(done(steps).values()) == {"classified", "failed"}
    assert {song.model_hash for song in songs(catalog).values()} == {model_hash(model)}
    analysis = songs(catalog)["one.wav"].analysis
    assert analysis is not None
    assert analysis.result.model.endswith("X")


def test_failures_are_tried_again_on_request_alone(music: Path, catalog: Path) -> None:
    run(catalog, music)
    bad = music / "b" / "bad.mp3"
    before = bad.stat()
    sound = bytes(encode(signals.music(2.0)[None], signals.SAMPLE_RATE, "mp3", "libmp3lame"))
    bad.write_bytes(sound[: before.st_size])
    os.utime(bad, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert done(run(catalog, music))["bad.mp3"] == "failed before"
    assert done(run(catalog, music, retry_errors=True))["bad.mp3"] == "failed"
    assert songs(catalog)["bad.mp3"].error_code == "damaged_audio"

    bad.write_bytes(sound)
    assert done(run(catalog, retry_errors=True)) == {"bad.mp3": "classified"}
    assert call("--errors", "--catalog", catalog).stdout == ""


def test_missing_files_are_marked_and_come_back(music: Path, catalog: Path, tmp_path: Path) -> None:
    run(catalog, music)
    (music / "a").rename(tmp_path / "elsewhere")
    assert done(run(catalog, music))["one.wav"] == "missing"
    assert "one.wav" not in done(run(catalog, music))
    assert songs(catalog)["one.wav"].missing
    (tmp_path / "elsewhere").rename(music / "a")
    assert done(run(catalog, music))["one.wav"] == "unchanged"
    assert not songs(catalog)["one.wav"].missing

    (music / "a" / "one.wav").unlink()
    (music / "worse.mp3").touch()  # a bad file keeps nothing from being forgotten
    result = call(music, "--prune", "--catalog", catalog)
    assert result.exit_code == 1
    assert "1 missing song forgotten" in result.stdout
    assert "one.wav" not in songs(catalog)


def test_a_drive_that_is_not_there_costs_no_results(
    music: Path, catalog: Path, tmp_path: Path
) -> None:
    run(catalog, music)
    music.rename(tmp_path / "unplugged")
    result = call(music, "--prune", "--catalog", catalog)
    assert result.exit_code == 1
    assert "nothing was forgotten" in result.stderr
    assert {"one.wav", "two.wav"} < set(songs(catalog))
    (tmp_path / "unplugged").rename(music)
    assert done(run(catalog, music))["one.wav"] == "unchanged"


def test_files_that_vanish_in_the_middle(music: Path, catalog: Path) -> None:
    run(catalog, music)
    write_song(music / "new.wav", 5)
    write_song(music / "a" / "one.wav", 6)
    steps = []
    with Catalogue(catalog) as catalogue:
        for step in scan(catalogue, [music], jobs=1):
            steps.append(step)
            if step.what == "found":
                Path(step.path).unlink()
    assert done(steps) == {
        "new.wav": "vanished",
        "one.wav": "vanished",
        "two.wav": "unchanged",
        "bad.mp3": "failed before",
    }
    assert "new.wav" not in songs(catalog)
    assert songs(catalog)["one.wav"].missing


@needs_posix
def test_links_and_names_of_all_kinds(tmp_path: Path, catalog: Path) -> None:
    music = tmp_path / "music"
    song = write_song(music / "album" / "a.wav", 1)
    (music / "album" / "up").symlink_to(music, target_is_directory=True)
    (music / "self").symlink_to("self")
    (music / "broken.wav").symlink_to(tmp_path / "gone.wav")
    (music / "circle.wav").symlink_to("circle.wav")
    save(analyse(song), music / "album" / "a.npz")
    strange = music / os.fsdecode(b"m\xfasica\n\xff.wav")
    song.rename(strange)
    steps = done(run(catalog, music, music / "album", strange))
    assert steps.pop(strange.name) == "classified"
    assert steps == {"broken.wav": "failed", "circle.wav": "failed"}
    assert songs(catalog)[strange.name].path == str(strange)
    # Of the two links, one has a target that may come to be, and is remembered.
    assert songs(catalog)["broken.wav"].error_code == "not_found"
    listed = call("--errors", "--catalog", catalog)
    assert listed.exit_code == 0
    assert listed.stdout.isascii()
    assert len(listed.stdout.splitlines()) == 1


@needs_posix
def test_a_folder_that_may_not_be_read(music: Path, catalog: Path) -> None:
    run(catalog, music)
    (music / "a").chmod(0)
    if os.access(music / "a", os.R_OK):
        pytest.skip("nothing is forbidden to root")
    try:
        steps = run(catalog, music)
    finally:
        (music / "a").chmod(0o700)
    (failure,) = [step.failure for step in steps if step.failure]
    assert str(failure.error).startswith(f"{music / 'a'}: the folder cannot be read")
    assert not songs(catalog)["one.wav"].missing


def test_what_is_named_but_cannot_be_scanned(tmp_path: Path, catalog: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    pipe = tmp_path / "pipe.wav"
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
    named = [empty, tmp_path / "gone.mp3", Path(f"{tmp_path}/a\0b"), pipe]
    steps = run(catalog, *named)
    assert [step.what for step in steps] == ["empty", *["failed"] * (len(named) - 1)]
    for step in steps:
        assert step.failure is not None
        assert str(step.failure.error).isprintable()
    assert songs(catalog) == {}


def test_a_model_that_cannot_be_used(music: Path, catalog: Path) -> None:
    with Catalogue(catalog) as catalogue:
        with pytest.raises(ModelError, match="not a usable"):
            list(scan(catalogue, [music], model=music / "b" / "bad.mp3"))
        with pytest.raises(ModelError, match="cannot be read"):
            list(scan(catalogue, [music], model=music / "none.onnx"))


def test_tags_of_many_formats(tmp_path: Path) -> None:
    import av

    for suffix, codec in ((".mp3", "libmp3lame"), (".flac", "flac"), (".opus", "libopus")):
        path = tmp_path / f"song{suffix}"
        container_name = "ogg" if suffix == ".opus" else suffix[1:]
        with av.open(str(path), "w", format=container_name) as container:
            container.metadata.update({"artist": "Ärtist", "title": "  A \n title"})
            container.metadata.update({"genre": "Jazz", "comment": "x" * 9999})
            stream = container.add_stream(codec, rate=48_000, layout="mono")
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 4800), np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate = 48_000
            assert isinstance(stream, av.AudioStream)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        assert read_tags(str(path)) == ("Ärtist", "A title", None, "Jazz")
    assert read_tags(str(tmp_path / "gone.mp3")) == (None,) * 4


SEVERAL = {
    ".mp3": lambda path: mutagen_id3(path),
    ".wav": lambda path: mutagen_id3(path),
    ".aiff": lambda path: mutagen_id3(path),
    ".flac": lambda path: mutagen_plain(path, "artist", "genre"),
    ".ogg": lambda path: mutagen_plain(path, "artist", "genre"),
    ".opus": lambda path: mutagen_plain(path, "artist", "genre"),
    ".m4a": lambda path: mutagen_plain(path, "\xa9ART", "\xa9gen"),
    ".wma": lambda path: mutagen_plain(path, "Author", "WM/Genre"),
}


def mutagen_id3(path: Path) -> None:
    import mutagen
    from mutagen.id3 import TCON, TPE1

    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    file.tags.add(TPE1(text=["One", "Two"]))
    file.tags.add(TCON(text=["Jazz", "Acid Jazz"]))
    file.save()


def mutagen_plain(path: Path, artist: str, genre: str) -> None:
    import mutagen

    file = mutagen.File(path)
    file[artist], file[genre] = ["One", "Two"], ["Jazz", "Acid Jazz"]
    file.save()


@pytest.mark.parametrize("suffix", SEVERAL)
def test_several_values_of_a_tag_are_kept_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song{suffix}"
    if suffix == ".wma":
        sound = encode(signals.music(1.0)[None], signals.SAMPLE_RATE, "asf", "pcm_s16le")
        path.write_bytes(sound)
    elif suffix == ".aiff":
        sound = encode(signals.music(1.0)[None], signals.SAMPLE_RATE, "aiff", "pcm_s16be")
        path.write_bytes(sound)
    else:
        write_audio(path, signals.music(1.0), signals.SAMPLE_RATE)
    SEVERAL[suffix](path)
    assert read_tags(str(path)) == ("One; Two", None, None, "Jazz; Acid Jazz")


def process(*arguments: str | Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "topgenre", "scan", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(catalog: Path, count: int) -> None:
    """Wait until so many songs are in a catalogue that another process fills."""
    for _ in range(600):
        if catalog.exists():
            with closing(sqlite3.connect(f"{catalog.as_uri()}?mode=ro", uri=True)) as database:
                try:
                    (found,) = database.execute("SELECT count(*) FROM songs").fetchone()
                except sqlite3.OperationalError:
                    found = 0  # not made yet
                if found >= count:
                    return
        time.sleep(0.05)
    raise AssertionError("the scan does not get on")


def test_a_scan_that_is_killed_goes_on_where_it_was(many: Path, catalog: Path) -> None:
    kept: dict[bytes, int] = {}
    for count in (3, 20):
        with process(many, "--catalog", catalog, "--jobs", "2") as running:
            wait_for(catalog, count)
            running.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
            # The pipes end when the workers have, too.
            running.communicate(timeout=60)
        found = rows(catalog)
        assert kept.items() <= found.items()
        assert count <= len(found) < MANY
        kept = found
    steps = run(catalog, many)
    counts = Counter(step.what for step in steps if step.what != "found")
    assert counts == {"unchanged": len(kept), "classified": MANY - len(kept)}
    found = rows(catalog)
    assert kept.items() <= found.items()
    assert sorted(os.fsdecode(path) for path in found) == sorted(
        str(path) for path in many.rglob("*.wav")
    )


@needs_posix
def test_interrupt_in_a_terminal_keeps_what_is_done(many: Path, catalog: Path) -> None:
    with terminal("scan", many, "--catalog", catalog, "--jobs", "1") as screen:
        screen.see("looking for music")
        screen.see(f"/{MANY} files")
        screen.see("a second")
        screen.see("left")
        screen.interrupt()
        code, text = screen.end()
    assert code == 130
    assert "run the same command to continue" in text
    assert "Traceback" not in text
    stored = len(rows(catalog))
    assert 0 < stored < MANY
    assert not catalog.with_name(f"{catalog.name}-wal").exists()
    with Catalogue(catalog) as catalogue, closing(scan(catalogue, [many], jobs=1)) as steps:
        counts = Counter(next(steps).what for _ in range(MANY))
    assert counts == {"unchanged": stored, "found": MANY - stored}


@needs_posix
def test_a_full_disk_costs_nothing_that_was_stored(music: Path, catalog: Path) -> None:
    run(catalog, music)
    before = rows(catalog)
    for number in range(30):
        write_song(music / f"{number}.wav", number + 50)
    limit = catalog.stat().st_size + 50_000
    script = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from topgenre.cli import main\n"
        "if __name__ == '__main__': main()\n"
    )
    main = catalog.with_name("limited.py")
    main.write_text(script, encoding="utf-8")
    arguments = ["scan", music, "--catalog", catalog, "--jobs", "1"]
    command = [sys.executable, str(main), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {catalog}: ")
    assert ended.stderr.count("\n") == 1
    assert before.items() <= rows(catalog).items()
    assert Counter(done(run(catalog, music)).values())["classified"] > 0
    assert len(rows(catalog)) == len(before) + 30


def test_a_locked_or_damaged_catalogue_is_one_line(music: Path, catalog: Path) -> None:
    Catalogue(catalog).close()
    with closing(sqlite3.connect(catalog, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        result = call(music, "--catalog", catalog)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "another program has locked it" in result.stderr
    before = (music / "a" / "one.wav").read_bytes()
    result = call(music, "--catalog", music / "a" / "one.wav")
    assert result.exit_code == 1
    assert "damaged, or not a catalogue" in result.stderr
    assert (music / "a" / "one.wav").read_bytes() == before


def test_the_command_scans_lists_and_exports(music: Path, catalog: Path, tmp_path: Path) -> None:
    result = call(music, "--catalog", catalog)
    assert result.exit_code == 1
    assert "3 files in" in result.stdout
    assert "2 classified" in result.stdout
    assert "1 failed" in result.stdout
    assert "bad.mp3: not a supported" in result.stderr
    again = call(music, "--catalog", catalog)
    assert again.exit_code == 0
    assert "2 unchanged" in again.stdout
    assert "--retry-errors" in again.stdout
    listed = call("--errors", "--catalog", catalog)
    assert "bad.mp3: not a supported" in listed.stdout
    table = tmp_path / "songs.csv"
    exported = call("--export", table, "--catalog", catalog)
    assert exported.exit_code == 0
    assert len(table.read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.parametrize(
    "arguments", [[], ["--export", "songs.txt"], ["--jobs", "0", "."], ["--catalog", "c"]]
)
def test_wrong_usage_ends_with_2(catalog: Path, arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_asking_makes_no_catalogue(catalog: Path) -> None:
    result = call("--errors", "--catalog", catalog)
    assert result.exit_code == 1
    assert "topgenre scan FOLDER" in result.stderr
    assert not catalog.exists()


@needs_posix
def test_a_file_that_takes_for_ever_is_given_up(music: Path) -> None:
    pipe = music / "endless.wav"
    os.mkfifo(pipe)
    song = str(music / "a" / "one.wav")
    outcomes = in_processes(classify_file, [str(pipe), song], jobs=1, time_limit=5.0)
    (first, failure), (second, result) = outcomes
    assert (first, second) == (str(pipe), song)
    assert isinstance(failure, Failure)
    assert failure.error.code == "overrun"
    assert "not done after 5 s" in str(failure.error)
    assert not isinstance(result, Failure)
