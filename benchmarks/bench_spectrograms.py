"""librosa's time and ours for each of the four spectrograms of 10 s, side by side in one process.

Run with one BLAS thread on both sides: OPENBLAS_NUM_THREADS=1 (set below before NumPy loads).
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable

import librosa
import numpy as np

from topgenre import hpss
from topgenre.audio import SAMPLE_RATE, SEGMENT_SECONDS, Segment
from topgenre.demo import STYLES, synthesise
from topgenre.spectrograms import compute, mel_project, network_input, onset_strength, stft_power

ROUNDS = 15


def time_pairs(pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]]) -> None:
    """Time both sides of each pair in turn, so that a busy moment hits both."""
    print(f"{'':34}{'librosa ms':>12}{'ours ms':>10}{'ratio':>8}{'  ratio, 10th-90th pct':>24}")
    for name, (theirs, ours) in pairs.items():
        theirs(), ours()
        seconds: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            theirs()
            between = time.perf_counter()
            ours()
            seconds.append((between - began, time.perf_counter() - between))
        ratios = sorted(a / b for a, b in seconds)
        low, high = np.percentile(ratios, [10, 90])
        print(
            f"{name:34}{1e3 * statistics.median(a for a, _ in seconds):12.2f}"
            f"{1e3 * statistics.median(b for _, b in seconds):10.2f}"
            f"{statistics.median(ratios):7.1f}x{low:14.1f}-{high:.1f}x"
        )


def main() -> None:
    """Print the table."""
    samples = synthesise(STYLES[0], seconds=SEGMENT_SECONDS, sample_rate=SAMPLE_RATE).mean(0)
    samples = np.ascontiguousarray(samples, np.float32)
    segment = Segment(samples, 0.0, SEGMENT_SECONDS)
    spectrum = librosa.stft(samples)
    by_frame = stft_power(samples)
    by_bin = np.ascontiguousarray(by_frame.T)
    magnitude, transposed = np.sqrt(by_bin), np.sqrt(by_frame)

    def our_hpss() -> None:
        harmonic = np.ascontiguousarray(hpss.running_median(transposed).T)
        hpss.soft_masks(harmonic, hpss.running_median(magnitude))

    def their_stack() -> None:
        d = librosa.stft(samples)
        for part in (d, *librosa.decompose.hpss(d)):
            np.abs(part) ** 2
        librosa.onset.onset_strength_multi(y=samples, sr=SAMPLE_RATE, channels=[0, 32, 64, 96, 128])

    time_pairs(
        {
            "full power": (lambda: np.abs(librosa.stft(samples)) ** 2, lambda: stft_power(samples)),
            "harmonic and percussive masks": (
                lambda: librosa.decompose.hpss(spectrum, mask=True),
                our_hpss,
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
    stack = compute(segment)
    began = time.perf_counter()
    for _ in range(ROUNDS):
        network_input(stack)
    print(f"{'network input from the four':46}{1e3 * (time.perf_counter() - began) / ROUNDS:10.2f}")


if __name__ == "__main__":
    main()
