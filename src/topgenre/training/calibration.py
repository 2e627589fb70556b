"""Calibration: temperatures for 10 s and for whole tracks, and the threshold of doubt."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.evaluation.metrics import negative_log_likelihood, softmax

Floats = NDArray[np.floating[Any]]

UNCERTAIN_SHARE = 0.08  # of music of the known genres that may be marked as not sure
_CANDIDATES = np.geomspace(0.2, 5, 200)


class HeldOut(NamedTuple):
    """Outputs of a network for blocks of clips that it has not seen.

    Attributes
    ----------
    logits : ndarray of float32, shape (n, n_genres)
    tags : ndarray of float32, shape (n, n_tags)
    rows : ndarray of int64, shape (n,)
        Of the examples.
    """

    logits: NDArray[np.float32]
    tags: NDArray[np.float32]
    rows: NDArray[np.int64]


def fit_temperature(logits: Floats, labels: NDArray[np.int64], group: NDArray[Any]) -> float:
    """Find the temperature with the least log loss (Guo et al. 2017), between 0.2 and 5.

    Parameters
    ----------
    logits : ndarray, shape (n, n_genres)
        Of clips that the network was not trained on.
    labels : ndarray of int64, shape (n,)
    group : ndarray, shape (n,)
        Kinds of clips that count equally, however many clips each has.
    """
    losses = [_loss(softmax(logits / t), labels, group) for t in _CANDIDATES]
    return float(_CANDIDATES[int(np.argmin(losses))])


def fit_whole_temperature(
    means: Floats, temperature: float, labels: NDArray[np.int64], group: NDArray[Any]
) -> float:
    """Find the temperature for mean probabilities over the windows of whole tracks.

    Parameters
    ----------
    means : ndarray, shape (n, n_genres)
        Mean probabilities, with `temperature`, of each track.
    temperature : float
        For single windows.
    labels : ndarray of int64, shape (n,)
    group : ndarray, shape (n,)
        As for `fit_temperature`.
    """
    logits = np.log(np.maximum(means, 1e-12)) * temperature
    return fit_temperature(logits, labels, group)


def uncertain_below(probabilities: Floats) -> float:
    """Return the confidence that all but `UNCERTAIN_SHARE` of these clips reach."""
    return float(np.quantile(probabilities.max(axis=1), UNCERTAIN_SHARE))


def _loss(probabilities: Floats, labels: NDArray[np.int64], group: NDArray[Any]) -> float:
    kinds = np.unique(group)
    losses = [
        negative_log_likelihood(probabilities[group == kind], labels[group == kind])
        for kind in kinds
    ]
    return float(np.mean(losses))
