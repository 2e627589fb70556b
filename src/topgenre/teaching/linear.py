"""Fit a linear classifier to embeddings: logistic regression by L-BFGS."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_MEMORY = 8  # pairs of steps and gradients that L-BFGS keeps
_TOLERANCE = 1e-4  # relative decrease of the loss at which it stops


class Linear(NamedTuple):
    """Weights and offsets of a classifier on raw embeddings.

    Attributes
    ----------
    weights : ndarray of float32, shape (n_genres, n_embedding)
    offsets : ndarray of float32, shape (n_genres,)
    """

    weights: Floats
    offsets: Floats

    def logits(self, embeddings: Floats) -> Floats:
        """Return the logits of embeddings, shape (n, n_genres)."""
        logits: Floats = embeddings @ self.weights.T + self.offsets
        return logits


def fit_linear(
    embeddings: Floats, targets: Floats, weights: Floats, l2: float, *, max_steps: int = 60
) -> Linear:
    """Minimise the weighted mean cross-entropy with an L2 penalty.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, n_embedding)
    targets : ndarray of float32, shape (n, n_genres)
        Share of each genre; rows sum to 1.
    weights : ndarray of float32, shape (n,)
        Weight of each example.
    l2 : float
        Twice the factor of the squared weights, for standardised embeddings.
    max_steps : int

    Returns
    -------
    Linear

    Notes
    -----
    L-BFGS (Liu & Nocedal 1989) with backtracking. Memory beyond the examples is that of a few
    arrays of n × n_genres.
    """
    share = (weights / weights.sum()).astype(np.float32)[:, None]
    mean = (share * embeddings).sum(axis=0)
    scale = np.sqrt((share * (embeddings - mean) ** 2).sum(axis=0)) + 1e-3
    x = np.concatenate(
        [(embeddings - mean) / scale, np.ones((len(embeddings), 1), np.float32)], axis=1
    )

    def loss_and_gradient(w: Floats) -> tuple[float, Floats]:
        logits = x @ w
        logits -= logits.max(axis=1, keepdims=True)
        exponential = np.exp(logits)
        total = exponential.sum(axis=1, keepdims=True)
        loss = float((share * targets * (np.log(total) - logits)).sum())
        gradient = x.T @ (share * (exponential / total - targets))
        gradient[:-1] += l2 * w[:-1]
        return loss + l2 / 2 * float((w[:-1] ** 2).sum()), gradient

    w = np.zeros((x.shape[1], targets.shape[1]), np.float32)
    w[-1] = np.log(np.maximum((share * targets).sum(axis=0), 1e-6))
    loss, gradient = loss_and_gradient(w)
    pairs: list[tuple[Floats, Floats]] = []
    for _ in range(max_steps):
        direction = _direction(gradient, pairs)
        slope = float((direction * gradient).sum())
        step = 1.0
        while True:
            candidate = w + np.float32(step) * direction
            new_loss, new_gradient = loss_and_gradient(candidate)
            if new_loss <= loss + 1e-4 * step * slope or step < 1e-6:
                break
            step /= 2
        pairs = [*pairs[1 - _MEMORY :], (candidate - w, new_gradient - gradient)]
        decrease = loss - new_loss
        w, loss, gradient = candidate, new_loss, new_gradient
        if decrease <= _TOLERANCE * max(abs(loss), 1e-3):
            break
    slopes = w[:-1].T / scale
    return Linear(slopes.astype(np.float32), (w[-1] - slopes @ mean).astype(np.float32))


def _direction(gradient: Floats, pairs: list[tuple[Floats, Floats]]) -> Floats:
    """Return the quasi-Newton direction of descent (two-loop recursion)."""
    q = -gradient
    factors = []
    for step, change in reversed(pairs):
        curvature = float((step * change).sum())
        if curvature <= 1e-10:
            factors.append((0.0, 0.0))
            continue
        factor = float((step * q).sum()) / curvature
        q = q - np.float32(factor) * change
        factors.append((factor, curvature))
    if pairs:
        step, change = pairs[-1]
        q = q * np.float32(
            max(float((step * change).sum()), 1e-10) / float((change**2).sum() + 1e-12)
        )
    for (step, change), (factor, curvature) in zip(pairs, reversed(factors), strict=True):
        if curvature:
            q = q + np.float32(factor - float((change * q).sum()) / curvature) * step
    return q
