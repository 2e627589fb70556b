"""Teach genres: fit a head to examples, calibrated by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topgenre.evaluation.calibration import uncertain_below
from topgenre.head import GenreHead
from topgenre.teaching.examples import Examples
from topgenre.teaching.linear import fit_linear
from topgenre.teaching.measure import Measured, cross_validate

_UNMEASURED_PENALTY = 0.3
_UNMEASURED_TEMPERATURE = 1.5  # careful: a classifier is surer of what it has learnt


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A head, and how it was measured.

    Attributes
    ----------
    head : GenreHead
    examples : Examples
    measured : Measured or None
        None if all songs are of one artist, so that nothing can be measured.
    """

    head: GenreHead
    examples: Examples
    measured: Measured | None


def teach_examples(examples: Examples, network: str, name: str = "my genres") -> Taught:
    """Fit a head to examples.

    Parameters
    ----------
    examples : Examples
    network : str
        SHA-256 of the model file that the embeddings come from, in hexadecimal digits.
    name : str
        What results call the genres.

    Returns
    -------
    Taught
    """
    measured = cross_validate(examples)
    penalty = measured.penalty if measured else _UNMEASURED_PENALTY
    linear = fit_linear(
        examples.embeddings, examples.targets[examples.song], examples.weights, penalty
    )
    chance = 1.5 / len(examples.genres)
    head = GenreHead(
        name=name,
        genres=examples.genres,
        weights=linear.weights,
        offsets=linear.offsets,
        temperature=measured.temperature if measured else _UNMEASURED_TEMPERATURE,
        uncertain_below=float(
            np.float32(uncertain_below(measured.probabilities) if measured else min(0.5, chance))
        ),
        network=network,
        figures=measured.to_dict() if measured else {"n_songs": examples.n_songs},
    )
    return Taught(head, examples, measured)
