"""A warm `classify(path)` beside the usual way to a network that looks at pictures.

The usual way: librosa decodes the whole file to mono at 22 050 Hz, separates harmonic from
percussive sound, computes the onset strength, draws four plots with Matplotlib, and Pillow shrinks
each to what an image network takes; the network itself is left out. It is done with the middle 10 s
after decoding, and with the whole song. Both sides run on one thread of one process, in turn.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import io
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import librosa
import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from topgenre.audio import SAMPLE_RATE, SEGMENT_SECONDS, load_segment
from topgenre.classifier import load
from topgenre.demo import STYLES, synthesise, write_audio
from topgenre.spectrograms import stft_power

ROUNDS = 21
WHOLE_ROUNDS = 3  # they take ten seconds and more
AIM = 50  # times the usual way
MINUTES = 4
PICTURE = (224, 224)  # pixels; what networks for pictures are trained on as a rule


def usual_way(path: Path, *, whole: bool) -> list[Any]:
    """Return four pictures of a song, as a network for pictures takes them."""
    samples, _ = librosa.load(path, sr=SAMPLE_RATE)
    if not whole:
        length = round(SEGMENT_SECONDS * SAMPLE_RATE)
        begin = (len(samples) - length) // 2
        samples = samples[begin : begin + length]
    spectrum = librosa.stft(samples)
    powers = [np.abs(part) ** 2 for part in (spectrum, *librosa.decompose.hpss(spectrum))]
    onsets = librosa.onset.onset_strength_multi(
        y=samples, sr=SAMPLE_RATE, channels=[0, 32, 64, 96, 128]
    )
    decibels = [librosa.power_to_db(power, ref=np.max) for power in powers]
    pictures = [_plotted(values, y_axis="log") for values in decibels]
    return [*pictures, _plotted(onsets, y_axis=None)]


def _plotted(values: Any, y_axis: str | None) -> Any:
    figure, axes = plt.subplots()
    librosa.display.specshow(values, sr=SAMPLE_RATE, x_axis="time", y_axis=y_axis, ax=axes)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    plt.close(figure)
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB").resize(PICTURE), np.float32) / 255


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds and the processor seconds of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - processor


def in_turn(rounds: int, *functions: Callable[[], object]) -> Any:
    """Time functions one after the other; shape (function, clock, round)."""
    for function in functions:
        function()  # compiles, and fills the caches
    return np.array(
        [[timed(function) for function in functions] for _ in range(rounds)]
    ).T.swapaxes(0, 1)


def print_ratio(label: str, theirs: Any, ours: Any) -> None:
    """Print both times, and how many of the one go into the other."""
    for clock, a, b in zip(("wall", "processor"), theirs, ours, strict=True):
        low, middle, high = np.percentile(a / b, [10, 50, 90])
        print(f"{label:34}{clock:>10}{1e3 * np.median(a):10.1f}{1e3 * np.median(b):8.1f}", end="")
        print(f"{middle:8.2f}  ({low:.2f} to {high:.2f})")
    sys.stdout.flush()


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "song.mp3")
        write_audio(path, np.tile(synthesise(STYLES[0], seconds=60.0), MINUTES))
        classifier = load()
        segment = load_segment(path)

        def ours() -> object:
            return classifier.classify(path)

        print(
            f"{'':34}{'clock':>10}{'theirs':>10}{'ours':>8}   ratio  (10th to 90th percentile), ms"
        )
        theirs, mine = in_turn(ROUNDS, lambda: usual_way(path, whole=False), ours)
        print_ratio("usual way, middle 10 s", theirs, mine)
        ratio = np.median(theirs[1] / mine[1])
        print(f"median ratio of {ROUNDS} rounds, processor time: {ratio:.1f} (aim: {AIM})")
        print_ratio(
            "usual way, whole song",
            *in_turn(WHOLE_ROUNDS, lambda: usual_way(path, whole=True), ours),
        )

        def least() -> None:
            load_segment(path)
            stft_power(segment.samples)

        mine, bound = in_turn(10 * ROUNDS, ours, least)
        print_ratio("classify / (decode + one STFT)", mine, bound)
        print_ratio(
            "librosa.load / ours",
            *in_turn(ROUNDS, lambda: librosa.load(path, sr=SAMPLE_RATE), ours),
        )
    print(f"{MINUTES}-minute mp3, {ROUNDS} rounds, Python {sys.version.split()[0]}", end="")
    print(f", librosa {version('librosa')}, Matplotlib {matplotlib.__version__}")


if __name__ == "__main__":
    main()
