"""The four spectrograms against librosa, and the network's input derived from them."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

import signals
from topgenre import hpss
from topgenre.audio import Segment
from topgenre.spectrograms import Spectrograms, compute, mel_project, network_input


def as_it_is(*arguments: Any, **options: Any) -> Any:
    """Stand in for a decorator of numba."""
    return arguments[0] if arguments and callable(arguments[0]) else lambda function: function


# Compiling what librosa has compiled takes half a minute; the reference is as good without.
with mock.patch.multiple(
    "numba", jit=as_it_is, vectorize=as_it_is, guvectorize=as_it_is, stencil=as_it_is
):
    import librosa

    for name in ("decompose", "feature", "onset", "stft"):  # it imports what is asked for
        getattr(librosa, name)

Array = NDArray[np.float32]

# From 240 dB below full scale to far beyond it.
POWERS = st.just(0.0) | st.floats(2**-80, 2**99, width=32)


def stack_of(samples: Array) -> Spectrograms:
    return compute(Segment(samples, 0.0, len(samples) / signals.SAMPLE_RATE, ()), "test")


def librosa_stack(samples: Array) -> dict[str, Array]:
    spectrum = librosa.stft(samples)
    harmonic, percussive = librosa.decompose.hpss(spectrum)
    onset = librosa.onset.onset_strength_multi(
        y=samples, sr=signals.SAMPLE_RATE, channels=[0, 32, 64, 96, 128]
    )
    return {
        "full": np.abs(spectrum) ** 2,
        "harmonic": np.abs(harmonic) ** 2,
        "percussive": np.abs(percussive) ** 2,
        "onset": onset,
    }


def assert_float32_equal(ours: Array, reference: Array) -> None:
    """Equal within float32 rounding; what is 1e-10 below the peak (100 dB) counts as nothing."""
    assert ours.dtype == np.float32
    assert ours.shape == reference.shape
    np.testing.assert_allclose(ours, reference, rtol=2e-4, atol=1e-10 * reference.max() + 1e-30)


@pytest.mark.parametrize("name", signals.ALL)
def test_powers_are_librosas(name: str) -> None:
    samples = signals.ALL[name]()
    ours, reference = stack_of(samples), librosa_stack(samples)
    for channel in ("full", "harmonic", "percussive"):
        assert_float32_equal(getattr(ours, channel), reference[channel])


@pytest.mark.parametrize("name", signals.ALL)
def test_onset_strength_is_librosas(name: str) -> None:
    samples = signals.ALL[name]()
    # A decibel of rounding noise 80 dB down is worth less than a thousandth of one here.
    np.testing.assert_allclose(
        stack_of(samples).onset, librosa_stack(samples)["onset"], rtol=1e-3, atol=2e-3
    )


@pytest.mark.parametrize("seconds", [1.0, 1.37, 4.2, 10.0])
def test_any_length_has_librosas_frames(seconds: float) -> None:
    samples = signals.music(seconds)
    ours, reference = stack_of(samples), librosa_stack(samples)
    for channel, expected in reference.items():
        assert getattr(ours, channel).shape == expected.shape
    assert_float32_equal(ours.harmonic, reference["harmonic"])


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(15, 120),
    m=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    levels=st.sampled_from([1, 2, 5, 10**6]),
)
def test_running_median_is_scipys(n: int, m: int, seed: int, levels: int) -> None:
    # Few distinct levels make ties, of which a sorting network must not lose count.
    x = np.random.default_rng(seed).integers(0, levels, (n, m)).astype(np.float32)
    expected = ndimage.median_filter(x, size=(31, 1), mode="reflect")
    np.testing.assert_array_equal(hpss.running_median(x), expected)


def test_running_median_of_a_spectrogram_both_ways() -> None:
    x = np.random.default_rng(0).random((1025, 431)).astype(np.float32)
    for view in (x, x.T):
        expected = ndimage.median_filter(view, size=(31, 1), mode="reflect")
        np.testing.assert_array_equal(hpss.running_median(view), expected)


def test_running_median_needs_half_a_kernel() -> None:
    with pytest.raises(ValueError, match="at least 15 rows"):
        hpss.running_median(np.ones((14, 3), np.float32))


@settings(max_examples=60, deadline=None)
@given(st.lists(POWERS, min_size=2, max_size=2))
def test_masks_share_every_bin(values: list[float]) -> None:
    harmonic, percussive = (np.array([v], np.float32) for v in values)
    masks = hpss.soft_masks(harmonic, percussive)
    assert masks[0] + masks[1] == pytest.approx(1, abs=1e-6)
    expected = librosa.util.softmask(
        np.sqrt(harmonic), np.sqrt(percussive), power=2, split_zeros=True
    )
    assert masks[0] == pytest.approx(expected, rel=1e-5, abs=1e-12)


def test_mel_projection_is_librosas() -> None:
    power = np.random.default_rng(0).random((1025, 50)).astype(np.float32)
    bank = librosa.filters.mel(sr=signals.SAMPLE_RATE, n_fft=2048)
    np.testing.assert_allclose(mel_project(power), bank @ power, rtol=1e-5)


def test_network_input_keeps_the_balance_and_ignores_the_volume() -> None:
    samples = signals.music()
    loud, quiet = (network_input(stack_of(gain * samples)) for gain in (1.0, 0.05))
    assert loud.shape == (4, 128, 431)
    assert loud.dtype == np.float32
    np.testing.assert_allclose(loud[:3], quiet[:3], atol=1e-3)
    np.testing.assert_allclose(loud[3], quiet[3], atol=5e-3)
    # One reference for the three: where the sound is all harmonic, percussion lies far below it.
    for samples, stronger, weaker in ((signals.tones(), 1, 2), (signals.clicks(), 2, 1)):
        power = (10 ** (2 * network_input(stack_of(samples)))).sum((1, 2))
        assert power[stronger] > 5 * power[weaker]


def test_network_input_is_in_units_of_20_decibels() -> None:
    stack = stack_of(signals.noise())
    channels = network_input(stack)
    bank = librosa.filters.mel(sr=signals.SAMPLE_RATE, n_fft=2048)
    reference = (bank @ stack.full).mean()
    for index, power in enumerate((stack.full, stack.harmonic, stack.percussive)):
        decibels = librosa.power_to_db(bank @ power, ref=reference, amin=1e-30, top_db=None)
        expected = np.maximum(decibels, -60) / 20
        np.testing.assert_allclose(channels[index], expected, atol=2e-3)
    np.testing.assert_allclose(channels[3, ::32], stack.onset / 10, rtol=1e-6)
