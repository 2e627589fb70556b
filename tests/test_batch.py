"""Finding music in folders, and classifying it with one process and with several."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import signals
from topgenre import preprocessed
from topgenre.checksum import stamped
from topgenre.classifier import analyse, load
from topgenre.demo import write_audio
from topgenre.errors import ModelError
from topgenre.library.batch import Outcome, classify_file, classify_files
from topgenre.library.find import find_audio
from topgenre.result import Failure, Result
from topgenre.workers.processes import Pool
from topgenre.workers.work import default_jobs

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


@pytest.fixture(autouse=True)
def no_process_is_left(no_children: None) -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("songs")
    paths = [folder / f"{name}.wav" for name in signals.ALL]
    for path, sound in zip(paths, signals.ALL.values(), strict=True):
        write_audio(path, sound(4.0), signals.SAMPLE_RATE)
    return [str(path) for path in paths]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder: Path) -> list[str]:
    """Give the names that are found in a folder, relative to it."""
    return [
        "failure" if isinstance(path, Failure) else Path(path).relative_to(folder).as_posix()
        for path in find_audio([folder])
    ]


def test_music_in_folders_comes_in_the_order_of_names(tmp_path: Path) -> None:
    touch(tmp_path, "c.MP3", "b/2.flac", "b/10.ogg", "a.wav", "d/e/f.npz", "b/cover.jpg", "x.txt")
    assert found(tmp_path) == ["a.wav", "b/10.ogg", "b/2.flac", "c.MP3", "d/e/f.npz"]


JUNK_FOLDERS = [
    *("#recycle", "@Recycle", "$RECYCLE.BIN", "$Recycle.Bin", ".recycle", ".Trash", ".Trashes"),
    *(".Trash-1000", ".Trash-0", ".snapshot", ".snapshots", "#snapshot", "@Recently-Snapshot"),
    *("~snapshot", ".zfs", ".stversions", ".stfolder", "System Volume Information", "lost+found"),
    *("@eaDir", "@tmp", ".@__thumb", ".AppleDouble", "__MACOSX", ".Spotlight-V100", ".fseventsd"),
    *("Network Trash Folder", ".local/share/Trash"),
]
JUNK_FILES = ["._song.mp3", "._...Song.flac", ".topgenre-12ab.mp3"]
MUSIC = [
    *("...And Justice for All/01.mp3", "...Baby One More Time.mp3", ".38 Special/x.flac"),
    *(".hidden/y.ogg", "Trash/z.mp3", "Recycler/a.wav", "@ home/b.mp3", "#1/c.opus", "$/d.mp3"),
    *("~/e.mp3", "_/f.mp3", ".mp3/g.mp3", "Snapshots/h.m4a", "..mp3"),
]


@pytest.mark.parametrize("folder", ["", "artist", "artist/album"])
def test_junk_is_skipped_and_told_and_music_is_not(tmp_path: Path, folder: str) -> None:
    root = tmp_path / folder
    deep = [f"{junk}/artist/song.mp3" for junk in JUNK_FOLDERS]
    touch(root, *deep, *JUNK_FILES, *MUSIC)
    skipped: list[str] = []
    files = find_audio([tmp_path], skipped=skipped.append)
    assert sorted(map(str, files)) == sorted(str(root / name) for name in MUSIC)
    assert sorted(skipped) == sorted(str(root / name) for name in (*JUNK_FOLDERS, *JUNK_FILES))


@pytest.mark.parametrize("suffix", [".dsf", ".wave", ".mpga", ".mp1", ".m4r", ".DSF", ".Wave"])
def test_rarer_suffixes_are_music_too(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, f"song{suffix}", f"song{suffix}.txt")
    assert found(tmp_path) == [f"song{suffix}"]


@needs_pipes
def test_folders_nested_deeper_than_calls_may_be(tmp_path: Path) -> None:
    begin = Path.cwd()
    depth = 0
    try:
        os.chdir(tmp_path)
        for depth in range(2100):  # the last paths are longer than a system call takes
            Path("d").mkdir()
            if depth % 500 == 0:
                Path("song.mp3").touch()
            os.chdir("d")
    finally:
        os.chdir(begin)
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "last.mp3").touch()
    files = find_audio([tmp_path])
    songs = [path for path in files if isinstance(path, str)]
    assert len(songs) >= 3
    assert songs[-1].endswith("last.mp3")
    for failure in files:
        if not isinstance(failure, str):
            assert "cannot be read" in str(failure.error)
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # Python itself would call too deep


def test_what_is_named_is_kept_whatever_it_is(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden", "notes.txt")
    named = [str(tmp_path / ".hidden"), str(tmp_path / "notes.txt"), "gone.mp3", "-", "a\0b"]
    assert find_audio(named) == named


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    touch(tmp_path, "album/a.mp3")
    (tmp_path / "album" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to("self")
    assert found(tmp_path) == ["album/a.mp3"]


def test_links_to_music_are_followed_and_broken_ones_reported(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    touch(outside, "a.mp3", "more/b.mp3")
    inside.mkdir()
    (inside / "linked.mp3").symlink_to(outside / "a.mp3")
    (inside / "more").symlink_to(outside / "more", target_is_directory=True)
    (inside / "broken.mp3").symlink_to(outside / "gone.mp3")
    assert found(inside) == ["broken.mp3", "linked.mp3", "more/b.mp3"]
    (outcome,) = classify_files([str(inside / "broken.mp3")])
    assert isinstance(outcome, Failure)
    assert outcome.error.code == "not_found"


@needs_pipes
def test_a_pipe_in_a_folder_is_no_music_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    touch(tmp_path, "a.mp3")
    assert found(tmp_path) == ["a.mp3"]


def test_a_folder_without_music_is_a_failure_of_its_own(tmp_path: Path) -> None:
    touch(tmp_path, "full/a.mp3", "empty/notes.txt")
    path, failure = find_audio([tmp_path / "full", tmp_path / "empty"])
    assert path == str(tmp_path / "full" / "a.mp3")
    assert isinstance(failure, Failure)
    assert failure.path == str(tmp_path / "empty")
    assert str(failure.error).startswith(f"{tmp_path / 'empty'}: no music files")


def test_the_same_folder_twice_gives_its_files_twice(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp3")
    assert find_audio([tmp_path, tmp_path]) == [str(tmp_path / "a.mp3")] * 2


def summary(outcome: Outcome) -> tuple[str, object]:
    if isinstance(outcome, Failure):
        return outcome.path, outcome.error.code
    return outcome.path, outcome.top(1)[0].genre


def test_several_jobs_give_the_outcomes_of_one_in_the_same_order(
    songs: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"ID3")
    paths = [*songs, str(broken), *find_audio([tmp_path / "gone"]), *reversed(songs)]
    alone = list(classify_files(paths, jobs=1))
    together = list(classify_files(paths, jobs=2))
    assert [summary(outcome) for outcome in alone] == [summary(outcome) for outcome in together]
    assert [outcome.path for outcome in alone] == paths
    assert {type(outcome) for outcome in alone} == {Result, Failure}


def test_failures_are_passed_on_in_their_place(songs: list[str], tmp_path: Path) -> None:
    (failure,) = find_audio([tmp_path])
    for jobs in (1, 2):
        outcomes = list(classify_files([failure, songs[0], failure], jobs=jobs))
        assert [outcomes[0], outcomes[2]] == [failure, failure]
        assert isinstance(outcomes[1], Result)


def test_a_preprocessed_file_keeps_its_own_name(songs: list[str], tmp_path: Path) -> None:
    path = tmp_path / "song.npz"
    preprocessed.save(analyse(songs[0]), path)
    (outcome,) = classify_files([str(path)])
    assert isinstance(outcome, Result)
    assert outcome.path == str(path)


def test_messages_are_one_line_whatever_the_name(tmp_path: Path) -> None:
    names = ["two\nlines.mp3", "two\nlines.npz", "two\nlines"]
    (tmp_path / names[2]).mkdir()
    for outcome in classify_files(find_audio(tmp_path / name for name in names)):
        assert isinstance(outcome, Failure)
        assert outcome.error.code == "not_found"
        assert str(outcome.error).isprintable()


def test_nothing_to_do() -> None:
    assert list(classify_files([])) == []
    assert list(classify_files([], jobs=4)) == []


def test_leaving_early_leaves_no_process_behind(songs: list[str]) -> None:
    outcomes = classify_files(songs * 20, jobs=2)
    assert next(outcomes).path == songs[0]
    outcomes.close()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_model_that_cannot_be_used_ends_the_batch(
    songs: list[str], tmp_path: Path, jobs: int
) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        list(classify_files(songs, model=tmp_path / "none.onnx", jobs=jobs))


def test_jobs_below_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        next(classify_files(["a.mp3"], jobs=0))


def test_few_files_need_no_further_process() -> None:
    assert default_jobs(3) == 1
    assert default_jobs(1000) >= 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_fault_in_topgenre_costs_one_file_and_is_told(
    songs: list[str], tmp_path: Path, jobs: int
) -> None:
    # A model whose metadata hold a genre less than its network has outputs.
    shipped = (resources.files("topgenre") / "model" / "topgenre.onnx").read_bytes()
    model = tmp_path / "model.onnx"
    model.write_bytes(stamped(shipped.replace(b'"blues",', b"        ", 1)))
    outcomes = list(classify_files([*songs[:2], "gone.mp3"], model=model, jobs=jobs))
    faults = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert [fault.error.code for fault in faults] == ["internal", "internal", "not_found"]
    assert str(faults[0].error).startswith(f"{songs[0]}: a bug in topgenre (ValueError")
    assert str(faults[0].error).isprintable()
    assert "Traceback" in faults[0].details
    assert faults[2].details == ""


@needs_pipes
def test_a_killed_worker_costs_only_the_file_it_had_in_hand(
    songs: list[str], tmp_path: Path
) -> None:
    # Two workers wait at two pipes, so that it is known what they have in hand.
    pipes = [tmp_path / "first.wav", tmp_path / "second.wav"]
    for pipe in pipes:
        os.mkfifo(pipe)
    sound = Path(songs[0]).read_bytes()
    killed = threading.Event()

    def feed(pipe: Path) -> None:
        with suppress(BrokenPipeError), pipe.open("wb") as file:  # until a worker opens it too
            if waiting.wait() == 0:
                multiprocessing.active_children()[0].kill()
                multiprocessing.active_children()[0].join(0)
                killed.set()
            killed.wait()
            file.write(sound)

    waiting = threading.Barrier(2)
    feeders = [threading.Thread(target=feed, args=(pipe,)) for pipe in pipes]
    for feeder in feeders:
        feeder.start()
    outcomes = list(classify_files([*map(str, pipes), *songs], jobs=2))
    for feeder in feeders:
        feeder.join()

    crashed = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert len(crashed) == 1
    assert crashed[0].error.code == "crashed"
    assert crashed[0].path in map(str, pipes)
    assert "signal 9" in str(crashed[0].error)
    assert [outcome.path for outcome in outcomes] == [*map(str, pipes), *songs]


def test_workers_that_are_all_killed_are_replaced(songs: list[str]) -> None:
    outcomes = classify_files(songs * 10, jobs=2)
    assert [type(next(outcomes)) for _ in range(2)] == [Result, Result]
    for process in multiprocessing.active_children():
        process.kill()
        process.join()
    rest = list(outcomes)
    assert [outcome.path for outcome in rest] == (songs * 10)[2:]
    # At most the file that each of the two had in hand.
    assert sum(isinstance(outcome, Failure) for outcome in rest) <= 2


def test_a_killed_worker_that_was_the_only_one_is_replaced_for_the_next_file(
    songs: list[str],
) -> None:
    pool = Pool(None, 1, classify_file)
    try:
        assert pool.assign(0, songs[0])
        while not pool.outcomes():  # the first thing said is that it is ready
            pass
        for process in multiprocessing.active_children():
            process.kill()
            process.join()
        assert pool.assign(1, songs[0])
        while not (outcomes := pool.outcomes()):
            pass
        assert isinstance(outcomes[1], Result)
    finally:
        pool.stop()


def test_a_script_that_cannot_start_workers_is_told_so(songs: list[str], tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from topgenre.library.batch import classify_files\n"
        f"list(classify_files({songs[:2]!r}, jobs=2))\n"
    )
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "a worker process ended while it started (exit status 1)" in process.stderr


def test_whole_tracks(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    write_audio(path, np.stack([signals.music(25.0)] * 2), signals.SAMPLE_RATE)
    (alone,) = classify_files([str(path)], whole=True)
    (worker, _) = classify_files([str(path), str(path)], whole=True, jobs=2)
    assert alone == worker
    assert isinstance(alone, Result)
    assert not any(notice.startswith("only") for notice in alone.notices)
    assert [round(window.start, 1) for window in alone.timeline] == [0, 7.5, 15]
    assert alone.timeline[-1].end == alone.end == pytest.approx(alone.duration, abs=0.03)
    mean = {genre: 0.0 for genre, _ in alone.genres}
    for window in alone.timeline:
        assert sum(share for _, share in window.genres) == pytest.approx(1, abs=1e-5)
        for genre, share in window.genres:
            mean[genre] += share / len(alone.timeline)
    info = load().info  # a mean over windows has a temperature of its own
    powers = {g: share ** (info.temperature / info.temperature_whole) for g, share in mean.items()}
    total = sum(powers.values())
    expected = {genre: power / total for genre, power in powers.items()}
    assert dict(alone.genres) == pytest.approx(expected, abs=1e-5)


def test_a_preprocessed_file_is_no_whole_track(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    write_audio(song, signals.music(3.0), signals.SAMPLE_RATE)
    path = tmp_path / "song.npz"
    preprocessed.save(analyse(song), path)
    (outcome,) = classify_files([str(path)], whole=True)
    assert isinstance(outcome, Failure)
    assert "holds 10 s" in str(outcome.error)
