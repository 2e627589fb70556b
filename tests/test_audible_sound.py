"""Sound that is there is found, and judged at the right place: kinds of files from bug reports."""

from __future__ import annotations

import io
from typing import cast

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Disposition

from audio_files import FORMATS, Floats, encode, full_decode, middle, noise, sample, shift_between
from topgenre.audio import SAMPLE_RATE, Segment, load_segment
from topgenre.audio.track import CountedTrack, Track
from topgenre.errors import SilentError

LENGTH = 10 * SAMPLE_RATE


def load(data: bytes, seconds: float = 10.0) -> Segment:
    return load_segment(io.BytesIO(data), name="it", seconds=seconds)


def agreement(segment: Segment, expected: Floats, shift: int = 0) -> float:
    """Tell how well a segment agrees with what it should be, if moved by `shift` at most."""
    found, alike = shift_between(segment.samples, expected)
    return alike if abs(found) <= shift else -1.0


# --------------------------------------------------------------------------- frames without stamps


@pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [22_050, 44_100])
def test_packets_whose_first_frame_alone_is_stamped(codec: str, channels: int, rate: int) -> None:
    data = encode(noise(31.3, rate, channels), rate, "wav", codec)
    segment = load(data)
    whole = full_decode(data)
    assert segment.notices == ()
    assert segment.duration == pytest.approx(len(whole) / SAMPLE_RATE, abs=0.001)
    assert agreement(segment, middle(whole)) > 0.999


