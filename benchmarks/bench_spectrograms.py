"""librosa's time and ours for each of the four spectrograms of 10 s, side by side in one process.

All times are processor time, so what else the machine does counts for neither side; both sides run
on one thread (OPENBLAS_NUM_THREADS=1, set below before NumPy loads).
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import librosa
import numpy as np

from topgenre import hpss
from topgenre.audio import SAMPLE_RATE, SEGMENT_SECONDS, Segment
from topgenre.demo import STYLES, synthesise
from topgenre.spectrograms import compute, mel_project, network_input, onset_strength, stft_power

ROUNDS = 21


def seconds(function: Callable[[], object]) -> float:
    """Return the processor time of one call, of all threads together."""
    began = time.process_time()
    function()
    return time.process_time() - began


def print_pairs(pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]]) -> None:
    """Time both sides of each pair in turn, so that a busy moment hits both."""
    print(f"{'':34}{'librosa ms':>12}{'ours ms':>10}{'ratio':>8}{'  ratio, 10th-90th pct':>24}")
    for name, (theirs, ours) in pairs.items():
        theirs(), ours()
        times = np.array([(seconds(theirs), seconds(ours)) for _ in range(ROUNDS)])
        their_ms, our_ms = 1e3 * np.median(times, axis=0)
        low, ratio, high = np.percentile(times[:, 0] / times[:, 1], [10, 50, 90])
        print(f"{name:34}{their_ms:12.2f}{our_ms:10.2f}{ratio:7.1f}x{low:14.1f}-{high:.1f}x")


def print_stages(stages: dict[str, Callable[[], object]]) -> None:
    """Time each of our stages, all of them in turn."""
    print(f"\n{'stage, ours':34}{'ms':>12}{'10th-90th pct':>18}")
    times: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(ROUNDS):
        for name, stage in stages.items():
            times[name].append(1e3 * seconds(stage))
    for name, of_stage in times.items():
        low, middle, high = np.percentile(of_stage, [10, 50, 90])
        print(f"{name:34}{middle:12.2f}{low:11.2f}-{high:.2f}")


def main() -> None:
    """Print the tables."""
    samples = synthesise(STYLES[0], seconds=SEGMENT_SECONDS, sample_rate=SAMPLE_RATE).mean(0)
    samples = np.ascontiguousarray(samples, np.float32)
    segment = Segment(samples, 0.0, SEGMENT_SECONDS)
    spectrum = librosa.stft(samples)
    by_frame = stft_power(samples)
    full = np.ascontiguousarray(by_frame.T)
    stack = compute(segment)
    mel = mel_project(full)
    harmonic, percussive = np.empty_like(full), np.empty_like(full)
    copies = np.empty((3, *full.shape), np.float32)

    def our_masks() -> None:
        hpss.running_median(by_frame, out=harmonic.T)
        hpss.soft_masks(harmonic, hpss.running_median(full))

    def their_stack() -> None:
        d = librosa.stft(samples)
        for part in (d, *librosa.decompose.hpss(d)):
            np.abs(part) ** 2
        librosa.onset.onset_strength_multi(y=samples, sr=SAMPLE_RATE, channels=[0, 32, 64, 96, 128])

    print_pairs(
        {
            "full power": (lambda: np.abs(librosa.stft(samples)) ** 2, lambda: stft_power(samples)),
            "harmonic and percussive masks": (
                lambda: librosa.decompose.hpss(spectrum, mask=True),
                our_masks,
            ),
            "onset strength, from sound": (
                lambda: librosa.onset.onset_strength_multi(
                    y=samples, sr=SAMPLE_RATE, channels=[0, 32, 64, 96, 128]
                ),
                lambda: onset_strength(mel_project(stft_power(samples).T.copy())),
            ),
            "all four": (their_stack, lambda: compute(segment)),
        }
    )

    def floor() -> None:
        np.copyto(copies, stft_power(samples).T)

    print_stages(
        {
            "short-time Fourier transform": lambda: stft_power(samples),
            "frames to bins": lambda: np.ascontiguousarray(by_frame.T),
            "median along time": lambda: hpss.running_median(by_frame, out=harmonic.T),
            "median along frequency": lambda: hpss.running_median(full, out=percussive),
            "masks": lambda: hpss.share_power(full, harmonic, percussive),
            "mel projection": lambda: mel_project(full),
            "onset strength": lambda: onset_strength(mel),
            "all four": lambda: compute(segment),
            "the transform, written three times": floor,
            "network input from the four": lambda: network_input(stack),
        }
    )
    print(f"\n{ROUNDS} rounds, Python {sys.version.split()[0]}, NumPy {np.__version__}, ", end="")
    print(f"librosa {version('librosa')}")


if __name__ == "__main__":
    main()
