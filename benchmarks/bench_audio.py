"""Time and memory of `load_segment`, next to decoding the whole file.

The sounds are made in a temporary folder. Run with ``python benchmarks/bench_audio.py``.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import av
import numpy as np
from av.audio.stream import AudioStream

from topgenre.audio import load_segment

BLOCK_SECONDS = 10
# File name, container, codec, sample rate, bit rate, minutes.
SOUNDS = [
    ("4min.mp3", "mp3", "libmp3lame", 44_100, 192_000, 4),
    ("4min.flac", "flac", "flac", 44_100, None, 4),
    ("4min.ogg", "ogg", "libopus", 48_000, 128_000, 4),
    ("4min.m4a", "ipod", "aac", 44_100, 192_000, 4),
    ("2h.mp3", "mp3", "libmp3lame", 44_100, 192_000, 120),
]
LOAD = "from topgenre.audio import load_segment; load_segment({path!r})"
DECODE = "import av; c = av.open({path!r}); s = sum(f.samples for f in c.decode(audio=0))"
# On Linux, getrusage also counts what the parent held when it started the child.
PEAK = """
import pathlib, resource, sys
status = pathlib.Path("/proc/self/status")
if status.exists():
    print(status.read_text().split("VmHWM:")[1].split()[0])
else:
    kib = 1024 if sys.platform == "darwin" else 1
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // kib)
"""


def make(
    path: Path, container: str, codec: str, rate: int, bit_rate: int | None, minutes: int
) -> None:
    """Write noise with the same ten seconds again and again."""
    rng = np.random.default_rng(0)
    block = (0.1 * rng.standard_normal((2, BLOCK_SECONDS * rate))).astype(np.float32)
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, AudioStream)
        if bit_rate:
            stream.bit_rate = bit_rate
        for number in range(minutes * 60 // BLOCK_SECONDS):
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate = rate
            frame.pts = number * block.shape[1]
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def decode_all(path: str) -> None:
    """Decode without keeping anything."""
    with av.open(path, "r") as container:
        for _ in container.decode(audio=0):
            pass


def milliseconds(function: Callable[[str], object], path: str, repeats: int) -> float:
    """Give the median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(path)
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


def peak_mib(code: str, path: str) -> float:
    """Give the peak memory of a fresh process that runs the code."""
    program = f"{code.format(path=path)}\n{PEAK}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return int(done.stdout) / 1024


def main() -> None:
    """Print a line per sound."""
    print(f"{'':10} {'segment':>10} {'whole':>10} {'ratio':>7} {'peak memory: segment, whole':>30}")
    with tempfile.TemporaryDirectory() as folder:
        for name, container, codec, rate, bit_rate, minutes in SOUNDS:
            path = Path(folder) / name
            make(path, container, codec, rate, bit_rate, minutes)
            segment = milliseconds(load_segment, str(path), 11)
            whole = milliseconds(decode_all, str(path), 3 if minutes < 60 else 1)
            memory = [peak_mib(code, str(path)) for code in (LOAD, DECODE)]
            print(
                f"{name:10} {segment:7.0f} ms {whole:7.0f} ms {segment / whole:7.3f} "
                f"{memory[0]:18.0f} MiB {memory[1]:3.0f} MiB"
            )


if __name__ == "__main__":
    main()
