"""Sounds that are no music: noises, tones, hums and clicks, for the network to know them by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from topgenre.audio import SAMPLE_RATE
from topgenre.training.examples import BLOCK_SAMPLES

Array = NDArray[np.float32]


def not_music(n: int, seed: int) -> Iterator[Array]:
    """Yield `n` different ten-second blocks that hold no music.

    Parameters
    ----------
    n : int
        How many; their kinds take turns.
    seed : int
        The same seed gives the same sounds.
    """
    rng = np.random.default_rng(seed)
    kinds = (_noise, _gusts, _tone, _steady_chord, _sweep, _hum, _clicks, _beeps)
    for index in range(n):
        samples = kinds[index % len(kinds)](rng)
        if rng.random() < 0.5:
            samples = samples + 10 ** rng.uniform(-3, -1) * np.std(samples) * _noise(rng)
        yield (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def _time() -> NDArray[np.float64]:
    return np.arange(BLOCK_SAMPLES) / SAMPLE_RATE


def _noise(rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of some slope (white to brown) and band."""
    spectrum = np.fft.rfft(rng.standard_normal(BLOCK_SAMPLES))
    hertz = np.fft.rfftfreq(BLOCK_SAMPLES, 1 / SAMPLE_RATE)
    spectrum *= np.maximum(hertz, 20) ** -rng.uniform(0, 1)
    if rng.random() < 0.5:
        low, high = np.sort(np.exp(rng.uniform(np.log(30), np.log(11_000), 2)))
        spectrum *= (hertz > low) & (hertz < max(high, 1.3 * low))
    noise = np.fft.irfft(spectrum, BLOCK_SAMPLES)
    return np.asarray(noise / (np.std(noise) + 1e-12))


def _gusts(rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise that swells and fades, as wind, surf and traffic do."""
    rate, depth = rng.uniform(0.1, 6), rng.uniform(0.3, 1)
    return _noise(rng) * (1 - depth * 0.5 * (1 + np.sin(2 * np.pi * rate * _time())))


def _wave(rng: np.random.Generator, hertz: float) -> NDArray[np.float64]:
    phase = 2 * np.pi * hertz * _time() + rng.uniform(0, 6)
    sine = np.sin(phase)
    return (sine, np.sign(sine), (phase / np.pi) % 2 - 1)[rng.integers(3)]


def _tone(rng: np.random.Generator) -> NDArray[np.float64]:
    return _wave(rng, np.exp(rng.uniform(np.log(40), np.log(8000))))


def _steady_chord(rng: np.random.Generator) -> NDArray[np.float64]:
    total = np.zeros(BLOCK_SAMPLES)
    for _ in range(rng.integers(2, 6)):
        total += _tone(rng)
    return total


def _sweep(rng: np.random.Generator) -> NDArray[np.float64]:
    period = rng.uniform(0.5, 10)
    octaves = rng.uniform(1, 7) * (_time() % period) / period
    hertz = np.minimum(40 * 2 ** (rng.uniform(0, 4) + octaves), 11_000)
    return np.asarray(np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE))


def _hum(rng: np.random.Generator) -> NDArray[np.float64]:
    """Mains and machines: many harmonics of one low tone."""
    base = rng.uniform(25, 130)
    total = np.zeros(BLOCK_SAMPLES)
    for k in range(1, 20):
        total += rng.uniform(0, 1) / k * np.sin(2 * np.pi * k * base * _time())
    return total


def _clicks(rng: np.random.Generator) -> NDArray[np.float64]:
    """Short bursts at random or regular moments."""
    n = int(rng.integers(5, 120))
    moments = rng.uniform(0, 1, n) if rng.random() < 0.5 else np.arange(n) / n
    train = np.zeros(BLOCK_SAMPLES)
    train[(moments * (BLOCK_SAMPLES - 1)).astype(int)] = rng.uniform(0.3, 1, n)
    burst = rng.standard_normal(2048) * np.exp(-np.arange(2048) / rng.uniform(2, 400))
    size = 2 * BLOCK_SAMPLES
    return np.fft.irfft(np.fft.rfft(train, size) * np.fft.rfft(burst, size), size)[:BLOCK_SAMPLES]


def _beeps(rng: np.random.Generator) -> NDArray[np.float64]:
    """Key a tone on and off, as alarms and telephones do."""
    return _tone(rng) * ((_time() * rng.uniform(0.5, 8)) % 1 < rng.uniform(0.2, 0.8))
