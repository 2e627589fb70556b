"""The four spectrograms of a segment, the file that keeps them, and the network's input.

Each has the semantics of librosa 0.11 at default parameters: ``stft`` (Hann window, centred, zero
padding), ``decompose.hpss`` on it, and ``onset.onset_strength_multi`` over four mel sub-bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from topgenre import hpss
from topgenre.audio import SAMPLE_RATE, Segment, keep_freed_memory

N_FFT = 2048  # samples in a window: 93 ms
HOP_LENGTH = 512  # samples between windows: 23 ms
N_MELS = 128  # mel bands from 0 Hz to the Nyquist frequency
ONSET_CHANNELS = (0, 32, 64, 96, 128)  # mel bands that bound the four onset sub-bands
N_BINS = N_FFT // 2 + 1
# Frames: one is stamped with its centre, so its rise is heard half a window later.
ONSET_DELAY = 1 + N_FFT // (2 * HOP_LENGTH)
CHANNELS = ("full", "harmonic", "percussive", "onset")
DB_OF_LOG = 10 / float(np.log(10))  # decibels of a natural logarithm of power
AMIN = 1e-10  # the power that librosa.power_to_db takes for zero
TOP_DB = 80.0  # and how far below the loudest value it lets any other fall
LEVEL_FLOOR = 1e-6  # of the network's input: 60 dB below the mean of the full mel power
LEVEL_UNIT_DB = 20.0  # of the network's input, where it is power
ONSET_UNIT_DB = 10.0  # and where it is onset strength

_FRAMES_AT_ONCE = 32  # of the Fourier transform: they stay in the cache
_FRAMES_OF_A_PRODUCT = 512
_BANDS_AT_ONCE = 4  # of the mel projection: more would multiply more zeros

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Spectrograms:
    """Four spectrograms of one segment on one time axis.

    Attributes
    ----------
    full, harmonic, percussive : ndarray of float32, shape (1025, n_frames)
        Power (squared magnitude) in the bins of 0 ... 11 025 Hz, `HOP_LENGTH` samples a frame.
    onset : ndarray of float32, shape (4, n_frames)
        Mean rise in dB from the frame before, in the mel sub-bands of `ONSET_CHANNELS`.
    start, end : float
        The segment in seconds from the beginning of the source.
    source : str
        The source as the caller named it.
    notices : tuple of str
        What was noticed while decoding.
    duration : float, optional
        Seconds of the whole source, where it is known.
    """

    full: Array
    harmonic: Array
    percussive: Array
    onset: Array
    start: float
    end: float
    source: str
    notices: tuple[str, ...] = ()
    duration: float | None = None


def mel_edges(n_mels: int, highest: float) -> NDArray[np.float64]:
    """Return the n_mels + 2 frequencies in Hz, from 0 to `highest`, between which mel bands lie.

    Band i rises from edge i to edge i + 1 and falls to edge i + 2. Slaney's mel scale, linear below
    1 kHz (15 mel) and logarithmic above (``librosa.mel_frequencies``).
    """
    mels = np.linspace(0, 15 + 27 * np.log(highest / 1000) / np.log(6.4), n_mels + 2)
    return np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))


def mel_filters(n_mels: int, n_fft: int, sample_rate: float) -> NDArray[np.float64]:
    """Return mel triangles with Slaney's area normalisation, shape (n_mels, 1 + n_fft // 2)."""
    edges = mel_edges(n_mels, sample_rate / 2)[:, None]
    bins = np.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    ramps = (bins - edges[:-1]) / np.diff(edges, axis=0)
    return np.maximum(0, np.minimum(ramps[:-1], 1 - ramps[1:])) * 2 / (edges[2:] - edges[:-2])


@cache
def _mel_bank() -> list[tuple[slice, slice, Array]]:
    """Lay out the mel triangles as a few small matrices: their matrix is nearly all zeros.

    Returns
    -------
    list of (slice, slice, ndarray)
        Neighbouring bands, the bins that they cover, and their weights.
    """
    weights = mel_filters(N_MELS, N_FFT, SAMPLE_RATE)
    bank = []
    for first in range(0, N_MELS, _BANDS_AT_ONCE):
        bands = slice(first, first + _BANDS_AT_ONCE)
        covered = np.flatnonzero(weights[bands].any(axis=0))
        span = slice(int(covered[0]), int(covered[-1]) + 1)
        bank.append((bands, span, weights[bands, span].astype(np.float32)))
    return bank


