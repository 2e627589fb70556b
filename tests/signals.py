"""Sounds that tests make for themselves: mono float32 at 22 050 Hz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 22_050

Samples = NDArray[np.float32]


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def noise(seconds: float = 10.0, seed: int = 0) -> Samples:
    """White noise whose loudness swells and fades."""
    t = _time(seconds)
    samples = np.random.default_rng(seed).standard_normal(len(t)) * (0.15 + 0.1 * np.sin(5 * t))
    return samples.astype(np.float32)


def tones(seconds: float = 10.0) -> Samples:
    """A chord that changes every half second."""
    t = _time(seconds)
    root = 110 * 2 ** (np.floor(2 * t) % 7 / 12)
    phase = 2 * np.pi * np.cumsum(root) / SAMPLE_RATE
    chord = np.sin(phase) + 0.5 * np.sin(1.5 * phase) + 0.3 * np.sin(4 * phase)
    return (0.3 * chord).astype(np.float32)


def clicks(seconds: float = 10.0) -> Samples:
    """One full-scale sample every quarter of a second, and nothing between."""
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    samples[:: SAMPLE_RATE // 4] = 1.0
    return samples


def music(seconds: float = 10.0, seed: int = 1) -> Samples:
    """Chords, drums and a little hiss."""
    rng = np.random.default_rng(seed)
    t = _time(seconds)
    beat = t % 0.5
    kick = np.sin(2 * np.pi * (50 * beat + 3 * np.exp(-30 * beat))) * np.exp(-9 * beat)
    snare = rng.standard_normal(len(t)) * np.exp(-25 * ((t + 0.25) % 0.5))
    mixed = 0.5 * tones(seconds) + 0.5 * kick + 0.15 * snare + 1e-3 * rng.standard_normal(len(t))
    samples: Samples = (0.6 * mixed).astype(np.float32)
    return samples


def half_silent(seconds: float = 10.0) -> Samples:
    """Music that breaks off in the middle: exact zeros after it."""
    samples = music(seconds)
    samples[len(samples) // 2 :] = 0
    return samples


ALL = {"noise": noise, "tones": tones, "clicks": clicks, "music": music, "half_silent": half_silent}
