"""Grouped cross-validation: every labelled clip is judged by a network that has not seen it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.evaluation.calibration import fit_temperature, softmax
from topgenre.training.data import Blocks

HELD_OUT = "held_out"  # in the card of a fold's model: the clips that it may be measured on


class Judged(NamedTuple):
    """What a network says of the middle blocks of the clips that it has not seen."""

    logits: NDArray[np.float32]  # (n, n_genres)
    truth: NDArray[np.int64]  # (n,)


def folds(blocks: Blocks, n_folds: int) -> list[NDArray[np.str_]]:
    """Split the labelled clips so that those of an artist stay together where known.

    The first fold is the published ``valid``. The others are runs of neighbouring names within
    each genre of ``train``, since the clips of an artist mostly have neighbouring numbers.

    Returns
    -------
    list of ndarray of str
        For each fold the split of every block, with the fold as ``valid``.
    """
    labelled = blocks.label >= 0
    fold = np.zeros(len(blocks.label), np.int64)
    for genre in range(len(blocks.genres)):
        rows = np.flatnonzero((blocks.label == genre) & (blocks.split != "valid"))
        names, clip = np.unique(blocks.name[rows], return_inverse=True)
        fold[rows] = 1 + clip * (n_folds - 1) // max(1, len(names))
    return [
        np.where(labelled, np.where(fold == number, "valid", "train"), blocks.split)
        for number in range(n_folds)
    ]


def temperatures(runs: Sequence[Judged]) -> list[float]:
    """Return a temperature for each fold, fitted to the others; to itself if it is the only one."""
    found = []
    for number, judged in enumerate(runs):
        others = [other for index, other in enumerate(runs) if index != number] or [judged]
        logits = np.concatenate([other.logits for other in others])
        found.append(fit_temperature(logits, np.concatenate([other.truth for other in others])))
    return found


def calibrated(runs: Sequence[Judged]) -> NDArray[np.float64]:
    """Return the probabilities of all folds, each with a temperature fitted to the others."""
    each = zip(runs, temperatures(runs), strict=True)
    return np.concatenate([softmax(judged.logits / temperature) for judged, temperature in each])
