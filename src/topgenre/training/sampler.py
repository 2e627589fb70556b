"""Weigh labelled blocks, so that genres and clips count equally."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def balanced_weights(
    clips: NDArray[np.str_],
    labels: NDArray[np.int64],
    collections: NDArray[np.str_],
    n_genres: int,
    other_weight: float,
) -> NDArray[np.float64]:
    """Weigh labelled blocks: genres count equally, and clips equally within a genre.

    Parameters
    ----------
    clips, collections : ndarray of str, shape (n,)
    labels : ndarray of int64, shape (n,)
    n_genres : int
    other_weight : float
        How many times a clip of another collection counts.

    Returns
    -------
    ndarray of float64, shape (n,)
        Their sum is 1.
    """
    if not len(labels):
        return np.zeros(0)
    _, clip, blocks_of = np.unique(clips, return_inverse=True, return_counts=True)
    weight = np.where(collections == "", 1.0, other_weight) / blocks_of[clip]
    weight /= np.bincount(labels, weight, minlength=n_genres)[labels]
    return np.asarray(weight / weight.sum())
