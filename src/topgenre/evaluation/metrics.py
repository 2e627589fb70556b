"""Figures of merit, each with the interval that its sample size allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

_RESAMPLES = 2000
_LEVEL = (2.5, 97.5)  # percentiles of a 95 % interval


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % bootstrap interval over clips."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def top_k_hits(probabilities: Floats, labels: Integers, k: int) -> NDArray[np.bool_]:
    """Say for each clip whether its label is among the `k` most probable genres."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    hits: NDArray[np.bool_] = (best == labels[:, None]).any(axis=1)
    return hits


def expected_calibration_error(probabilities: Floats, labels: Integers, n_bins: int = 10) -> float:
    """Return the expected calibration error over equal-width bins of confidence (Guo et al. 2017).

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_genres)
    labels : ndarray of int64, shape (n,)
    n_bins : int

    Returns
    -------
    float
        Mean distance between confidence and accuracy, weighted by the clips in each bin.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(bins, confidence - correct, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(labels))


def negative_log_likelihood(probabilities: Floats, labels: Integers) -> float:
    """Mean negative natural logarithm of the probability given to the true genre."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def figures(probabilities: Floats, labels: Integers, seed: int = 0) -> dict[str, Figure]:
    """Return accuracy, top-3 accuracy, ECE and log loss, each with its interval.

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_genres)
    labels : ndarray of int64, shape (n,)
    seed : int
        Of the bootstrap.
    """
    measures = {
        "accuracy": lambda p, y: top_k_hits(p, y, 1).mean(),
        "top3": lambda p, y: top_k_hits(p, y, 3).mean(),
        "ece": expected_calibration_error,
        "log_loss": negative_log_likelihood,
    }
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(labels), (_RESAMPLES, len(labels)))
    return {
        name: Figure(
            float(measure(probabilities, labels)),
            *map(
                float,
                np.percentile([measure(probabilities[d], labels[d]) for d in draws], _LEVEL),
            ),
        )
        for name, measure in measures.items()
    }


def interval_of_mean(values: Floats, seed: int = 0) -> Figure:
    """Return the mean of a value a clip, with its interval."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (_RESAMPLES, len(values)))].mean(axis=1)
    return Figure(float(values.mean()), *map(float, np.percentile(means, _LEVEL)))


def confusion(probabilities: Floats, labels: Integers) -> Integers:
    """Count clips by true genre (rows) and most probable genre (columns)."""
    n_genres = probabilities.shape[1]
    cells = labels * n_genres + probabilities.argmax(axis=1)
    counts: Integers = np.bincount(cells, minlength=n_genres**2).reshape(n_genres, n_genres)
    return counts


def area_under_curve(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve; not a number without both kinds."""
    order = np.argsort(scores, kind="stable")
    _, first, counts = np.unique(scores[order], return_index=True, return_counts=True)
    ranks = np.empty(len(scores))
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    wins = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(wins / (n_positive * n_negative))
