"""WAV and MP3 files that are read directly give what FFmpeg gives, to the sample."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audio_files import Floats, encode, noise, sample
from topgenre.audio import load_segment
from topgenre.audio.mp3 import Mp3Track
from topgenre.audio.segment import Excerpt, Sound
from topgenre.audio.source import Reader
from topgenre.audio.track import Track
from topgenre.audio.wav import WavTrack

LENGTH = 220_500


def reader(data: bytes) -> Reader:
    return Reader(io.BytesIO(data))


def assert_same_as_ffmpeg(track: Sound | None, data: bytes) -> None:
    assert track
    with Track(reader(data), "it") as other:
        assert track.extent() == other.extent()
    with Track(reader(data), "it") as other:
        expected = Excerpt.middle(other, LENGTH)
    found = Excerpt.middle(track, LENGTH)
    assert found
    assert expected
    assert (found.begin, found.total) == (expected.begin, expected.total)
    np.testing.assert_allclose(found.samples, expected.samples, atol=1e-6)
    np.testing.assert_array_equal(found.covered, expected.covered)


# -------------------------------------------------------------------------------------------- MP3


def mp3(
    rate: int, channels: int, bit_rate: int | None, options: dict[str, str], seconds: float = 12.3
) -> bytes:
    """Give an MP3 file; without a bit rate, one of variable bit rate."""
    sound = noise(seconds, rate, channels)
    sound[:, : sound.shape[1] // 3] *= 0.01  # let the bit rate vary
    return encode(sound, rate, "mp3", "libmp3lame", bit_rate, options=options)


def with_id3(data: bytes, footer: bool = False) -> bytes:
    size = 3000
    spelt = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    head = b"\4\0" + (b"\x10" if footer else b"\0") + spelt
    return b"ID3" + head + bytes(size) + (b"3DI" + head if footer else b"") + data


ID3V1 = b"TAG" + bytes(125)
APE = b"APETAGEX" + struct.pack("<IIII8x", 2000, 2000, 1, 0x80000000)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rate=st.sampled_from([44_100, 48_000, 32_000, 22_050, 24_000, 16_000, 12_000, 8_000]),
    channels=st.sampled_from([1, 2]),
    bit_rate=st.sampled_from([32_000, 48_000, 64_000]),
    xing=st.booleans(),
    front=st.sampled_from(["", "id3", "id3 with footer"]),
    tail=st.sampled_from([b"", ID3V1]),
)
def test_any_mp3(
    rate: int, channels: int, bit_rate: int, xing: bool, front: str, tail: bytes
) -> None:
    options = {"write_xing": str(int(xing)), "id3v2_version": "0"}
    data = mp3(rate, channels, bit_rate, options) + tail
    if front:
        data = with_id3(data, "footer" in front)
    assert_same_as_ffmpeg(Mp3Track.of(reader(data)), data)


def test_mp3_of_variable_bit_rate() -> None:
    parts = [
        mp3(44_100, 2, bit_rate, {"write_xing": "0", "id3v2_version": "0"})
        for bit_rate in (32_000, 320_000, 96_000)
    ]
    data = b"".join(parts)
    assert_same_as_ffmpeg(Mp3Track.of(reader(data)), data)


def test_mp3_with_an_ape_tag_and_id3v1() -> None:
    body = bytes(2000 - 32)
    data = sample("mp3") + APE + body + APE + ID3V1
    assert_same_as_ffmpeg(Mp3Track.of(reader(data)), data)


DOUBTFUL = {
    "cut off in a frame": lambda data: data[:-10],
    "junk between frames": lambda data: data[:50_000] + bytes(999) + data[50_000:],
    "junk behind": lambda data: data + bytes(5_000),
    "joined": lambda data: data + data,
    "joined, with other frames": lambda data: data + sample("mp3-low"),
    "count that lies": lambda data: data.replace(b"Info\0\0\0\x0f", b"Info\0\0\0\x0f\0", 1),
    "damaged": lambda data: data[:60_000] + bytes(400) + data[60_400:],
}


@pytest.mark.parametrize("kind", DOUBTFUL)
def test_doubtful_mp3_is_left_to_ffmpeg(kind: str) -> None:
    data = DOUBTFUL[kind](sample("mp3"))
    assert Mp3Track.of(reader(data)) is None
    assert len(load_segment(io.BytesIO(data)).samples) == LENGTH


# -------------------------------------------------------------------------------------------- WAV


def chunk(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    length = len(content) if size is None else size
    return kind + struct.pack("<I", length) + content + bytes(len(content) % 2)


def form(kind: int, channels: int, rate: int, bits: int, extensible: bool = False) -> bytes:
    frame = channels * bits // 8
    tag = 0xFFFE if extensible else kind
    content = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    if extensible:
        content += struct.pack("<HHIH", 22, bits, 0, kind)
        content += bytes.fromhex("000000001000800000aa00389b71")
    return chunk(b"fmt ", content)


def pcm(sound: Floats, kind: int, bits: int) -> bytes:
    """Give interleaved samples."""
    flat = sound.T.astype(np.float64)
    if kind == 3:
        return flat.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return (flat * 127 + 128).astype(np.uint8).tobytes()
    whole = (flat * (2.0 ** (bits - 1) - 1)).astype("<i8")
    return whole[..., None].view(np.uint8)[..., : bits // 8].tobytes()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    coding=st.sampled_from([(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)]),
    channels=st.integers(1, 6),
    rate=st.sampled_from([8_000, 22_050, 44_100, 48_000, 96_000]),
    extensible=st.booleans(),
    riff=st.sampled_from(["RIFF", "RF64", "size 0", "size ffffffff", "all sizes ffffffff"]),
    id3=st.booleans(),
    more=st.sampled_from([b"", chunk(b"LIST", bytes(333)), chunk(b"id3 ", bytes(100))]),
    seconds=st.sampled_from([2.0, 13.0]),
)
def test_any_wav(
    coding: tuple[int, int],
    channels: int,
    rate: int,
    extensible: bool,
    riff: str,
    id3: bool,
    more: bytes,
    seconds: float,
) -> None:
    sound = noise(seconds, rate, channels)
    content = pcm(sound, *coding)
    fmt = form(coding[0], channels, rate, coding[1], extensible)
    unknown = 0xFFFFFFFF
    if riff == "RF64":
        sizes = chunk(b"ds64", struct.pack("<QQQI", 0, len(content), 0, 0))
        data = b"RF64" + struct.pack("<I", unknown) + b"WAVE" + sizes + fmt
        data += chunk(b"data", content, unknown) + more
    elif riff == "all sizes ffffffff":
        data = b"RIFF" + struct.pack("<I", unknown) + b"WAVE" + fmt
        data += chunk(b"data", content, unknown)
    else:
        body = b"WAVE" + more + fmt + chunk(b"data", content) + more
        size = {"RIFF": len(body), "size 0": 0, "size ffffffff": unknown}[riff]
        data = b"RIFF" + struct.pack("<I", size) + body
    assert WavTrack.of(reader(data))
    segment = load_segment(io.BytesIO(with_id3(data) if id3 else data))
    assert not [notice for notice in segment.notices if "only" not in notice]
    assert segment.duration == pytest.approx(seconds, abs=1e-3)
    if not (riff == "RF64" and rate == 96_000):  # what FFmpeg reads too
        assert_same_as_ffmpeg(WavTrack.of(reader(data)), data)


def test_wav_that_is_not_plain_is_left_to_ffmpeg() -> None:
    disguised = pcm(noise(2.0, 44_100, 2), 1, 16)
    disguised = disguised[:4000] + b"\xfe\x7f\x01\x80" + disguised[4004:]
    sound = chunk(b"data", disguised)
    assert WavTrack.of(reader(b"RIFF\0\0\0\0WAVE" + form(1, 2, 44_100, 16) + sound)) is None
    plain = chunk(b"data", bytes(400_000))
    whole = b"RIFF\0\0\0\0WAVE" + form(1, 2, 44_100, 16) + plain
    assert WavTrack.of(reader(whole))
    assert WavTrack.of(reader(whole + plain)) is None
    assert WavTrack.of(reader(encode(noise(3.0, 44_100), 44_100, "wav", "adpcm_ms"))) is None
