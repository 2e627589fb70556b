"""Time and memory of `load_segment`, beside the bare codec and beside decoding the whole file.

The bare codec decodes the same stretch of packets, which lie ready in memory. No program that
decodes with FFmpeg can be faster. Times are processor time, both sides in turn.

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
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream

from topgenre.audio import load_segment

BLOCK_SECONDS = 10
MINUTES = 4
# File name, container, codec, sample rate, bit rate.
SOUNDS = [
    ("4min.wav", "wav", "pcm_s16le", 44_100, None),
    ("4min.mp3", "mp3", "libmp3lame", 44_100, 192_000),
    ("4min.flac", "flac", "flac", 44_100, None),
    ("4min.ogg", "ogg", "vorbis", 44_100, 160_000),
    ("4min.opus", "ogg", "libopus", 48_000, 128_000),
    ("4min.m4a", "ipod", "aac", 44_100, 192_000),
]
LONG = ("2h.mp3", "4min.mp3", 30)  # another file, so many times
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


def make(path: Path, container: str, codec: str, rate: int, bit_rate: int | None) -> None:
    """Write noise with the same ten seconds again and again."""
    rng = np.random.default_rng(0)
    block = (0.1 * rng.standard_normal((2, BLOCK_SECONDS * rate))).astype(np.float32)
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, AudioStream)
        stream.codec_context.options = {"strict": "experimental"}  # the Vorbis encoder wants it
        if bit_rate:
            stream.bit_rate = bit_rate
        for number in range(MINUTES * 60 // BLOCK_SECONDS):
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate = rate
            frame.pts = number * block.shape[1]
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def repeat(source: Path, target: Path, times: int) -> None:
    """Repeat the packets of a file, which is much faster than encoding them."""
    with av.open(str(source), "r") as read, av.open(str(target), "w") as written:
        stream = read.streams.audio[0]
        copied = written.add_stream_from_template(stream)
        packets = [packet for packet in read.demux(stream) if packet.size]
        ticks = sum(packet.duration or 0 for packet in packets)
        for number in range(times):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                copy.stream, copy.time_base = copied, packet.time_base
                copy.pts = copy.dts = (packet.pts or 0) + number * ticks
                copy.duration = packet.duration
                written.mux(copy)


def decode_all(path: str) -> None:
    """Decode without keeping anything."""
    with av.open(path, "r") as container:
        for _ in container.decode(audio=0):
            pass


def bare_codec(path: str) -> Callable[[str], object]:
    """Give a function that decodes the middle 10 s and their lead, and does nothing else."""
    with av.open(path, "r") as container:
        stream = container.streams.audio[0]
        assert stream.time_base is not None
        assert container.duration is not None
        begin = container.duration / av.time_base / 2 - 5.5
        container.seek(int(begin / stream.time_base), stream=stream)
        packets = []
        for packet in container.demux(stream):
            if packet.pts is None or packet.pts * stream.time_base > begin + 10.6:
                break
            packets.append(packet)
        name, extra = stream.codec_context.name, stream.codec_context.extradata
        layout = stream.codec_context.layout

    def decode(_: str) -> None:
        codec = av.CodecContext.create(name, "r")
        assert isinstance(codec, AudioCodecContext)
        codec.extradata, codec.layout = extra, layout
        codec.sample_rate = stream.rate
        for packet in packets:
            codec.decode(packet)

    return decode


def milliseconds(path: str, repeats: int, *functions: Callable[[str], object]) -> list[float]:
    """Give the median processor time of each function, called in turn."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, of_one in zip(functions, times, strict=True):
            start = time.process_time()
            function(path)
            of_one.append(time.process_time() - start)
    return [1000 * median(of_one) for of_one in times]


def peak_mib(code: str, path: str) -> float:
    """Give the peak memory of a fresh process that runs the code."""
    program = f"{code.format(path=path)}\n{PEAK}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return int(done.stdout) / 1024


def main() -> None:
    """Print a line per sound."""
    print(f"{'':10} {'segment':>10} {'codec':>10} {'whole':>10} {'peak: segment, whole':>26}")
    with tempfile.TemporaryDirectory() as folder:
        for name, container, codec, rate, bit_rate in SOUNDS:
            make(Path(folder) / name, container, codec, rate, bit_rate)
        long, shorter, times = LONG
        repeat(Path(folder) / shorter, Path(folder) / long, times)
        for path in sorted(Path(folder).iterdir()):
            segment, codec_alone = milliseconds(str(path), 21, load_segment, bare_codec(str(path)))
            (whole,) = milliseconds(str(path), 1 if path.name == long else 3, decode_all)
            memory = [peak_mib(code, str(path)) for code in (LOAD, DECODE)]
            print(
                f"{path.name:10} {segment:7.1f} ms {codec_alone:7.1f} ms {whole:7.0f} ms "
                f"{memory[0]:18.0f} MiB {memory[1]:3.0f} MiB"
            )


if __name__ == "__main__":
    main()
