"""Whole-process time and peak memory of `topgenre classify`, beside a librosa HPSS process.

Each command runs in a process of its own, in turn; the median of a few rounds counts. The reference
process only imports librosa, decodes 10 s of WAV and computes its HPSS once. Both find their
bytecode compiled, as after an installation.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench_audio import repeat
from topgenre.audio import SAMPLE_RATE, load_segment
from topgenre.classifier import load
from topgenre.demo import STYLES, synthesise, write_audio
from topgenre.spectrograms import compute, network_input, stft_power

ROUNDS = 9
TOPGENRE = [sys.executable, "-m", "topgenre"]
REFERENCE = """
import sys, librosa
samples, _ = librosa.load(sys.argv[1], sr=22050)
librosa.decompose.hpss(librosa.stft(samples))
"""


def run(command: list[str]) -> tuple[float, float, float]:
    """Return the seconds, processor seconds and peak megabytes of a process."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def print_processes(commands: dict[str, list[str]]) -> None:
    """Print the medians of each process, and its share of the first one's time."""
    for command in commands.values():
        run(command)  # compiles, and has the system keep the files in memory
    rounds = [[run(command) for command in commands.values()] for _ in range(ROUNDS)]
    found = np.array(rounds)  # rounds, commands, figures
    ratios = found[:, :, :2] / found[:, :1, :2]
    print(
        f"{'process, cold':44}{'wall s':>8}{'cpu s':>8}{'peak MB':>9}{'wall ratio':>20}{'cpu':>8}"
    )
    for number, name in enumerate(commands):
        wall, processor, memory = np.median(found[:, number], axis=0)
        low, ratio, high = np.percentile(ratios[:, number, 0], [10, 50, 90])
        cpu_ratio = np.median(ratios[:, number, 1])
        spread = f"{ratio:.3f} ({low:.2f}-{high:.2f})"
        print(f"{name:44}{wall:8.2f}{processor:8.2f}{memory:9.0f}{spread:>20}{cpu_ratio:8.3f}")


def median_ms(function: object, *arguments: object) -> float:
    """Return the median milliseconds of a warm call."""
    times = []
    for _ in range(15):
        began = time.perf_counter()
        function(*arguments)  # type: ignore[operator]
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


def write_songs(folder: Path) -> None:
    """Write what is to be classified."""
    song = synthesise(STYLES[0], seconds=60.0)
    write_audio(folder / "song.mp3", np.tile(song, 4))
    repeat(folder / "song.mp3", folder / "long.mp3", 30)
    write_audio(folder / "excerpt.wav", song[:, : 10 * 44_100])


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # In a process of its own: what this one has held would count as its children's memory.
        writer = multiprocessing.get_context("spawn").Process(target=write_songs, args=(folder,))
        writer.start()
        writer.join()
        files = {"4-minute mp3": folder / "song.mp3", "2-hour mp3": folder / "long.mp3"}
        excerpt = folder / "excerpt.wav"

        print_processes(
            {
                "python: import librosa, hpss of 10 s": [
                    sys.executable,
                    "-c",
                    REFERENCE,
                    str(excerpt),
                ]
            }
            | {
                f"topgenre classify, {label}": [*TOPGENRE, "classify", str(path)]
                for label, path in files.items()
            }
        )

        classifier = load()
        print(f"\n{'stage, warm, 4-minute mp3':44}{'ms':>9}")
        path = files["4-minute mp3"]
        segment = load_segment(path)
        stack = compute(segment)
        inputs = network_input(stack)[None]
        for label, ms in {
            "decode the middle 10 s": median_ms(load_segment, path),
            "one STFT (for scale)": median_ms(stft_power, segment.samples),
            "four spectrograms": median_ms(compute, segment),
            "network input": median_ms(network_input, stack),
            "network": median_ms(classifier.predict, inputs),
            "classify(path)": median_ms(classifier.classify, path),
        }.items():
            print(f"{label:44}{ms:9.1f}")
        print(f"sample rate {SAMPLE_RATE} Hz, {ROUNDS} rounds, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
