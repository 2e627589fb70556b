"""Songs per second on 4-minute mp3s with one and two workers, and where the time goes.

Then the commands on a catalogue of 100,000 songs that are made up: time, memory, size.

The same songs go through the librosa path in the same run: decode with librosa, four spectrograms
with librosa, and then the same network.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np

from topgenre import hpss
from topgenre.audio import SAMPLE_RATE, SEGMENT_SECONDS, load_segment
from topgenre.classifier import load
from topgenre.demo import STYLES, synthesise, write_audio
from topgenre.library.analysis import analyse_song
from topgenre.library.catalogue import Catalogue, model_hash
from topgenre.library.song import Analysis, Tags
from topgenre.result import Result, rank
from topgenre.spectrograms import compute, mel_project, network_input, onset_strength, stft_power
from topgenre.workers.processes import in_processes

N_SONGS = 200
N_LIBROSA = 8  # it takes seconds a song
MINUTES = 4
N_CATALOGUE = 100_000
N_EMBEDDING = 256
# The system counts what a parent holds as its children's memory too, so the process tells its own.
COMMAND = """
import pathlib, sys
from topgenre.cli import main
try:
    main()
finally:
    status = pathlib.Path("/proc/self/status").read_text()
    print(status.split("VmHWM:")[1].split()[0], file=sys.stderr)
"""


def write_songs(folder: Path) -> list[str]:
    """Write songs of four minutes; copies differ by their tags alone, which the decoder reads."""
    paths = []
    for number in range(N_SONGS):
        path = folder / f"{number}.mp3"
        style = number % len(STYLES)
        if number < len(STYLES):
            song = synthesise(STYLES[style], seconds=60.0)
            write_audio(path, np.tile(song, MINUTES))
        else:
            path.write_bytes((folder / f"{style}.mp3").read_bytes())
        paths.append(str(path))
    return paths


def songs_a_second(paths: list[str], jobs: int) -> float:
    """Scan without a catalogue: hash, tags, classification. The start of processes counts."""
    began = time.perf_counter()
    outcomes = list(in_processes(analyse_song, paths, jobs=jobs))
    seconds = time.perf_counter() - began
    assert all(isinstance(found.result, Result) for _, found in outcomes)  # type: ignore[union-attr]
    return len(paths) / seconds


def with_librosa(path: str, classifier: Any) -> Any:
    """Do the same with librosa's calls."""
    begin = MINUTES * 30 - SEGMENT_SECONDS / 2
    samples, _ = librosa.load(path, sr=SAMPLE_RATE, offset=begin, duration=SEGMENT_SECONDS)
    spectrum = librosa.stft(samples)
    powers = [np.abs(part) ** 2 for part in (spectrum, *librosa.decompose.hpss(spectrum))]
    librosa.onset.onset_strength_multi(y=samples, sr=SAMPLE_RATE, channels=[0, 32, 64, 96, 128])
    mels = [librosa.feature.melspectrogram(S=power, sr=SAMPLE_RATE) for power in powers]
    stack = np.stack([*mels, mels[0]])[None].astype(np.float32)
    return classifier.predict(stack)


def stages(path: str) -> dict[str, Callable[[], object]]:
    """Return each stage of one song with its input at hand."""
    classifier = load()
    segment = load_segment(path)
    by_frame = stft_power(segment.samples)
    by_bin = np.ascontiguousarray(by_frame.T)
    stack = compute(segment)
    inputs = network_input(stack)[None]

    def harmonic_percussive() -> None:
        harmonic = np.empty_like(by_bin)
        hpss.running_median(by_frame, out=harmonic.T)
        hpss.share_power(by_bin, harmonic, hpss.running_median(by_bin))

    return {
        "decode the middle, resample": lambda: load_segment(path),
        "Fourier transform": lambda: stft_power(segment.samples),
        "harmonic and percussive power": harmonic_percussive,
        "onset strength": lambda: onset_strength(mel_project(by_bin)),
        "mel projection": lambda: network_input(stack),
        "network": lambda: classifier.predict(inputs),
        "all of it": lambda: classifier.classify(path),
    }


