"""Read uncompressed WAV files without FFmpeg, which splits them into many packets.

FFmpeg reads everything else than plain PCM in RIFF or RF64.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.audio.frames import MAX_CHANNELS, RATES, Block, Mix, mixed, split
from topgenre.audio.source import Reader

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")
# By kind and bits of a sample: NumPy type, value of silence, full scale.
_TYPES = {
    (_PCM, 8): ("u1", 2.0**7, 2.0**7),
    (_PCM, 16): ("<i2", 0.0, 2.0**15),
    (_PCM, 24): ("<i4", 0.0, 2.0**31),  # three bytes, moved to the upper part of four
    (_PCM, 32): ("<i4", 0.0, 2.0**31),
    (_FLOAT, 32): ("<f4", 0.0, 1.0),
    (_FLOAT, 64): ("<f8", 0.0, 1.0),
}
_MOST_CHUNKS = 1000
_LONGEST_FORMAT = 1 << 10  # bytes
_UNKNOWN_SIZE = 0x7FFF0000  # programs that write to a pipe claim at least this size
_AT_ONCE = 1 << 20  # samples
# Compressed surround sound may be disguised as PCM; its packets begin with one of these.
_DISGUISED = (
    *(b"\xfe\x7f\x01\x80", b"\x7f\xfe\x80\x01", b"\xff\x1f\x00\xe8", b"\x1f\xff\xe8\x00"),  # DTS
    *(b"\x72\xf8\x1f\x4e", b"\xf8\x72\x4e\x1f"),  # IEC 61937
)
_DISGUISED_WITHIN = 1 << 18  # bytes


class _Format(NamedTuple):
    kind: int
    bits: int
    channels: int
    rate: int
    frame_bytes: int


class WavTrack:
    """The sound of an uncompressed WAV file; for its methods, see `Track`."""

    def __init__(self, file: Reader, form: _Format, begin: int, length: int, promised: int) -> None:
        self._file, self._form, self._begin = file, form, begin
        self._length = length  # samples per channel
        self._promised = promised

    @classmethod
    def of(cls, file: Reader) -> WavTrack | None:
        """Return the track of a file, or None if FFmpeg must read it."""
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return None
        form, begin, claimed, long_size = None, 0, 0, 0
        at = 12
        for _ in range(_MOST_CHUNKS):
            file.seek(at)
            head = file.read(8)
            if len(head) < 8:
                break
            kind, length = head[:4], int.from_bytes(head[4:], "little")
            if kind == b"data":
                if begin:
                    return None  # sound in several parts
                begin, claimed = at + 8, length
                if head[4:] == b"\xff\xff\xff\xff" and long_size:
                    claimed = length = long_size
                if length == 0:
                    break  # unknown: up to the end of the file
            elif kind == b"ds64":
                long_size = int.from_bytes(file.read(16)[8:16], "little")
            elif kind == b"fmt ":
                form = _format(file.read(min(length, _LONGEST_FORMAT)))
            at += 8 + length + length % 2
        if not form or not begin or form.rate not in RATES or form.channels > MAX_CHANNELS:
            return None
        if _is_disguised(file, form, begin):
            return None
        available = size - begin
        known = 0 < claimed < _UNKNOWN_SIZE or 0 < claimed <= available or claimed == long_size > 0
        length = min(claimed, available) if known else available
        promised = claimed if known else available
        return cls(file, form, begin, length // form.frame_bytes, promised // form.frame_bytes)

    def extent(self) -> tuple[Fraction, Fraction] | None:
        """Return the times of the first and last sample."""
        if not self._length:
            return None
        return Fraction(0), Fraction(self._length, self._form.rate)

    def shortfall(self, start: Fraction, end: Fraction) -> float:
        """Return by how many seconds the header exceeds the extent found."""
        return float(Fraction(self._promised, self._form.rate) - (end - start))

    def blocks(self, start: Fraction, end: Fraction, mix: Mix = Mix.MEAN) -> Iterator[Block]:
        """Read from `start` to `end`."""
        form = self._form
        first = max(0, int(start * form.rate))
        last = min(self._length, ceil(end * form.rate))
        at_once = max(1, _AT_ONCE // form.channels)
        dtype, middle, full_scale = _TYPES[form.kind, form.bits]
        for at in range(first, last, at_once):
            self._file.seek(self._begin + at * form.frame_bytes)
            data = self._file.read(min(at_once, last - at) * form.frame_bytes)
            data = data[: len(data) // form.frame_bytes * form.frame_bytes]
            sound = _widened(data) if form.bits == 24 else np.frombuffer(data, dtype)
            channels = split(sound, form.channels)
            yield Block(
                Fraction(at, form.rate), form.rate, mixed(channels, middle, full_scale, mix)
            )


def _format(chunk: bytes) -> _Format | None:
    if len(chunk) < 16:
        return None
    kind, channels = (int.from_bytes(chunk[i : i + 2], "little") for i in (0, 2))
    rate = int.from_bytes(chunk[4:8], "little")
    frame_bytes, bits = (int.from_bytes(chunk[i : i + 2], "little") for i in (12, 14))
    if kind == _EXTENSIBLE and chunk[26:40] == _SUBFORMAT_TAIL:
        kind = int.from_bytes(chunk[24:26], "little")
    if (kind, bits) not in _TYPES or not channels or frame_bytes != channels * bits // 8:
        return None
    return _Format(kind, bits, channels, rate, frame_bytes)


def _is_disguised(file: Reader, form: _Format, begin: int) -> bool:
    if (form.kind, form.bits) != (_PCM, 16):
        return False
    file.seek(begin)
    content = file.read(_DISGUISED_WITHIN)
    return any(mark in content for mark in _DISGUISED)


def _widened(data: bytes) -> NDArray[np.int32]:
    """Move samples of three bytes to the upper part of four."""
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0]
