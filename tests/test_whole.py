"""Whole tracks: decoded and transformed piece by piece, as if all at once."""

from __future__ import annotations

import io

import numpy as np
import pytest

import bombs
from audio_files import Floats, encode, full_decode, noise, sample
from topgenre.audio import SAMPLE_RATE, Segment, Windows, load_windows
from topgenre.errors import DamagedAudioError, SilentError, TooShortError
from topgenre.spectrograms import CONTEXT, HOP_LENGTH, compute, network_input, window_inputs

LENGTH = 10 * SAMPLE_RATE
# Frames on which a window of its own differs: half a median and half a Fourier window.
EDGE = CONTEXT // HOP_LENGTH


def windows(data: bytes) -> list[Windows]:
    return list(load_windows(io.BytesIO(data), grid=HOP_LENGTH, context=CONTEXT, name="it"))


def starts(found: list[Windows]) -> list[int]:
    """Return where the windows begin, in samples."""
    return [round(w.start * SAMPLE_RATE) + offset for w in found for offset in w.offsets]


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "vorbis", "m4a"])
def test_pieces_hold_what_the_whole_sound_does(name: str) -> None:
    data = sample(name, 95.0, 1 if name != "vorbis" else 2)
    whole = full_decode(data)
    found = windows(data)
    assert len(found) == 3
    assert len(starts(found)) == 10
    assert starts(found)[0] == 0
    assert len(whole) - (starts(found)[-1] + LENGTH) < 4_096
    if name in ("wav", "flac"):
        for piece in found:
            first = round(piece.start * SAMPLE_RATE)
            expected = whole[first : first + len(piece.samples)]
            np.testing.assert_allclose(piece.samples[: len(expected)], expected, atol=2e-6)
    assert [piece.done for piece in found] == [0.4, 0.8, 1.0]


def test_inputs_are_those_of_windows_of_their_own() -> None:
    (piece,) = windows(encode(noise(38.0, SAMPLE_RATE), SAMPLE_RATE, "wav", "pcm_f32le"))
    inputs = window_inputs(piece)
    assert inputs.shape == (4, 4, 128, 431)
    for found, offset in zip(inputs, piece.offsets, strict=True):
        alone = network_input(compute(Segment(piece.samples[offset : offset + LENGTH], 0.0, 10.0)))
        inside = slice(EDGE, -EDGE)
        for channel in range(4):
            a, b = found[channel, :, inside], alone[channel, :, inside]
            heard = (a > -2.9) & (b > -2.9) if channel < 3 else np.ones_like(a, np.bool_)
            # All levels are relative to the window's mean, whose edges differ.
            assert np.ptp((a - b)[heard]) < 2e-6


def test_a_long_track_is_analysed_from_end_to_end() -> None:
    found = windows(bombs.steady_flac(2_000, 44_100))
    begins = starts(found)
    assert len(begins) == 180
    assert begins[0] == 0
    assert begins[-1] == pytest.approx(found[0].duration * SAMPLE_RATE - LENGTH, abs=HOP_LENGTH)
    assert np.ptp(np.diff(begins)) <= HOP_LENGTH
    assert max(len(piece.samples) for piece in found) < LENGTH + 3 * CONTEXT
    assert found[-1].notices == (
        "of this long track, 180 windows of 10 s from all of it were analysed",
    )


def test_silent_windows_are_left_out() -> None:
    silence = np.zeros((1, 60 * SAMPLE_RATE), np.float32)
    sound = np.concatenate([noise(20.0, SAMPLE_RATE), silence, noise(10.0, SAMPLE_RATE)], axis=1)
    found = windows(encode(sound, SAMPLE_RATE, "flac", "flac"))
    assert len(starts(found)) in (3, 4)
    assert found[-1].done == 1


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
