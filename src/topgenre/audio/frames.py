"""Collect decoded frames and mix them down in a few large steps."""

from __future__ import annotations

from enum import Enum
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.plane import AudioPlane
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATES = range(2_000, 768_001)  # supported sample rates in Hz
MAX_CHANNELS = 64

# FFmpeg's sample formats, without the "p" of planar ones: type, value of silence, full scale.
_FORMATS: dict[str, tuple[str, float, float]] = {
    "u8": ("u1", 2.0**7, 2.0**7),
    "s16": ("i2", 0.0, 2.0**15),
    "s32": ("i4", 0.0, 2.0**31),
    "s64": ("i8", 0.0, 2.0**63),
    "flt": ("f4", 0.0, 1.0),
    "dbl": ("f8", 0.0, 1.0),
}
_ENOUGH = 1 << 20  # bytes to mix at once: they stay in the caches


class Mix(Enum):
    """Ways to mix several channels into one.

    `MEAN` averages them. `SIDE` takes half the difference of the first two, which keeps the sound
    of channels that cancel each other. `PEAK` takes the loudest at each moment, so it is silent
    only if all channels are.
    """

    MEAN = 1
    SIDE = 2
    PEAK = 3


class Block(NamedTuple):
    """A block of decoded sound.

    Attributes
    ----------
    time : Fraction
        Start in seconds.
    rate : int
        Samples per second.
    samples : ndarray of float32, shape (n,)
    """

    time: Fraction
    rate: int
    samples: Samples


class Pile:
    """Frames of one sample format that follow each other without a gap.

    Parameters
    ----------
    time : Fraction
        Start of the first frame in seconds.
    frame : AudioFrame
        The first frame; `add` must still be called with it.

    Attributes
    ----------
    rate : int
        Samples per second.
    length : int
        Samples per channel.
    """

    def __init__(self, time: Fraction, frame: AudioFrame) -> None:
        self.time = time
        self.rate = frame.sample_rate
        self.length = 0
        self._format = frame.format.name
        self._channels = frame.layout.nb_channels
        name = self._format.removesuffix("p")
        self._type, self._middle, self._full_scale = _FORMATS[name]
        self._planar = frame.format.is_planar
        planes, interleaved = (self._channels, 1) if self._planar else (1, self._channels)
        self._planes: list[list[memoryview]] = [[] for _ in range(planes)]
        self._frame_bytes = interleaved * np.dtype(self._type).itemsize

    def takes(self, frame: AudioFrame) -> bool:
        """Return whether a frame has the same sample format, and fits."""
        return (
            frame.format.name == self._format
            and frame.sample_rate == self.rate
            and frame.layout.nb_channels == self._channels
            and self.length * self._frame_bytes * len(self._planes) < _ENOUGH
        )

    def add(self, frame: AudioFrame) -> int:
        """Add the frame that follows, and return its samples per channel."""
        n_samples = frame.samples
        size = n_samples * self._frame_bytes
        # Not `frame.planes`, which looks for planes beyond the last of more than eight.
        for number, plane in enumerate(self._planes):
            content = memoryview(AudioPlane(frame, number))
            plane.append(content if len(content) == size else content[:size])
        self.length += n_samples
        return n_samples

    def mixed(self, mix: Mix) -> Block:
        """Mix down all frames; full scale becomes 1.0."""
        planes = [np.frombuffer(b"".join(plane), self._type) for plane in self._planes]
        channels = planes if self._planar else split(planes[0], self._channels)
        return Block(self.time, self.rate, mixed(channels, self._middle, self._full_scale, mix))


@cache
def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next call.

    glibc returns the end of its heap to the system once more than twice the largest block ever
    freed is idle there. That is less than one call uses, so each call would request the same 2000
    pages again, which takes up to as long as the work on them. Allocating and freeing one larger
    block, which is never touched, raises the threshold.
    """
    np.empty(16 << 20, np.uint8)


def split(interleaved: NDArray[np.generic], n_channels: int) -> list[NDArray[np.generic]]:
    """Return each channel of interleaved samples."""
    return [interleaved[channel::n_channels] for channel in range(n_channels)]


@np.errstate(over="ignore", invalid="ignore")  # infinite samples are removed later
def mixed(
    channels: list[NDArray[np.generic]], middle: float, full_scale: float, mix: Mix
) -> Samples:
    """Mix channels down.

    Parameters
    ----------
    channels : list of ndarray, shape (n,)
    middle, full_scale : float
        The value of silence, and the distance of full scale from it.
    mix : Mix

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    sound = channels[0].astype(np.float32)
    shift = middle / full_scale
    if mix is Mix.SIDE and len(channels) > 1:
        np.subtract(sound, channels[1], out=sound, dtype=np.float32, casting="unsafe")
        sound *= np.float32(1 / (2 * full_scale))
        return sound
    if mix is Mix.PEAK:
        for channel in channels[1:]:
            other = channel.astype(np.float32)
            np.copyto(sound, other, where=np.abs(other - middle) > np.abs(sound - middle))
        sound *= np.float32(1 / full_scale)
    else:
        for channel in channels[1:]:
            np.add(sound, channel, out=sound, dtype=np.float32, casting="unsafe")
        scale = np.float32(1 / (len(channels) * full_scale))
        if scale != 1.0:
            sound *= scale
    if shift:
        sound -= np.float32(shift)
    return sound
