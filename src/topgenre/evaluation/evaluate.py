"""Measure a model through the same path that a user's file takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topgenre.classifier import Classifier, load
from topgenre.errors import AudioError, DatasetError
from topgenre.evaluation.dataset import HELD_OUT, Clip
from topgenre.evaluation.metrics import (
    Figure,
    confusion,
    figures,
    interval_of_mean,
)
from topgenre.result import Result

TIERS = ("sure", "probable", "close", "unsure")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's figures on a split.

    Attributes
    ----------
    n : int
        Clips of the model's genres that were measured.
    figures : dict of str to Figure
        Accuracy, top-3 accuracy, expected calibration error and log loss.
    confusion : ndarray of int64, shape (n_genres, n_genres)
        Rows are true genres, columns the most probable ones.
    genres : tuple of str
    uncertain : float
        Share of these clips marked as not sure.
    tiers : dict of str to tuple of int
        For each tier of confidence, how many clips it has and how many of them are right; in the
        tier "close", the second genre counts too.
    outside : Figure or None
        Share marked as not sure of the clips that are of other genres, if there are any.
    n_outside : int
    tags : dict of str to tuple of int
        For each tag that was given: how many clips have it as their style or genre, how many were
        given it, and how many are both.
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
    tiers: dict[str, tuple[int, int]]
    outside: Figure | None
    n_outside: int
    tags: dict[str, tuple[int, int, int]]
    failed: tuple[str, ...]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        outside = self.outside and {
            "n": self.n_outside,
            "uncertain": self.outside.value,
            "low": self.outside.low,
            "high": self.outside.high,
        }
        return {
            "n": self.n,
            "figures": {
                name: {"value": figure.value, "low": figure.low, "high": figure.high}
                for name, figure in self.figures.items()
            },
            "uncertain": self.uncertain,
            "tiers": {name: {"n": n, "right": right} for name, (n, right) in self.tiers.items()},
            "outside": outside,
            "tags": {
                name: {"labelled": labelled, "given": given, "right": right}
                for name, (labelled, given, right) in self.tags.items()
            },
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
        Of the data sets of that run; clips that no fold left out are dropped.

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
        Each clip with the model that judges it; all models know the same genres. Clips with an
        empty genre are of none of them.
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
    unknown = {clip.genre for _, clip in judges} - {*genres, ""}
    if unknown:
        raise DatasetError(
            f"the data set has the genre {sorted(unknown)[0]!r}, which the model does not know; "
            f"it knows {', '.join(genres)}"
        )
    results: list[tuple[Clip, Result]] = []
    failed = []
    for done, (classifier, clip) in enumerate(judges, 1):
        try:
            results.append((clip, classifier.classify(clip.path, whole=whole)))
        except AudioError as error:
            failed.append(str(error))
        progress(done, len(judges))
    known = [(clip, result) for clip, result in results if clip.genre]
    if not known:
        raise DatasetError("no labelled clip of the split could be classified")
    rows = [[dict(result.genres)[genre] for genre in genres] for _, result in known]
    probabilities = np.array(rows)
    labels = np.array([genres.index(clip.genre) for clip, _ in known], np.int64)
    outside = np.array([float(result.uncertain) for clip, result in results if not clip.genre])
    return Evaluation(
        n=len(known),
        figures=figures(probabilities, labels),
        confusion=confusion(probabilities, labels),
        genres=genres,
        uncertain=float(np.mean([result.uncertain for _, result in known])),
        tiers={tier: _tier(tier, known) for tier in TIERS},
        outside=interval_of_mean(outside) if len(outside) else None,
        n_outside=len(outside),
        tags=_tags(results),
        failed=tuple(failed),
        probabilities=probabilities,
        labels=labels,
    )


def _tier(tier: str, results: Sequence[tuple[Clip, Result]]) -> tuple[int, int]:
    """Count the clips of a tier, and those whose genre is among the one or two it names."""
    members = [(clip, result) for clip, result in results if result.tier == tier]
    n_named = 2 if tier == "close" else 1
    right = sum(clip.genre in dict(result.top(n_named)) for clip, result in members)
    return len(members), right


def _tags(results: Sequence[tuple[Clip, Result]]) -> dict[str, tuple[int, int, int]]:
    """Compare the tags given with the styles and genres that owners named."""
    owners = [{clip.style.casefold(), clip.genre.casefold()} for clip, _ in results]
    given = [{tag.name for tag in result.tags} for _, result in results]
    found = {}
    for name in sorted(set().union(*given)):
        named = [name.casefold() in words for words in owners]
        tagged = [name in tags for tags in given]
        both = sum(one and other for one, other in zip(named, tagged, strict=True))
        found[name] = (sum(named), sum(tagged), both)
    return found
