"""Fit the temperature, and the confidence below which an answer is not sure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topgenre.evaluation.metrics import negative_log_likelihood

Floats = NDArray[np.floating[Any]]

UNCERTAIN_SHARE = 0.08  # of real clips that may come out as uncertain


def softmax(logits: Floats) -> Floats:
    """Return the softmax of each row."""
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exponential / exponential.sum(axis=1, keepdims=True)
    return probabilities


def fit_temperature(
    logits: Floats, labels: NDArray[np.int64], group: NDArray[Any] | None = None
) -> float:
    """Find the temperature with the least log loss (Guo et al. 2017), between 0.2 and 5.

    Parameters
    ----------
    logits : ndarray, shape (n, n_genres)
        Of clips that the network was not trained on.
    labels : ndarray of int64, shape (n,)
    group : ndarray, shape (n,), optional
        Kinds of clips that count equally, however many clips each has.
    """
    if group is None:
        group = np.zeros(len(labels))
    kinds = [group == kind for kind in np.unique(group)]

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature))
        losses = [negative_log_likelihood(probabilities[kind], labels[kind]) for kind in kinds]
        return float(np.mean(losses))

    # Golden-section search: as a function of the temperature, the loss has one minimum.
    golden = (5**0.5 - 1) / 2
    low, high = np.log(0.2), np.log(5)
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-3:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2))


def fit_whole_temperature(
    means: Floats,
    temperature: float,
    labels: NDArray[np.int64],
    group: NDArray[Any] | None = None,
) -> float:
    """Find the temperature for the mean probabilities over the windows of whole tracks.

    Parameters
    ----------
    means : ndarray, shape (n, n_genres)
        Mean probabilities of each track.
    temperature : float
        That of the single windows.
    labels : ndarray of int64, shape (n,)
    group : ndarray, shape (n,), optional
        As for `fit_temperature`.
    """
    return fit_temperature(np.log(np.maximum(means, 1e-12)) * temperature, labels, group)


def uncertain_below(probabilities: Floats, share: float = UNCERTAIN_SHARE) -> float:
    """Return the confidence that all but a share of these clips reach."""
    return float(np.quantile(probabilities.max(axis=1), share))
