"""The audio stream of a source: how long it is, and what it holds from one time to another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from math import ceil
from typing import NamedTuple, NoReturn

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.plane import AudioPlane
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard
from numpy.typing import NDArray

from topgenre.audio.mp4 import exaggerates
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
# Time stamps that stand still would have all of a sound decoded for a part of it.
_MAX_REPEATS = 3
_SPARE = 60  # s
# The longest in use are of 27 s. All frames of a packet are decoded at once, and there are codecs
# that need a dozen bytes for hours of silence.
_LONGEST_PACKET = 60  # s

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
        if exaggerates(file):
            raise DamagedAudioError(
                f"{label}: it claims more sound than it has room for; get a fresh copy of the file."
            )
        file.seek(0)
        try:
            self._container = av.open(
                file,
                mode="r",
                container_options={"format_whitelist": _DEMUXERS, "protocol_whitelist": ""},
                # Else FFmpeg decodes covers and films to look at them: gigabytes for a large one.
                options={"max_pixels": "1"},
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

    def blocks(self, start: Fraction, end: Fraction) -> Iterator[Block]:
        """Decode from `start` to `end`, and some more on both sides."""
        earlier: Packet[AudioStream] | None = None
        left = float(_MAX_REPEATS * (end - start) + _SPARE)
        # Whole ticks, as fractions would take half as long as decoding itself.
        first, after, beyond = (ceil(time / self.tick) for time in (start, end, end + 1))
        for packet in self.packets(start):
            if packet.pts is not None:
                if packet.pts < first:
                    earlier = packet
                    continue
                if packet.pts > beyond:
                    break
            # A packet may hold seconds, and so what is sought lie in the one that began earlier.
            packets = [packet] if earlier is None else [earlier, packet]
            earlier = None
            for frame in (frame for packet in packets for frame in _decoded(packet)):
                if frame.pts is None or frame.sample_rate not in _RATES:
                    continue
                left -= frame.samples / frame.sample_rate
                if frame.pts >= after or left < 0:
                    return
                yield Block(frame.pts * self.tick, frame.sample_rate, _mono(frame))


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
        counted = True  # whether the packet before says how long it is
        for packet in super().packets():
            if packet.size:
                if clock is None:
                    clock = packet.pts or 0
                ahead = (packet.pts or 0) + shift - clock
                wrong = abs(ahead) * self.tick > JITTER if counted else ahead < 0
                if packet.pts is None or wrong:
                    shift -= ahead
                packet.pts = packet.dts = (packet.pts or 0) + shift
                clock = packet.pts + (packet.duration or 0)
                counted = bool(packet.duration)
            yield packet


def _decoded(packet: Packet[AudioStream]) -> list[AudioFrame]:
    """Decode one packet; a damaged one gives nothing, and shows as a gap."""
    if (
        packet.duration
        and packet.time_base
        and packet.duration * packet.time_base > _LONGEST_PACKET
    ):
        return []
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
        mixed = np.zeros(frame.samples, np.float32)
        for i in range(channels):
            plane = np.frombuffer(memoryview(AudioPlane(frame, i)), dtype, frame.samples)
            np.add(mixed, plane, out=mixed, dtype=np.float32, casting="unsafe")
        mixed /= np.float32(channels)
    else:
        sound = np.frombuffer(memoryview(frame.planes[0]), dtype, frame.samples * channels)
        mixed = sound.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    if middle:
        mixed -= np.float32(middle)
    if full_scale != 1.0:
        mixed /= np.float32(full_scale)
    return mixed


class Block(NamedTuple):
    """Some decoded sound.

    Attributes
    ----------
    time : Fraction
        Seconds at which it begins.
    rate : int
        Samples per second.
    samples : ndarray of float32, shape (n,)
    """

    time: Fraction
    rate: int
    samples: Samples
