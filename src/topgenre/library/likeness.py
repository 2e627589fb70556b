"""Find the spectrogram in which two songs are closest.

Each spectrogram of the analysed ten seconds is reduced to one feature. The distance of two songs in
a feature is expressed as a quantile of the distances of arbitrary pairs, which makes the four
comparable.

=============  =====================================================================================
full           Mean level in each mel band: the balance of low and high.
harmonic       Mean harmonic level relative to the full level in the same band.
percussive     Mean percussive level relative to the full level in the same band.
onset          Autocorrelation of the onset strength in the four sub-bands: the rhythm.
=============  =====================================================================================

The reference pairs come from the clips of at least 25 s that the network was trained or validated
on. Among nearest neighbours, one spectrogram stood out in about half of the pairs, and in four out
of five of those it was also the closest in another ten seconds of the same songs (by chance, one in
three). So it is worth mentioning as a reason, but not more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topgenre.spectrograms import CHANNELS, Spectrograms, network_input

NEAR_FROM = 0.75  # least share of pairs farther apart for a spectrogram to be named
STANDS_OUT_BY = 0.05  # least lead of that share over the next spectrogram's

_DB = 20.0  # of one unit of the network's input
_LAGS = slice(10, 200)  # frames: 0.23 to 4.6 s, a beat to two bars
_TRANSFORM = 1024  # points: more than the longest sound plus the longest lag

# Quantiles of the distances of pairs: 0, 5, ... 100 %.
_REFERENCE: Mapping[str, tuple[float, ...]] = {
    "full": (
        *(0.668, 4.50, 5.48, 6.24, 6.86, 7.40, 7.90, 8.36, 8.81, 9.27, 9.75),
        *(10.27, 10.83, 11.45, 12.14, 12.97, 13.94, 15.16, 16.80, 19.36, 31.81),
    ),
    "harmonic": (
        *(0.431, 1.78, 1.96, 2.09, 2.19, 2.28, 2.37, 2.45, 2.53, 2.61, 2.69),
        *(2.78, 2.87, 2.97, 3.07, 3.19, 3.33, 3.49, 3.72, 4.08, 7.29),
    ),
    "percussive": (
        *(0.408, 2.38, 2.64, 2.83, 2.99, 3.14, 3.28, 3.43, 3.57, 3.73, 3.90),
        *(4.08, 4.28, 4.50, 4.74, 5.01, 5.29, 5.61, 6.04, 6.84, 11.61),
    ),
    "onset": (
        *(0.048, 0.093, 0.105, 0.115, 0.123, 0.130, 0.137, 0.144, 0.151, 0.157, 0.164),
        *(0.170, 0.176, 0.183, 0.190, 0.198, 0.206, 0.216, 0.228, 0.245, 0.340),
    ),
}

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How close two songs are in each of the four spectrograms.

    Attributes
    ----------
    closeness : mapping of str to float
        For each of `topgenre.spectrograms.CHANNELS`, the share of reference pairs that are farther
        apart: 1 is the closest.
    closest : str or None
        The spectrogram in which they are closest, if it is close (`NEAR_FROM`) and stands out
        (`STANDS_OUT_BY`).
    """

    closeness: Mapping[str, float]
    closest: str | None

    def to_dict(self) -> dict[str, float]:
        """Return the JSON object: closeness by spectrogram."""
        return {channel: round(share, 3) for channel, share in self.closeness.items()}


def traits(spectrograms: Spectrograms) -> dict[str, Array]:
    """Reduce the four spectrograms of a song to the features that `compare` takes.

    Returns
    -------
    dict of str to ndarray of float32
        For full, harmonic and percussive of shape (128,) in dB, for onset of shape (4, n_lags).
    """
    full, harmonic, percussive, _ = _DB * network_input(spectrograms).mean(axis=2)
    return {
        "full": full,
        "harmonic": harmonic - full,
        "percussive": percussive - full,
        "onset": _autocorrelation(spectrograms.onset),
    }


def _autocorrelation(onset: Array) -> Array:
    """Return the autocorrelation of each sub-band; zero for one without onsets."""
    centred = onset - onset.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(centred, _TRANSFORM)) ** 2
    correlation = np.fft.irfft(power)
    start = np.maximum(correlation[:, :1], np.float32(1e-9))
    found: Array = (correlation / start)[:, _LAGS].astype(np.float32)
    return found


def compare(one: Mapping[str, Array], other: Mapping[str, Array]) -> Likeness:
    """Compare two songs by their `traits`."""
    closeness = {}
    for channel in CHANNELS:
        distance = float(np.sqrt(np.square(one[channel] - other[channel]).mean()))
        quantiles = _REFERENCE[channel]
        nearer = np.interp(distance, quantiles, np.linspace(0, 1, len(quantiles)))
        closeness[channel] = 1 - float(nearer)
    (first, best), (_, second), *_ = sorted(closeness.items(), key=lambda item: -item[1])
    named = best >= NEAR_FROM and best - second >= STANDS_OUT_BY
    return Likeness(closeness, first if named else None)
