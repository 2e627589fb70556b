"""The audio stream of a source: how long it is, and what it holds from one time to another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NoReturn

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.plane import AudioPlane
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard
from numpy.typing import NDArray

from topgenre.audio.source import Reader
from topgenre.errors import DamagedAudioError, NoAudioStreamError, NotAudioError

# The demuxers of sound and of video with sound. Playlists, scripts and image sequences, which
# would make FFmpeg open further files or the network, are left out on purpose.
_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,loas,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "ogg,tak,tta,voc,w64,wav,wv"
)
# Demuxers whose duration is estimated from the bit rate, or counts more than the sound.
_CLAIMS_NOTHING = {"aac", "ac3", "amr", "asf", "eac3", "loas", "mp3"}
_SIGNATURES = (
    *(b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b".snd", b"\x1aE\xdf\xa3", b"caff"),
    *(b"0&\xb2u", b"\xff\xf1", b"\xff\xf9", b"\xff\xfa", b"\xff\xfb", b"\xff\xf3"),
)
_READ_BYTES = 1 << 16
_RATES = range(2_000, 768_001)  # Hz
_MAX_CHANNELS = 64
JITTER = Fraction(1, 10)  # s by which time stamps may differ from the count of samples
_HEAD_PACKETS = _TAIL_PACKETS = 32

# Sample formats of FFmpeg without the "p" of the planar ones: type, middle, full scale.
_FORMATS: dict[str, tuple[type[np.number], float, float]] = {
    "u8": (np.uint8, 2.0**7, 2.0**7),
    "s16": (np.int16, 0.0, 2.0**15),
    "s32": (np.int32, 0.0, 2.0**31),
    "s64": (np.int64, 0.0, 2.0**63),
    "flt": (np.float32, 0.0, 1.0),
    "dbl": (np.float64, 0.0, 1.0),
}

# What FFmpeg and NumPy may raise over bytes that make no sense.
DECODING_ERRORS = (
    FFmpegError,
    ArithmeticError,
    LookupError,
    MemoryError,
    RuntimeError,
    ValueError,
)

Samples = NDArray[np.float32]


def refuse(file: Reader, label: str) -> NoReturn:
    """Say whether the bytes look like damaged sound or like something else."""
    file.seek(0)
    head = file.read(16)
    if head.startswith(_SIGNATURES) or head[4:8] in (b"ftyp", b"moov"):
        raise DamagedAudioError(
            f"{label}: nothing of the sound can be decoded; get a fresh copy of the file."
        )
    raise NotAudioError(
        f"{label}: this is in no known audio or video format; choose a file that holds sound."
    )


def _open_no_other(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise ValueError(f"sources may not refer to others, as this does to {url!r}")


class Track:
    """The first audio stream of a source, found by its time stamps.

    Times are in seconds on the container's own clock, as exact fractions.
    """

    def __init__(self, file: Reader, label: str) -> None:
        file.seek(0)
        try:
            self._container = av.open(
                file,
                mode="r",
                container_options={"format_whitelist": _DEMUXERS, "protocol_whitelist": ""},
                metadata_errors="replace",
                buffer_size=_READ_BYTES,
                io_open=_open_no_other,
            )
        except DECODING_ERRORS:
            refuse(file, label)
        streams = self._container.streams
        if not streams.audio:
            self._container.close()
            raise NoAudioStreamError(f"{label}: there is no sound track in it; choose another.")
        self.stream: AudioStream = streams.audio[0]
        for other in streams:
            if other is not self.stream:
                other.discard = Discard.all
        self._check(label)
        assert self.stream.time_base is not None
        self.tick: Fraction = self.stream.time_base
        self._first = 0  # time stamp of the first packet

    def _check(self, label: str) -> None:
        codec = self.stream.codec_context
        if codec is None:
            raise NotAudioError(f"{label}: its sound is in a codec that cannot be decoded.")
        layout = codec.layout
        if not 1 <= layout.nb_channels <= _MAX_CHANNELS:
            raise DamagedAudioError(
                f"{label}: it claims {layout.nb_channels} channels (1 to {_MAX_CHANNELS} can be "
                "read); get a fresh copy of the file."
            )
        if codec.sample_rate not in _RATES:
            raise DamagedAudioError(
                f"{label}: it claims {codec.sample_rate} samples per second ({_RATES.start} to "
                f"{_RATES.stop - 1} can be read); get a fresh copy of the file."
            )
        # PyAV 17.1 to 18.1 free a custom channel layout twice, which ends the process. Only the
        # number of channels matters here, and a layout without an order has nothing to free.
        codec.layout = f"{layout.nb_channels}C"

    def __enter__(self) -> Track:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    @property
    def claimed(self) -> Fraction | None:
        """Seconds of sound according to the header, or to an estimate."""
        if self.stream.duration:
            return self.stream.duration * self.tick
        if self._container.duration:
            return Fraction(self._container.duration, av.time_base)
        return None

    @property
    def promised(self) -> Fraction | None:
        """The claim, unless it is a mere estimate or that of another stream."""
        estimated = self._container.format.name in _CLAIMS_NOTHING
        alone = len(self._container.streams) == 1
        return self.claimed if alone and not estimated else None

    def packets(self, start: Fraction | None = None) -> Iterator[Packet[AudioStream]]:
        """Give the packets from `start` on or from a little earlier; for None, simply go on."""
        if start is not None:
            self._container.seek(max(int(start / self.tick), self._first), stream=self.stream)
        return self._container.demux(self.stream)

    def extent(self) -> tuple[Fraction, Fraction] | None:
        """Decode the two ends of the sound: the times of the first and last sample."""
        start = self._start()
        if start is None:
            return None
        # The tail where the header puts it; if there is none, or no header, wherever it is.
        looks: list[Fraction | None] = [None]
        if self.claimed:
            looks = [max(start, start + self.claimed - 1), start]
        for look in looks:
            with suppress(*DECODING_ERRORS):
                end = self._end(look)
                if end is not None and end > start:
                    return start, end
        return None

    def _start(self) -> Fraction | None:
        first = None
        for count, packet in enumerate(self.packets()):
            if packet.pts is not None and first is None:
                self._first = packet.pts
                first = packet.pts * self.tick
            for frame in _decoded(packet):
                if frame.pts is not None:
                    return frame.pts * self.tick
            if count == _HEAD_PACKETS:
                break
        return first

    def _end(self, look: Fraction | None) -> Fraction | None:
        last: deque[Packet[AudioStream]] = deque(maxlen=_TAIL_PACKETS)
        latest, jump = None, int(JITTER / self.tick)
        for packet in self.packets(look):
            last.append(packet)
            if packet.pts is not None:
                if latest is not None and packet.pts < latest - jump:
                    raise ValueError("time stamps begin anew, as in files joined end to end")
                latest = packet.pts
        ends = [
            frame.pts * self.tick + Fraction(frame.samples, frame.sample_rate)
            for packet in last
            for frame in _decoded(packet)
            if frame.pts is not None and frame.sample_rate
        ]
        return ends[-1] if ends else None

    def runs(self, start: Fraction, end: Fraction) -> list[Run]:
        """Decode from `start` to `end`, and some more on both sides."""
        runs: list[Run] = []
        for packet in self.packets(start):
            if packet.pts is not None:
                if packet.pts * self.tick < start:
                    continue
                if packet.pts * self.tick > end + 1:
                    break
            for frame in _decoded(packet):
                if frame.pts is None or frame.sample_rate not in _RATES:
                    continue
                time = frame.pts * self.tick
                if time >= end:
                    return runs
                if not runs or not runs[-1].continues(time, frame.sample_rate):
                    runs.append(Run(time, frame.sample_rate))
                runs[-1].append(_mono(frame))
        return runs


class CountedTrack(Track):
    """The same for sources that cannot seek, or whose time stamps jump: all packets are counted."""

    def __init__(self, file: Reader, label: str) -> None:
        super().__init__(file, label)
        self._file, self._label = file, label
        self._used = False

    def packets(self, start: Fraction | None = None) -> Iterator[Packet[AudioStream]]:
        """Give all packets, with time stamps that never jump."""
        if self._used:
            self._container.close()
            super().__init__(self._file, self._label)
        self._used = True
        clock: int | None = None
        shift = 0
        for packet in super().packets():
            if packet.size:
                if clock is None:
                    clock = packet.pts or 0
                if packet.pts is None or abs(packet.pts + shift - clock) * self.tick > JITTER:
                    shift = clock - (packet.pts or 0)
                packet.pts = packet.dts = (packet.pts or 0) + shift
                clock = packet.pts + (packet.duration or 0)
            yield packet


def _decoded(packet: Packet[AudioStream]) -> list[AudioFrame]:
    """Decode one packet; a damaged one gives nothing, and shows as a gap."""
    try:
        return packet.decode()
    except DECODING_ERRORS:
        return []


@np.errstate(over="ignore", invalid="ignore")  # infinite samples are sorted out later
def _mono(frame: AudioFrame) -> Samples:
    """Average the channels; full scale becomes 1.0."""
    dtype, middle, full_scale = _FORMATS[frame.format.name.removesuffix("p")]
    channels = frame.layout.nb_channels
    if frame.format.is_planar:
        # Not `frame.planes`, which looks for planes beyond the last of more than eight.
        planes = [
            np.frombuffer(memoryview(AudioPlane(frame, i)), dtype, frame.samples)
            for i in range(channels)
        ]
        mixed = np.stack(planes).mean(axis=0, dtype=np.float32)
    else:
        sound = np.frombuffer(memoryview(frame.planes[0]), dtype, frame.samples * channels)
        mixed = sound.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    return np.asarray((mixed - np.float32(middle)) / np.float32(full_scale), np.float32)


@dataclass(slots=True)
class Run:
    """Decoded sound without a gap, at one sample rate."""

    start: Fraction
    rate: int
    blocks: list[Samples] = field(default_factory=list)
    length: int = 0

    def continues(self, time: Fraction, rate: int) -> bool:
        """Tell whether a block at this time and rate follows without a gap."""
        expected = self.start + Fraction(self.length, self.rate)
        return rate == self.rate and abs(time - expected) <= JITTER

    def append(self, block: Samples) -> None:
        """Add the block that follows."""
        self.blocks.append(block)
        self.length += len(block)
