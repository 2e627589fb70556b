"""Read sound from a pipe as mono blocks at 22 050 Hz."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from topgenre.audio.frames import MAX_CHANNELS, RATES, Samples
from topgenre.audio.segment import SAMPLE_RATE
from topgenre.errors import NotAudioError

_BLOCK = 0.25  # s to read at once
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_MAX_AMPLITUDE = 1_000.0  # larger ones are damage
_LARGEST_CHUNK = 1 << 20  # bytes before the sound
_HELP = "pipe WAV, as `ffmpeg -i … -f wav -` writes it"


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """Format of uncompressed sound.

    Attributes
    ----------
    rate : int
        Samples per second.
    channels : int
    width : {1, 2, 3, 4, 8}
        Bytes per sample, little-endian. Integers of one byte are unsigned, others signed.
    is_float : bool
    """

    rate: int
    channels: int = 1
    width: int = 2
    is_float: bool = False

    def mono(self, data: bytes) -> Samples:
        """Average the channels of whole frames; full scale becomes 1.0."""
        values: NDArray[np.float64]
        if self.is_float:
            values = np.frombuffer(data, f"<f{self.width}").astype(np.float64)
        elif self.width == 1:
            values = (np.frombuffer(data, np.uint8) - 128.0) / 128
        else:
            # Move the bytes to the upper part of four.
            padded = np.zeros((len(data) // self.width, 4), np.uint8)
            padded[:, 4 - self.width :] = np.frombuffer(data, np.uint8).reshape(-1, self.width)
            values = padded.view("<i4")[:, 0] / 2.0**31
        bad = ~(np.abs(values) <= _MAX_AMPLITUDE)  # also true for NaN
        frames = np.where(bad, 0, values).reshape(-1, self.channels)
        mixed: Samples = frames.mean(axis=1).astype(np.float32)
        return mixed


def read_wav_header(stream: BinaryIO, label: str) -> PcmFormat:
    """Read a WAV header up to the samples.

    Parameters
    ----------
    stream : binary file
        Need not be seekable. The sizes in its header are ignored: a program that writes to a pipe
        cannot know them.
    label : str
        Name of the stream in errors.

    Raises
    ------
    NotAudioError
        If the stream does not begin with the header of uncompressed sound.
    """
    head = stream.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        found = "it is empty" if not head else "it is not WAV"
        raise NotAudioError(f"{label}: {found}; {_HELP}, or give --rate for raw samples.")
    layout: PcmFormat | None = None
    while len(chunk := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            break
        if size > _LARGEST_CHUNK:
            break
        body = stream.read(size + size % 2)
        if name == b"fmt ":
            layout = _format(body)
    if layout is None:
        raise NotAudioError(f"{label}: its sound is compressed or damaged; {_HELP}.")
    return layout


def _format(body: bytes) -> PcmFormat | None:
    if len(body) < 16:
        return None
    kind, channels, rate, _, frame, _ = struct.unpack("<HHIIHH", body[:16])
    if kind == _EXTENSIBLE and len(body) >= 26:
        (kind,) = struct.unpack("<H", body[24:26])
    widths = {_PCM: (1, 2, 3, 4), _FLOAT: (4, 8)}.get(kind, ())
    if rate not in RATES or not 1 <= channels <= MAX_CHANNELS or frame % channels:
        return None
    width = frame // channels
    return PcmFormat(rate, channels, width, kind == _FLOAT) if width in widths else None


def blocks(stream: BinaryIO, layout: PcmFormat) -> Iterator[Samples]:
    """Read sound until the stream ends.

    Yields
    ------
    ndarray of float32, shape (n,)
        Mono at 22 050 Hz, about a quarter of a second each.
    """
    frame = layout.channels * layout.width
    resampler = soxr.ResampleStream(layout.rate, SAMPLE_RATE, 1, quality="HQ")
    while data := stream.read(round(_BLOCK * layout.rate) * frame):
        sound = layout.mono(data[: len(data) - len(data) % frame])
        if layout.rate != SAMPLE_RATE:
            sound = resampler.resample_chunk(sound)
        if len(sound):
            yield sound