@pytest.mark.parametrize("name", ["flac", "alac", "opus", "vorbis", "m4a", "aac", "mkv", "wma"])
@pytest.mark.parametrize("track", [Track, CountedTrack])
def test_frames_that_are_not_stamped_at_all(
    name: str, track: type[Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from Musepack SV8, Monkey's Audio and WMA Pro, which PyAV cannot write."""
    stamped = load(sample(name))
    decode = Track._decoded

    def without_stamps(self: Track, packet: Packet[AudioStream]) -> list[AudioFrame]:
        frames = decode(self, packet)
        for frame in frames:
            frame.pts = None
        return frames

    monkeypatch.setattr(Track, "_decoded", without_stamps)
    if track is CountedTrack:
        monkeypatch.setattr("topgenre.audio.Track", CountedTrack)
    segment = load(sample(name))
    assert segment.notices == ()
    # Padding that is cut from the first frame shows in its stamp alone.
    padding = 2 * -(-FORMATS[name].lossy_frame * SAMPLE_RATE // FORMATS[name].rate)
    assert segment.duration == pytest.approx(stamped.duration, abs=(padding + 1) / SAMPLE_RATE)
    assert agreement(segment, stamped.samples, padding) > 0.9


# ------------------------------------------------------------------------------ cancelling channels


@pytest.mark.parametrize("name", ["wav", "wav-u8", "wav24", "flac", "mp3", "vorbis", "opus", "m4a"])
@pytest.mark.parametrize("leak", [0.0, 0.01])
def test_channels_in_antiphase(name: str, leak: float) -> None:
    form = FORMATS[name]
    left = noise(14.0, form.rate)[0]
    data = encode(
        np.stack([left, (leak - 1) * left]), form.rate, form.container, form.codec, form.bit_rate
    )
    alone = encode(np.stack([left, left]), form.rate, form.container, form.codec, form.bit_rate)
    segment = load(data)
    assert segment.notices == ("the channels cancel each other: their difference was analysed",)
    assert agreement(segment, load(alone).samples, 1152) > 0.9
    assert np.abs(segment.samples).max() == pytest.approx(np.abs(left).max(), rel=0.2)


@pytest.mark.parametrize("right", [0.0, -0.5, 1.0, "other"])
def test_channels_that_do_not_cancel_are_averaged(right: float | str) -> None:
    left, other = 0.01 * noise(12.0, 44_100, 2)
    sound = np.stack([left, other if isinstance(right, str) else np.float32(right) * left])
    segment = load(encode(sound, 44_100, "flac", "flac"))
    assert segment.notices == ()
    mean = encode(sound.mean(axis=0)[None], 44_100, "wav", "pcm_f32le")
    assert agreement(segment, load(mean).samples) > 0.9999


# --------------------------------------------------------------------------------- silent middles


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "vorbis", "m4a"])
@pytest.mark.parametrize(
    ("before", "silence", "after", "begin"),
    [
        (11.0, 24.0, 14.0, 35.0),  # the next sound is nearer than the last
        (40.0, 60.0, 15.0, 30.0),
        (12.0, 30.0, 0.0, 2.0),
        (0.0, 30.0, 12.0, 30.0),
        (0.0, 40.0, 4.0, 34.0),  # under 10 s of sound, at the end
    ],
)
def test_silence_in_the_middle(
    name: str, before: float, silence: float, after: float, begin: float
) -> None:
    form = FORMATS[name]
    channels = 2 if name == "vorbis" else 1  # its encoder takes nothing else
    parts = [noise(before, form.rate, channels) if before else np.zeros((channels, 0), np.float32)]
    parts.append(np.zeros((channels, round(silence * form.rate)), np.float32))
    parts.append(noise(after, form.rate, channels, 1) if after else parts[0][:, :0])
    sound = np.concatenate(parts, axis=1)
    segment = load(encode(sound, form.rate, form.container, form.codec, form.bit_rate))
    assert segment.notices == ("the middle is silent: the nearest 10 s with sound were analysed",)
    assert segment.start == pytest.approx(begin, abs=0.2)
    assert segment.end == pytest.approx(begin + 10, abs=0.2)
    assert np.abs(segment.samples).max() > 0.1


def test_silent_middle_of_channels_in_antiphase() -> None:
    left = np.concatenate([noise(12.0, 22_050)[0], np.zeros(22_050 * 40, np.float32)])
    segment = load(encode(np.stack([left, -left]), 22_050, "flac", "flac"))
    assert len(segment.notices) == 2
    assert segment.start == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("seconds", [3.0, 12.0, 200.0])
def test_silence_everywhere(seconds: float) -> None:
    silence = np.zeros((2, round(seconds * 8_000)), np.float32)
    with pytest.raises(SilentError, match="the whole file is silent"):
        load(encode(silence, 8_000, "flac", "flac"))


# ---------------------------------------------------------------------------------- which track


@pytest.mark.parametrize("container", ["matroska", "mp4"])
@pytest.mark.parametrize("default", [0, 1, 2])
def test_default_audio_track(container: str, default: int) -> None:
    sounds = [noise(11.0, 44_100, seed=seed) for seed in range(3)]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        streams = []
        for number in range(3):
            stream = output.add_stream("aac", rate=44_100, layout="mono")
            stream.bit_rate = 96_000
            stream.disposition = Disposition.default if number == default else Disposition(0)
            streams.append(stream)
        for at in range(0, sounds[0].shape[1], 44_100):
            for stream, sound in zip(streams, sounds, strict=True):
                block = np.ascontiguousarray(sound[:, at : at + 44_100])
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 44_100, at
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    segment = load(file.getvalue())
    alone = load(encode(sounds[default], 44_100, "ipod", "aac", 96_000))
    assert segment.notices == ()
    assert agreement(segment, alone.samples, 2048) > 0.95


# ---------------------------------------------------------------------------------------- clocks


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("matroska", "flac"),
        ("webm", "libopus"),
        ("mpegts", "aac"),
        ("ogg", "libopus"),
        ("mp4", "aac"),
        ("flv", "aac"),
        ("asf", "wmav2"),
    ],
)
@pytest.mark.parametrize(("begin", "seconds"), [(7, 30.0), (5_000, 12.0)])
def test_clock_that_does_not_begin_at_zero(
    container: str, codec: str, begin: int, seconds: float
) -> None:
    rate = 48_000
    sound = noise(seconds, rate)
    file = io.BytesIO()
    options = {"avoid_negative_ts": "disabled"}
    with av.open(file, "w", format=container, options=options) as output:
        stream = cast(AudioStream, output.add_stream(codec, rate=rate, layout="mono"))
        stream.bit_rate = 96_000
        for at in range(0, sound.shape[1], rate):
            block = np.ascontiguousarray(sound[:, at : at + rate])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, at + begin * rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    segment = load(file.getvalue())
    assert segment.notices == ()
    assert segment.duration == pytest.approx(seconds, abs=0.2)
    assert segment.start == pytest.approx((seconds - 10) / 2, abs=0.2)
    assert agreement(segment, middle(full_decode(file.getvalue())), 4096) > 0.95


# ----------------------------------------------------------------------------------- joined files


def ogg(seed: int, seconds: float = 12.0, codec: str = "libopus", rate: int = 48_000) -> bytes:
    return encode(noise(seconds, rate, 2, seed), rate, "ogg", codec)


@pytest.mark.parametrize("links", [2, 3])
@pytest.mark.parametrize(("codec", "rate"), [("libopus", 48_000), ("vorbis", 44_100)])
@pytest.mark.parametrize("same", [True, False])
def test_chained_ogg_of_equal_lengths(links: int, codec: str, rate: int, same: bool) -> None:
    parts = [ogg(0 if same else seed, 12.0, codec, rate) for seed in range(links)]
    data = b"".join(parts)
    segment = load(data)
    whole = full_decode(data)
    assert segment.duration == pytest.approx(12 * links, abs=0.2)
    assert segment.start == pytest.approx(6 * links - 5, abs=0.2)
    assert agreement(segment, middle(whole), 2048) > 0.95
