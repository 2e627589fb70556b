"""Measure a model through the same path that a user's file takes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topgenre.classifier import Classifier, load
from topgenre.errors import AudioError, DatasetError
from topgenre.evaluation.dataset import HELD_OUT, Clip
from topgenre.evaluation.metrics import Figure, confusion, figures

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's figures on a split.

    Attributes
    ----------
    n : int
        Clips measured.
    figures : dict of str to Figure
        Accuracy, top-3 accuracy, expected calibration error and log loss.
    confusion : ndarray of int64, shape (n_genres, n_genres)
        Rows are true genres, columns the most probable ones.
    genres : tuple of str
    uncertain : float
        Share of clips marked uncertain.
    failed : tuple of str
        Clips that could not be classified, with the reason; they are not in `n`.
    probabilities : ndarray of float64, shape (n, n_genres)
    labels : ndarray of int64, shape (n,)
    """

    n: int
    figures: dict[str, Figure]
    confusion: NDArray[np.int64]
    genres: tuple[str, ...]
    uncertain: float
    failed: tuple[str, ...]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "n": self.n,
            "figures": {
                name: {"value": figure.value, "low": figure.low, "high": figure.high}
                for name, figure in self.figures.items()
            },
            "uncertain": self.uncertain,
            "genres": self.genres,
            "confusion": self.confusion.tolist(),
            "failed": self.failed,
        }


def judges_of_folds(run_dir: Path, clips: Sequence[Clip]) -> list[tuple[Classifier, Clip]]:
    """Pair clips with the networks of a training run's folds that have not seen them.

    Parameters
    ----------
    run_dir : Path
        Folder of the run, with ``fold-0.onnx`` and so on.
    clips : sequence of Clip
        Of the data set of that run; clips that no fold left out are dropped.

    Raises
    ------
    DatasetError
        If there are no such models, or none of the clips was left out by one.
    """
    pairs = []
    for path in sorted(run_dir.glob("fold-*.onnx")):
        classifier = load(path)
        unseen = set(classifier.info.card.get(HELD_OUT, ()))
        pairs += [(classifier, clip) for clip in clips if clip.name in unseen]
    if not pairs:
        raise DatasetError(f"{run_dir}: no fold-*.onnx of a finished training run on these clips")
    return pairs


def evaluate(
    judges: Sequence[tuple[Classifier, Clip]],
    progress: Callable[[int, int], object] = lambda done, of: None,
    *,
    whole: bool = False,
) -> Evaluation:
    """Classify labelled clips and compare.

    Parameters
    ----------
    judges : sequence of (Classifier, Clip)
        Each clip with the model that judges it; all models know the same genres.
    progress : callable
        Called with the numbers of finished and of all clips.
    whole : bool
        Judge whole clips instead of their middle 10 s.

    Raises
    ------
    DatasetError
        If a clip's genre is unknown to the model, or no clip can be classified.
    """
    genres = judges[0][0].genres
    number = {genre: index for index, genre in enumerate(genres)}
    unknown = {clip.genre for _, clip in judges} - number.keys()
    if unknown:
        raise DatasetError(
            f"the data set has the genre {sorted(unknown)[0]!r}, which the model does not know; "
            f"it knows {', '.join(genres)}"
        )
    rows, labels, failed, uncertain = [], [], [], 0
    for done, (classifier, clip) in enumerate(judges, 1):
        try:
            result = classifier.classify(clip.path, whole=whole)
        except AudioError as error:
            failed.append(str(error))
        else:
            probability = dict(result.genres)
            rows.append([probability[genre] for genre in genres])
            labels.append(number[clip.genre])
            uncertain += result.uncertain
        progress(done, len(judges))
    if not rows:
        raise DatasetError("no clip of the split could be classified")
    probabilities, truth = np.array(rows), np.array(labels, np.int64)
    return Evaluation(
        n=len(rows),
        figures=figures(probabilities, truth),
        confusion=confusion(probabilities, truth),
        genres=genres,
        uncertain=uncertain / len(rows),
        failed=tuple(failed),
        probabilities=probabilities,
        labels=truth,
    )
