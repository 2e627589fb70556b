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
from topgenre.audio import SAMPLE_RATE, Segment

N_FFT = 2048  # samples in a window: 93 ms
HOP_LENGTH = 512  # samples between windows: 23 ms
N_MELS = 128  # mel bands from 0 Hz to the Nyquist frequency
ONSET_CHANNELS = (0, 32, 64, 96, 128)  # mel bands that bound the four onset sub-bands
N_BINS = N_FFT // 2 + 1
CHANNELS = ("full", "harmonic", "percussive", "onset")

_FRAMES_AT_ONCE = 16  # of the Fourier transform: they stay in the cache
_AMIN = 1e-10  # the power that librosa.power_to_db takes for zero
_TOP_DB = 80.0  # and how far below the loudest value it lets any other fall

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


@cache
def _mel_ramps() -> tuple[NDArray[np.intp], Array, Array]:
    """Lay out the mel triangles as what they are: rising and falling ramps between edges.

    Between two neighbouring edges one triangle falls while the next one rises, so each bin counts
    for two bands only.

    Returns
    -------
    tuple of ndarray
        First bin after each of the first 129 edges; the ramps (2, 1025, 1), rising and falling;
        and Slaney's area normalisation (128, 1).
    """
    edges = mel_edges(N_MELS, SAMPLE_RATE / 2)
    bins = np.linspace(0, SAMPLE_RATE / 2, N_BINS)
    first = np.searchsorted(bins, edges[:-1])
    position = np.interp(bins, edges, np.arange(len(edges)))
    rising = position - np.repeat(np.arange(N_MELS + 1), np.diff(first, append=N_BINS))
    ramps = np.stack([rising, 1 - rising])[..., None]
    area = 2 / (edges[2:] - edges[:-2])
    return first, ramps.astype(np.float32), area[:, None].astype(np.float32)


def mel_project(power: Array) -> Array:
    """Project a power spectrogram onto 128 mel bands of 0 ... 11 025 Hz.

    Parameters
    ----------
    power : ndarray of float32, shape (1025, n_frames)

    Returns
    -------
    ndarray of float32, shape (128, n_frames)
        ``librosa.filters.mel(sr=22050, n_fft=2048) @ power``, at the cost of two passes over
        memory: no matrix product, and so no threads of a BLAS that would fight other workers.
    """
    first, (rising, falling), area = _mel_ramps()
    bands = np.add.reduceat(power * rising, first, axis=0)[:-1]
    bands += np.add.reduceat(power * falling, first, axis=0)[1:]
    bands *= area
    projected: Array = bands
    return projected


def stft_power(samples: Array) -> Array:
    """Return the power spectrogram, frames first: shape (n_frames, 1025).

    ``abs(librosa.stft(samples)) ** 2`` transposed, with n_frames = 1 + n_samples // 512.
    """
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)  # periodic, as for filters
    padded = np.pad(samples, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    power = np.empty((len(frames), N_BINS), np.float32)
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        rows = slice(first, first + _FRAMES_AT_ONCE)
        spectrum = np.fft.rfft(frames[rows] * window)
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
    decibels = 10 * np.log10(np.maximum(mel_power, np.float32(_AMIN)))
    np.maximum(decibels, decibels.max() - np.float32(_TOP_DB), out=decibels)
    rise = np.maximum(np.diff(decibels, axis=1), 0)
    n_frames = mel_power.shape[1]
    strength = np.zeros((len(ONSET_CHANNELS) - 1, n_frames), np.float32)
    # A frame is stamped with its centre, so its rise is heard half a window later.
    delay = 1 + N_FFT // (2 * HOP_LENGTH)
    bands = rise.reshape(len(strength), -1, n_frames - 1).mean(axis=1)
    strength[:, delay:] = bands[:, : n_frames - delay]
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
    by_frame = stft_power(segment.samples)
    by_bin = np.ascontiguousarray(by_frame.T)
    harmonic = np.empty_like(by_bin)
    hpss.running_median(np.sqrt(by_frame, out=by_frame), out=harmonic.T)
    percussive = hpss.running_median(np.sqrt(by_bin))
    hpss.share_power(by_bin, harmonic, percussive)
    return Spectrograms(
        full=by_bin,
        harmonic=harmonic,
        percussive=percussive,
        onset=onset_strength(mel_project(by_bin)),
        start=segment.start,
        end=segment.end,
        source=source,
        notices=segment.notices,
        duration=segment.duration,
    )


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
    mel = np.stack(
        [
            mel_project(power)
            for power in (spectrograms.full, spectrograms.harmonic, spectrograms.percussive)
        ]
    )
    reference = max(float(mel[0].mean()), _AMIN)
    channels = np.empty((len(CHANNELS), N_MELS, mel.shape[2]), np.float32)
    np.log10(np.maximum(mel / np.float32(reference), np.float32(1e-6)), out=channels[:3])
    channels[:3] *= 0.5
    channels[3] = np.repeat(spectrograms.onset * np.float32(0.1), N_MELS // 4, axis=0)
    return channels
