"""Find the frames of an MP3 file without FFmpeg, which reads each of them twice.

This handles only files with consecutive frames of one kind; there the times of all frames are as
certain as if each had been decoded. FFmpeg reads all other files.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import NamedTuple

import av
from av.audio.codeccontext import AudioCodecContext

from topgenre.audio.frames import Block, Mix, Pile
from topgenre.audio.source import Reader, id3_length

_BIT_RATES = {  # kbit/s by MPEG version: 1, and 2 or 2.5
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
_SAMPLE_RATES = (44_100, 48_000, 32_000)
_READ_BYTES = 1 << 18
_HEADER = 4  # bytes
_LEAST_FRAMES = 64
_APE_BYTES, _ID3V1_BYTES = 32, 128  # the header of an APE tag, and an ID3v1 tag
_DECODER_DELAY = 529  # samples
_ERRORS = (av.error.FFmpegError, ValueError, RuntimeError, ArithmeticError, LookupError)


class _Kind(NamedTuple):
    """Properties that all frames share."""

    mark: int  # second byte without the lowest bit
    code: int  # code of the sample rate, in the third byte
    rate: int
    samples: int  # per frame
    sizes: list[int]  # bytes per frame, by its third byte; 0 if impossible
    mono: bool


class Mp3Track:
    """The sound of a simple MP3 file; for its methods, see `Track`."""

    def __init__(
        self, file: Reader, kind: _Kind, frames: list[int], first: int, after: int
    ) -> None:
        self._file, self._kind, self._frames = file, kind, frames
        self._first, self._after = first, after  # range of samples without padding

    @classmethod
    def of(cls, file: Reader) -> Mp3Track | None:
        """Return the track of a file, or None if FFmpeg must read it."""
        file.seek(0)
        begin = id3_length(file.read(10))
        file.seek(begin)
        head = file.read(2048)
        kind = _kind(head[:4])
        if kind is None:
            return None
        frames = _chain(file, begin, kind)
        if frames is None:
            return None
        n_frames = len(frames) - 1
        info = head[: frames[1] - begin]
        first, after = 0, n_frames * kind.samples
        if b"VBRI" in info[36:40]:
            return None
        at = 4 + _side_bytes(kind)
        if info[at : at + 4] in (b"Xing", b"Info"):
            gap = _padding(info[at:], n_frames - 1)
            if gap is None:
                return None
            frames = frames[1:]
            after = (n_frames - 1) * kind.samples
            first, end_padding = gap[0] + _DECODER_DELAY, gap[1] - _DECODER_DELAY
            after -= max(0, end_padding)
        return cls(file, kind, frames, first, after) if after > first else None

    def extent(self) -> tuple[Fraction, Fraction] | None:
        """Return the times of the first and last sample."""
        rate = self._kind.rate
        return Fraction(self._first, rate), Fraction(self._after, rate)

    def shortfall(self, start: Fraction, end: Fraction) -> float:
        """Return 0.0: no header is trusted here."""
        return 0.0

    def blocks(self, start: Fraction, end: Fraction, mix: Mix = Mix.MEAN) -> Iterator[Block]:
        """Decode from `start` to `end`, and a little more on both sides."""
        rate, length = self._kind.rate, self._kind.samples
        first = max(0, int(start * rate) // length)
        last = min(len(self._frames) - 1, ceil(end * rate / length) + 1)
        decoder = av.CodecContext.create("mp3float", "r")
        assert isinstance(decoder, AudioCodecContext)
        begin = self._frames[first]
        self._file.seek(begin)
        data = self._file.read(self._frames[last] - begin)
        offsets = [offset - begin for offset in self._frames[first : last + 1]]
        pile: Pile | None = None
        for number in range(last - first):
            packet = av.Packet(data[offsets[number] : offsets[number + 1]])
            try:
                decoded = decoder.decode(packet)
            except _ERRORS:
                decoded = []
            if len(decoded) != 1 or decoded[0].samples != length:
                if pile:
                    yield self._cut(pile.mixed(mix))
                pile = None
                continue
            frame = decoded[0]
            if pile is None or not pile.takes(frame):
                if pile:
                    yield self._cut(pile.mixed(mix))
                pile = Pile(Fraction((first + number) * length, rate), frame)
            pile.add(frame)
        if pile:
            yield self._cut(pile.mixed(mix))

    def _cut(self, block: Block) -> Block:
        """Remove padding from a block."""
        at = int(block.time * block.rate)
        skip = max(0, self._first - at)
        samples = block.samples[skip : max(0, self._after - at)]
        return Block(Fraction(at + skip, block.rate), block.rate, samples)


def _kind(head: bytes) -> _Kind | None:
    """Return the kind of a Layer III frame by its header, or None."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2 or head[1] & 0x18 == 0x08:
        return None
    code = head[2] >> 2 & 3
    if code == 3:
        return None
    version = head[1] >> 3 & 3  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    rate = _SAMPLE_RATES[code] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 1152 if version == 3 else 576
    sizes = [0] * 256
    for third in range(256):
        bit_rate = _BIT_RATES[1 if version == 3 else 2][third >> 4]
        if bit_rate and third >> 2 & 3 == code:
            sizes[third] = samples // 8 * bit_rate * 1000 // rate + (third >> 1 & 1)
    return _Kind(head[1] & 0xFE, code, rate, samples, sizes, mono=head[3] >> 6 == 3)


def _chain(file: Reader, begin: int, kind: _Kind) -> list[int] | None:
    """Return the offsets of all frames and the end, or None if there are gaps."""
    chain: list[int] = []
    mark, sizes = kind.mark, kind.sizes
    end = begin
    more = True
    while more:
        file.seek(end)
        block = file.read(_READ_BYTES)
        at, last, more = 0, len(block) - _HEADER, False
        while at <= last and block[at] == 0xFF and block[at + 1] & 0xFE == mark:
            size = sizes[block[at + 2]]
            if not size:
                break
            chain.append(end + at)
            at += size
            more = at > last
        end += at
    if len(chain) < _LEAST_FRAMES or not _ends_at(file, end):
        return None
    chain.append(end)
    return chain


def _ends_at(file: Reader, end: int) -> bool:
    """Return whether only an APE tag and an ID3v1 tag follow."""
    left = file.seek(0, 2) - end
    file.seek(end)
    head = file.read(_APE_BYTES)
    if head.startswith(b"APETAGEX") and len(head) == _APE_BYTES:
        left -= int.from_bytes(head[12:16], "little") + _APE_BYTES
    return left == 0 or left == _ID3V1_BYTES


def _side_bytes(kind: _Kind) -> int:
    if kind.samples == 1152:
        return 17 if kind.mono else 32
    return 9 if kind.mono else 17


def _padding(info: bytes, n_frames: int) -> tuple[int, int] | None:
    """Return the encoder's padding in samples, at the start and at the end.

    None if the header frame does not count `n_frames` or lacks the padding.
    """
    flags = int.from_bytes(info[4:8], "big")
    if not flags & 1 or int.from_bytes(info[8:12], "big") != n_frames:
        return None
    at = 12 + (4 if flags & 2 else 0) + (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
    delays = info[at + 21 : at + 24]
    if len(delays) < 3:
        return None
    both = int.from_bytes(delays, "big")
    return both >> 12, both & 0xFFF
