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


def fit_temperature(logits: Floats, labels: NDArray[np.int64]) -> float:
    """Find the temperature with the least log loss (Guo et al. 2017), between 0.2 and 5.

    Parameters
    ----------
    logits : ndarray, shape (n, n_genres)
        Of clips that the network was not trained on.
    labels : ndarray of int64, shape (n,)
    """

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(softmax(logits / np.exp(log_temperature)), labels)

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


def uncertain_below(probabilities: Floats) -> float:
    """Return the confidence that all but `UNCERTAIN_SHARE` of these clips reach."""
    return float(np.quantile(probabilities.max(axis=1), UNCERTAIN_SHARE))
