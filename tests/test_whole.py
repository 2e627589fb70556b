"""Whole tracks, decoded a few windows at a time."""

from __future__ import annotations

import io

import numpy as np
import pytest

import bombs
from audio_files import Floats, encode, full_decode, noise, sample
from topgenre.audio import SAMPLE_RATE, Segment, load_windows
from topgenre.errors import DamagedAudioError, SilentError, TooShortError

LENGTH = 10 * SAMPLE_RATE


def windows(data: bytes) -> list[Segment]:
    return list(load_windows(io.BytesIO(data), name="it"))


def starts(found: list[Segment]) -> list[int]:
    """Return where the windows begin, in samples."""
    return [round(window.start * SAMPLE_RATE) for window in found]


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "vorbis", "m4a"])
def test_windows_hold_what_the_whole_sound_does(name: str) -> None:
    data = sample(name, 95.0, 1 if name != "vorbis" else 2)
    whole = full_decode(data)
    found = windows(data)
    assert len(found) == 10
    assert starts(found)[0] == 0
    assert len(whole) - (starts(found)[-1] + LENGTH) < 4_096
    assert max(np.diff(starts(found))) <= LENGTH
    if name in ("wav", "flac"):
        for first, window in zip(starts(found), found, strict=True):
            expected = whole[first : first + LENGTH]
            np.testing.assert_allclose(window.samples[: len(expected)], expected, atol=2e-6)


def test_a_long_track_is_analysed_from_end_to_end() -> None:
    found = windows(bombs.steady_flac(2_000, 44_100))
    begins = starts(found)
    assert len(begins) == 180
    assert begins[0] == 0
    assert begins[-1] == pytest.approx((found[0].duration or 0) * SAMPLE_RATE - LENGTH, abs=1)
    assert np.ptp(np.diff(begins)) <= 1
    assert found[-1].notices == (
        "of this long track, 180 windows of 10 s from all of it were analysed",
    )


def test_silent_windows_are_left_out() -> None:
    silence = np.zeros((1, 60 * SAMPLE_RATE), np.float32)
    sound = np.concatenate([noise(20.0, SAMPLE_RATE), silence, noise(10.0, SAMPLE_RATE)], axis=1)
    found = windows(encode(sound, SAMPLE_RATE, "flac", "flac"))
    assert len(starts(found)) in (3, 4)
    assert found[-1].end == found[-1].duration == 90


@pytest.mark.parametrize(
    ("sound", "error"),
    [
        (noise(0.5, SAMPLE_RATE), TooShortError),
        (np.zeros((1, 30 * SAMPLE_RATE), np.float32), SilentError),
    ],
)
def test_sound_of_no_use(sound: Floats, error: type[Exception]) -> None:
    with pytest.raises(error, match="it: "):
        windows(encode(sound, SAMPLE_RATE, "flac", "flac"))


def test_sound_that_is_damaged_throughout() -> None:
    data = bytearray(sample("alac"))
    data[64 : len(data) - 2_000] = b"\xff" * (len(data) - 2_064)
    with pytest.raises(DamagedAudioError):
        windows(bytes(data))
