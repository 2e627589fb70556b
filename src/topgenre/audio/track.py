"""Find the extent of a source's audio stream, and decode parts of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from math import ceil
from typing import NoReturn

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Disposition

from topgenre.audio.frames import MAX_CHANNELS, RATES, Block, Mix, Pile
from topgenre.audio.mp4 import exaggerates
from topgenre.audio.source import Reader
from topgenre.errors import DamagedAudioError, NoAudioStreamError, NotAudioError

# Demuxers of audio, and of video with audio. Playlists, scripts and image sequences are left out on
# purpose: they would make FFmpeg open other files or the network.
_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,flac,flv,loas,matroska,mov,mp3,mpc,mpc8,mpeg,"
    "mpegts,ogg,tak,tta,voc,w64,wav,wv"
)
# Demuxers whose duration is estimated from the bit rate, or includes more than the sound.
_CLAIMS_NOTHING = {"aac", "ac3", "amr", "asf", "eac3", "loas", "mp3", "ogg"}
_SIGNATURES = (
    *(b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b".snd", b"\x1aE\xdf\xa3", b"caff"),
    *(b"0&\xb2u", b"\xff\xf1", b"\xff\xf9", b"\xff\xfa", b"\xff\xfb", b"\xff\xf3"),
)
_READ_BYTES = 1 << 16
JITTER = Fraction(1, 10)  # s by which time stamps may differ from the count of samples
_JITTER_S = float(JITTER)
_HEAD_PACKETS = _TAIL_PACKETS = 32
# Limits decoding where time stamps stand still.
_MAX_REPEATS = 3
_SPARE = 60  # s
# The longest in use have 27 s. All frames of a packet are decoded at once, and some codecs encode
# hours of silence in a dozen bytes.
_LONGEST_PACKET = 60  # s

# Errors that FFmpeg and NumPy may raise for damaged bytes.
DECODING_ERRORS = (
    FFmpegError,
    ArithmeticError,
    LookupError,
    MemoryError,
    RuntimeError,
    ValueError,
)


def refuse(file: Reader, label: str) -> NoReturn:
    """Raise the error for an unreadable file: damaged audio, or not audio."""
    file.seek(0)
    head = file.read(16)
    if head.startswith(_SIGNATURES) or head[4:8] in (b"ftyp", b"moov"):
        raise DamagedAudioError(
            f"{label}: none of the sound can be decoded; get a fresh copy of the file."
        )
    raise NotAudioError(f"{label}: not a supported audio or video file; choose another file.")


def _open_no_other(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise ValueError(f"sources may not refer to others, as this does to {url!r}")


def _opened(file: Reader, **options: str) -> InputContainer:
    file.seek(0)
    container = av.open(
        file,
        mode="r",
        container_options={
            "format_whitelist": _DEMUXERS,
            "protocol_whitelist": "",
            **options,
        },
        # Otherwise FFmpeg decodes covers and films to probe them, which may take gigabytes.
        options={"max_pixels": "1"},
        metadata_errors="replace",
        buffer_size=_READ_BYTES,
        io_open=_open_no_other,
    )
    assert isinstance(container, InputContainer)
    return container


def metadata(file: Reader) -> dict[str, str]:
    """Return what FFmpeg knows of a source without decoding any of it.

    Raises
    ------
    Exception
        One of `DECODING_ERRORS`, if the source is unreadable.
    """
    # Headers hold the tags; what more FFmpeg probes takes up to 50 ms.
    with _opened(file, probesize="32") as container:
        streams = container.streams.audio
        # In Ogg, tags belong to the stream; in most other formats, to the file.
        return {**container.metadata, **(_chosen(streams).metadata if streams else {})}


class Track:
    """The first audio stream of a source, found by its time stamps.

    Times are in seconds on the container's own clock, as exact fractions.
    """

    def __init__(self, file: Reader, label: str) -> None:
        if exaggerates(file):
            raise DamagedAudioError(
                f"{label}: it claims more sound than it can contain; get a fresh copy of the file."
            )
        try:
            self._container = _opened(file)
        except DECODING_ERRORS:
            refuse(file, label)
        streams = self._container.streams
        if not streams.audio:
            self._container.close()
            raise NoAudioStreamError(f"{label}: it has no audio track; choose another file.")
        self.stream = _chosen(streams.audio)
        for other in streams:
            if other is not self.stream:
                other.discard = Discard.all
        self._check(label)
        assert self.stream.time_base is not None
        self.tick: Fraction = self.stream.time_base
        self._longest = int(_LONGEST_PACKET / self.tick)  # ticks
        self._first = 0  # time stamp of the first packet

    def _check(self, label: str) -> None:
        codec = self.stream.codec_context
        if codec is None:
            raise NotAudioError(f"{label}: its sound is in a codec that cannot be decoded.")
        layout = codec.layout
        if not 1 <= layout.nb_channels <= MAX_CHANNELS:
            raise DamagedAudioError(
                f"{label}: it claims {layout.nb_channels} channels (1 to {MAX_CHANNELS} can be "
                "read); get a fresh copy of the file."
            )
        if codec.sample_rate not in RATES:
            raise DamagedAudioError(
                f"{label}: it claims {codec.sample_rate} samples per second ({RATES.start} to "
                f"{RATES.stop - 1} can be read); get a fresh copy of the file."
            )
        # PyAV 17.1 to 18.1 free a custom channel layout twice, which crashes the process. Only the
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
        """The claimed seconds, unless they are an estimate or include other streams."""
        estimated = self._container.format.name in _CLAIMS_NOTHING
        alone = len(self._container.streams) == 1
        return self.claimed if alone and not estimated else None

    def packets(self, start: Fraction | None = None) -> Iterator[Packet[AudioStream]]:
        """Yield the packets from `start` or a little earlier; for None, the next ones."""
        if start is not None:
            self._container.seek(max(int(start / self.tick), self._first), stream=self.stream)
        return self._container.demux(self.stream)

    def shortfall(self, start: Fraction, end: Fraction) -> float:
        """Return by how many seconds the header exceeds the extent found."""
        if self.promised is None:
            return 0.0
        # Some headers count from the first sample, others from zero on the container's clock.
        return float(min((self.promised - (end - start), self.promised - end), key=abs))

    def extent(self) -> tuple[Fraction, Fraction] | None:
        """Return the times of the first and last sample, by decoding both ends."""
        start = self._start() if self._is_timed() else None
        if start is None:
            return None
        # Look for the end where the header claims it to be; failing that, read everything.
        looks: list[Fraction | None] = [None]
        if self.claimed:
            ends = sorted({start + self.claimed, self.claimed})
            looks = [*(max(start, end - 1) for end in ends if end > start), start]
        for look in looks:
            with suppress(*DECODING_ERRORS):
                end = self._end(look)
                if end is not None and end > start:
                    return start, end
        return None

    def _is_timed(self) -> bool:
        """Return whether time stamps can be trusted after seeking.

        In WAV they follow from the average bytes per second, which only PCM has exactly.
        """
        name = self._container.format.name
        return name != "wav" or self.stream.codec_context.name.startswith("pcm_")

    def _start(self) -> Fraction | None:
        first = None
        clock = _Clock(self.tick)
        for count, packet in enumerate(self.packets()):
            if packet.pts is not None and first is None:
                self._first = packet.pts
                first = packet.pts * self.tick
            for frame in self._decoded(packet):
                if clock.place(frame, packet):
                    return clock.time
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
        end = None
        clock = _Clock(self.tick)
        for packet in last:
            for number, frame in enumerate(self._decoded(packet)):
                if clock.place(frame, packet if number == 0 else None):
                    begin = clock.time if frame.pts is None else frame.pts * self.tick
                    end = begin + Fraction(frame.samples, frame.sample_rate)
                    clock.advance(frame.samples)
        return end

    def blocks(self, start: Fraction, end: Fraction, mix: Mix = Mix.MEAN) -> Iterator[Block]:
        """Decode from `start` to `end`, and a little more on both sides."""
        pile: Pile | None = None
        clock = _Clock(self.tick)
        earlier: Packet[AudioStream] | None = None
        left = float(_MAX_REPEATS * (end - start) + _SPARE)
        until = float(end)
        # Whole ticks, as fractions would take half as long as decoding itself.
        first, beyond = (ceil(time / self.tick) for time in (start, end + 1))
        for packet in self.packets(start):
            if packet.pts is not None:
                if packet.pts < first:
                    earlier = packet
                    continue
                if packet.pts > beyond:
                    break
            # A packet may have several seconds, so the start may lie in the previous one.
            packets = [packet] if earlier is None else [earlier, packet]
            earlier = None
            for packet in packets:
                stamped: Packet[AudioStream] | None = packet  # dates the first frame
                for frame in self._decoded(packet):
                    if not clock.place(frame, stamped):
                        continue
                    stamped = None
                    if clock.now >= until or left < 0:
                        if pile:
                            yield pile.mixed(mix)
                        return
                    if pile is None or clock.anew or not pile.takes(frame):
                        if pile:
                            yield pile.mixed(mix)
                        pile = Pile(clock.time, frame)
                    n_samples = pile.add(frame)
                    clock.advance(n_samples)
                    left -= n_samples / pile.rate
        if pile:
            yield pile.mixed(mix)

    def _decoded(self, packet: Packet[AudioStream]) -> list[AudioFrame]:
        """Decode one packet; a damaged one has no frames, which leaves a gap."""
        if packet.duration and packet.duration > self._longest:
            return []
        try:
            return packet.decode()
        except DECODING_ERRORS:
            return []


class CountedTrack(Track):
    """A track that counts all packets, for sources with unreliable time stamps."""

    def __init__(self, file: Reader, label: str) -> None:
        super().__init__(file, label)
        self._file, self._label = file, label
        self._used = False

    def _is_timed(self) -> bool:
        return True

    def packets(self, start: Fraction | None = None) -> Iterator[Packet[AudioStream]]:
        """Yield all packets, with time stamps that never jump."""
        if self._used:
            self._container.close()
            super().__init__(self._file, self._label)
        self._used = True
        clock: int | None = None
        shift = 0
        counted = True  # whether the previous packet has a duration
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


class _Clock:
    """The start of each frame: the end of the previous one or its time stamp.

    Many decoders stamp only the first of several frames, or no frame; then the time stamp of the
    packet is used.

    Attributes
    ----------
    now : float
        Seconds as a float, for comparisons.
    anew : bool
        Whether the last frame does not follow the previous one.
    """

    def __init__(self, tick: Fraction) -> None:
        self.anew = True
        self.now = 0.0
        self._tick, self._seconds = tick, float(tick)
        self._base: Fraction | None = None
        self._samples = self._rate = 0

    @property
    def time(self) -> Fraction:
        """Seconds as an exact fraction."""
        assert self._base is not None
        return self._base + (Fraction(self._samples, self._rate) if self._rate else 0)

    def place(self, frame: AudioFrame, packet: Packet[AudioStream] | None) -> bool:
        """Set the clock to the start of a frame, or return False if that is unknown.

        Parameters
        ----------
        frame : AudioFrame
        packet : Packet, optional
            Packet of the frame, for its first frame.
        """
        stamp, rate = frame.pts, frame.sample_rate
        ahead = 0.0 if stamp is None else stamp * self._seconds - self.now
        if stamp is not None and rate == self._rate and -_JITTER_S < ahead < _JITTER_S:
            self.anew = False  # nearly always; the rest would take a third of all time
            return True
        if rate not in RATES:
            return False
        tolerance = _JITTER_S
        if stamp is None and packet is not None and packet.pts is not None:
            stamp = packet.pts
            ahead = stamp * self._seconds - self.now
            # The frame may come from the previous packet, as some decoders lag behind.
            tolerance = max(tolerance, (packet.duration or 0) * self._seconds)
        if self._base is None and stamp is None:
            return False
        jumps = self._base is None or abs(ahead) > tolerance
        self.anew = jumps or rate != self._rate
        if self.anew:
            self._base = self.time if stamp is None or not jumps else stamp * self._tick
            self.now, self._samples, self._rate = float(self._base), 0, rate
        return True

    def advance(self, n_samples: int) -> None:
        """Set the clock to the end of a frame."""
        self._samples += n_samples
        self.now += n_samples / self._rate


def _chosen(streams: Sequence[AudioStream]) -> AudioStream:
    """Return the stream that players choose: the first decodable default one."""
    readable = [stream for stream in streams if stream.codec_context is not None] or streams
    default = (stream for stream in readable if stream.disposition & Disposition.default)
    return next(default, readable[0])
