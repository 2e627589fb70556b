"""Sound made by the tests, and files of every format around it."""

import io
import struct
from contextlib import suppress
from functools import cache
from typing import NamedTuple, cast

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Format(NamedTuple):
    """How PyAV writes a format, and the longest frame of its codec in samples."""

    container: str
    codec: str
    rate: int
    lossy_frame: int = 0  # 0 for lossless ones
    bit_rate: int | None = None


FORMATS = {
    "wav": Format("wav", "pcm_s16le", 44_100),
    "wav24": Format("wav", "pcm_s24le", 96_000),
    "wav-float": Format("wav", "pcm_f32le", 22_050),
    "wav-u8": Format("wav", "pcm_u8", 11_025),
    "wav-double": Format("wav", "pcm_f64le", 48_000),
    "flac": Format("flac", "flac", 48_000),
    "aiff": Format("aiff", "pcm_s16be", 44_100),
    "au": Format("au", "pcm_s16be", 32_000),
    "alac": Format("ipod", "alac", 44_100),
    "mp3": Format("mp3", "libmp3lame", 44_100, 1152, 96_000),
    "mp3-low": Format("mp3", "libmp3lame", 16_000, 576, 24_000),
    "vorbis": Format("ogg", "vorbis", 44_100, 2048),
    "opus": Format("ogg", "libopus", 48_000, 960),
    "m4a": Format("ipod", "aac", 44_100, 1024, 96_000),
    "aac": Format("adts", "aac", 48_000, 1024, 96_000),
    "wma": Format("asf", "wmav2", 44_100, 2048, 96_000),
    "webm": Format("webm", "libopus", 48_000, 960),
    "mkv": Format("matroska", "flac", 44_100, 1024),  # its clock counts milliseconds
    "mpegts": Format("mpegts", "aac", 44_100, 1024, 96_000),
}


def noise(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> Floats:
    """Low-passed noise, shape (channels, n): no two moments of it are alike."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    at = np.arange(n) * 2_000 / rate
    coarse = rng.uniform(-0.6, 0.6, (channels, int(at[-1]) + 2 if n else 1))
    grid = np.arange(coarse.shape[1])
    return np.stack([np.interp(at, grid, row) for row in coarse]).astype(np.float32)


class Pipe(io.BytesIO):
    """A stream that can only be read, or written, from one end to the other."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0) -> int:
        raise io.UnsupportedOperation("seek")


def encode(
    samples: Floats,
    rate: int,
    container: str,
    codec: str,
    bit_rate: int | None = None,
    *,
    options: dict[str, str] | None = None,
    streamed: bool = False,
    start: int = 0,
) -> bytes:
    """Write samples of shape (channels, n) as a file whose clock begins at `start` seconds."""
    file = Pipe() if streamed else io.BytesIO()
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
    with av.open(file, "w", format=container, options=options) as output:
        stream = cast(AudioStream, output.add_stream(codec, rate=rate, layout=layout))
        stream.codec_context.options = {"strict": "experimental"}  # the Vorbis encoder wants it
        if bit_rate:
            stream.bit_rate = bit_rate
        for at in range(0, samples.shape[1], rate):
            block = np.ascontiguousarray(samples[:, at : at + rate])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate = rate
            frame.pts = start * rate + at
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def dsd(samples: Floats, rate: int = 2_822_400) -> bytes:
    """Write samples of shape (n,) as a DSF file: single bits that are set as often as each says."""
    bits = np.random.default_rng(0).random(len(samples)) < (samples + 1) / 2
    block = 4096  # bytes
    data = np.packbits(np.pad(bits, (0, -len(bits) % (8 * block))), bitorder="little").tobytes()
    form = struct.pack("<4sQIIIIIIQII", b"fmt ", 52, 1, 0, 1, 1, rate, 1, len(samples), block, 0)
    body = form + struct.pack("<4sQ", b"data", 12 + len(data)) + data
    return struct.pack("<4sQQQ", b"DSD ", 28, 28 + len(body), 0) + body


@cache
def sample(name: str, seconds: float = 31.3, channels: int = 2) -> bytes:
    """Give a file of one of `FORMATS`, made once."""
    form = FORMATS[name]
    sound = noise(seconds, form.rate, channels)
    return encode(sound, form.rate, form.container, form.codec, form.bit_rate)


def full_decode(data: bytes) -> Floats:
    """Decode all packets that can be, without any seeking, to mono at 22 050 Hz."""
    blocks = []
    with av.open(io.BytesIO(data), "r") as container:
        for packet in container.demux(audio=0):
            with suppress(av.error.InvalidDataError):
                for frame in packet.decode():
                    assert isinstance(frame, AudioFrame)
                    block = frame.to_ndarray()
                    if not frame.format.is_planar:
                        block = block.reshape(-1, frame.layout.nb_channels).T
                    scale = {"u1": 2.0**7, "i2": 2.0**15, "i4": 2.0**31}.get(block.dtype.str[1:], 1)
                    zero = 128.0 if block.dtype == np.uint8 else 0.0
                    blocks.append((block.astype(np.float64).mean(axis=0) - zero) / scale)
                    rate = frame.sample_rate
    mono = np.concatenate(blocks).astype(np.float32)
    return mono if rate == 22_050 else np.asarray(soxr.resample(mono, rate, 22_050), np.float32)


def middle(sound: Floats, length: int = 220_500) -> Floats:
    """Cut the middle out of a whole sound."""
    begin = max(0, len(sound) - length) // 2
    return sound[begin : begin + length]


def shift_between(a: Floats, b: Floats) -> tuple[int, float]:
    """Give the shift of `a` against `b` in samples, and how well they then agree (1.0: equal)."""
    n = max(len(a), len(b))
    size = 1 << (2 * n - 1).bit_length()
    product = np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size))
    correlation = np.fft.irfft(product)
    peak = int(np.argmax(correlation))
    agreement = correlation[peak] / (np.linalg.norm(a) * np.linalg.norm(b))
    return (peak - size if peak > size // 2 else peak), float(agreement)