def mel_project(power: Array) -> Array:
    """Project a power spectrogram onto 128 mel bands of 0 ... 11 025 Hz.

    Parameters
    ----------
    power : ndarray of float32, shape (1025, n_frames)

    Returns
    -------
    ndarray of float32, shape (128, n_frames)
        ``librosa.filters.mel(sr=22050, n_fft=2048) @ power``, at the cost of one pass over
        memory. Each matrix product is so small that OpenBLAS does not spread it over threads,
        which would fight other workers.
    """
    projected = np.empty((N_MELS, power.shape[1]), np.float32)
    for first in range(0, power.shape[1], _FRAMES_OF_A_PRODUCT):
        frames = slice(first, first + _FRAMES_OF_A_PRODUCT)
        for bands, bins, weights in _mel_bank():
            np.matmul(weights, power[bins, frames], out=projected[bands, frames])
    return projected


@cache
def hann_window() -> Array:
    """Return the window of the Fourier transform, shape (2048,)."""
    window: Array = np.hanning(N_FFT + 1)[:-1].astype(np.float32)  # periodic, as for filters
    return window


def stft_power(samples: Array) -> Array:
    """Return the power spectrogram, frames first: shape (n_frames, 1025).

    ``abs(librosa.stft(samples)) ** 2`` transposed, with n_frames = 1 + n_samples // 512.
    """
    padded = np.pad(samples, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    power = np.empty((len(frames), N_BINS), np.float32)
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        rows = slice(first, first + _FRAMES_AT_ONCE)
        spectrum = np.fft.rfft(frames[rows] * hann_window())
        np.square(spectrum.real, out=power[rows])
        power[rows] += np.square(spectrum.imag)
    return power


def onset_strength(mel_power: Array) -> Array:
    """Return the onset strength of four sub-bands, shape (4, n_frames).

    Parameters
    ----------
    mel_power : ndarray of float32, shape (128, n_frames)
        Mel-projected power spectrogram.
    """
    decibels = np.float32(DB_OF_LOG) * np.log(np.maximum(mel_power, np.float32(AMIN)))
    np.maximum(decibels, decibels.max() - np.float32(TOP_DB), out=decibels)
    rise = np.maximum(np.diff(decibels, axis=1), 0)
    n_frames = mel_power.shape[1]
    strength = np.zeros((len(ONSET_CHANNELS) - 1, n_frames), np.float32)
    bands = rise.reshape(len(strength), -1, n_frames - 1).mean(axis=1)
    strength[:, ONSET_DELAY:] = bands[:, : n_frames - ONSET_DELAY]
    return strength


def compute(segment: Segment, source: str = "") -> Spectrograms:
    """Compute the four spectrograms of a segment.

    Parameters
    ----------
    segment : Segment
        At least half a second of mono sound at 22 050 Hz.
    source : str
        What to call the segment's source.

    Returns
    -------
    Spectrograms

    References
    ----------
    D. Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010.
    """
    keep_freed_memory()
    full, harmonic, percussive = _powers(segment.samples)
    return Spectrograms(
        full=full,
        harmonic=harmonic,
        percussive=percussive,
        onset=onset_strength(mel_project(full)),
        start=segment.start,
        end=segment.end,
        source=source,
        notices=segment.notices,
        duration=segment.duration,
    )


def _powers(samples: Array) -> tuple[Array, Array, Array]:
    """Return full, harmonic and percussive power, each of shape (1025, n_frames)."""
    by_frame = stft_power(samples)
    full = np.ascontiguousarray(by_frame.T)
    harmonic, percussive = np.empty_like(full), np.empty_like(full)
    hpss.running_median(by_frame, out=harmonic.T)
    hpss.running_median(full, out=percussive)
    hpss.share_power(full, harmonic, percussive)
    return full, harmonic, percussive


def network_input(spectrograms: Spectrograms) -> Array:
    """Project the stack onto the mel axis: the four channels that the network reads.

    Parameters
    ----------
    spectrograms : Spectrograms

    Returns
    -------
    ndarray of float32, shape (4, 128, n_frames)
        Channels 0 to 2: mel power of full, harmonic and percussive in units of 20 dB, all three
        relative to the mean mel power of *full*, from -3 (60 dB below it) upwards. One reference
        for all keeps the balance of harmonic and percussive sound, and makes the input the same
        at any volume. Channel 3: onset strength in units of 10 dB, each sub-band's value on the
        32 mel bands it stands for.
    """
    powers = (spectrograms.full, spectrograms.harmonic, spectrograms.percussive)
    channels = np.empty((len(CHANNELS), N_MELS, spectrograms.full.shape[1]), np.float32)
    levels = channels[:3]
    for level, power in zip(levels, powers, strict=True):
        level[:] = mel_project(power)
    levels /= np.float32(max(float(levels[0].mean()), AMIN))
    np.maximum(levels, np.float32(LEVEL_FLOOR), out=levels)
    np.log(levels, out=levels)  # a quarter of the time of `np.log10`
    levels *= np.float32(DB_OF_LOG / LEVEL_UNIT_DB)
    onset = spectrograms.onset * np.float32(1 / ONSET_UNIT_DB)
    channels[3] = np.repeat(onset, N_MELS // len(onset), axis=0)
    return channels