def write_catalogue(path: Path) -> None:
    """Write a catalogue of songs whose genres and embeddings are drawn at random."""
    rng = np.random.default_rng(0)
    classifier, fingerprint = load(), model_hash()
    n_genres, n_embedding = len(classifier.genres), N_EMBEDDING
    centres = rng.standard_normal((n_genres, n_embedding)).astype(np.float32)
    with Catalogue(path) as catalogue:
        for number in range(N_CATALOGUE):
            shares = rng.dirichlet(np.full(n_genres, 0.15))
            noise = rng.standard_normal(n_embedding).astype(np.float32)
            genres = rank(dict(zip(classifier.genres, shares, strict=True)))
            name = f"/music/artist {number // 12:05d}/album/{number % 12:02d} song.mp3"
            result = Result(name, genres, bool(shares.max() < 0.45), 115, 125, "m", (), 240.0)
            found = Analysis(
                hashlib.sha256(str(number).encode()).digest(),
                result,
                0.7 * centres[shares.argmax()] + noise,
                Tags(f"Artist {number // 12}", f"Song {number}", "Album", "Rock"),
            )
            catalogue.add(name, 9_000_000, 10**18 + number, fingerprint, found)


def print_catalogue(folder: Path, song: str) -> None:
    """Print what the commands take on a large catalogue, their start included."""
    path = folder / "catalogue.sqlite3"
    began = time.perf_counter()
    write_catalogue(path)
    each = 1e3 * (time.perf_counter() - began) / N_CATALOGUE
    size = path.stat().st_size / N_CATALOGUE
    print(f"\ncatalogue of {N_CATALOGUE:,} songs: {size:.0f} bytes and {each:.2f} ms per row")
    for words in (
        ["report", "--out", str(folder / "report.html")],
        ["playlists", str(folder / "lists")],
        ["similar", song, "--json"],
    ):
        command = [sys.executable, "-c", COMMAND, *words, "--catalogue", str(path)]
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr
        memory = int(process.stderr.read().split()[-1]) / 1024
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        used = usage.ru_utime + usage.ru_stime
        print(f"{words[0]:12}{seconds:6.2f} s ({used:.2f} s of processor), {memory:.0f} MB")


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as name:
        paths = write_songs(Path(name))
        songs_a_second(paths[:4], 1)
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(3):
            for jobs, found in rates.items():
                found.append(songs_a_second(paths, jobs))
        one, two = (statistics.median(found) for found in rates.values())
        print(f"{N_SONGS} mp3s of {MINUTES} min, 3 rounds; start of the processes included")
        for jobs, found in rates.items():
            low, high = min(found), max(found)
            middle = statistics.median(found)
            print(f"{jobs} worker(s): {middle:6.2f} songs/s  ({low:.2f} to {high:.2f})")
        print(f"two workers do {two / one:.2f} times what one does")

        print_catalogue(Path(name), paths[0])
        print()

        classifier = load()
        with_librosa(paths[0], classifier)  # compiles
        theirs = []
        for path in paths[:N_LIBROSA]:
            began = time.perf_counter()
            with_librosa(path, classifier)
            theirs.append(time.perf_counter() - began)
        rate = 1 / statistics.median(theirs)
        print(f"librosa path, warm, in this process: {rate:.2f} songs/s; ours: {one / rate:.1f}x")

        parts = stages(paths[0])
        medians = {}
        for part, call in parts.items():
            times = []
            for _ in range(15):
                began = time.perf_counter()
                call()
                times.append(time.perf_counter() - began)
            medians[part] = 1e3 * statistics.median(times)
        print()
        for part, milliseconds in medians.items():
            print(f"{part:32}{milliseconds:8.1f} ms{milliseconds / medians['all of it']:7.0%}")


if __name__ == "__main__":
    main()
