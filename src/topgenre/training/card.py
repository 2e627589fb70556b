"""Calibrate a model on held-out outputs, choose its tags, and describe it in its card."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.evaluation.calibration import (
    fit_temperature,
    fit_whole_temperature,
    softmax,
    uncertain_below,
)
from topgenre.evaluation.metrics import Figure, area_under_curve, confusion, figures
from topgenre.training.config import TrainConfig
from topgenre.training.examples import Examples
from topgenre.training.head import HeldOut
from topgenre.training.tags import LEAST_THRESHOLD, SOURCES, STYLES, TagScores

log = logging.getLogger(__name__)

MIN_TAG_AREA = 0.95  # under the ROC curve, against the teachers
MIN_LABEL_AREA, MIN_STYLE_CLIPS = 0.85, 4  # against the labels of other collections
# Of the collections' clips of the known genres: marked by each style outside them, and by low
# confidence.
MAX_OUTSIDE_SHARE, UNCERTAIN_SHARE = 0.035, 0.05
_HIGHEST_THRESHOLD = 0.99  # a tag that needs more is never given


class Calibration(NamedTuple):
    """What is fitted to held-out outputs."""

    temperature: float
    temperature_whole: float
    uncertain_below: float


def calibrate(held_out: Sequence[HeldOut], examples: Examples) -> Calibration:
    """Fit temperatures and the threshold of doubt to held-out outputs.

    The data set and the other collections count equally, so that neither is badly off.
    """
    logits, rows = joined(held_out, examples)
    label, group = examples.label[rows], examples.collection[rows] == ""
    middle = examples.middle[rows]
    temperature = fit_temperature(logits[middle], label[middle], group[middle])
    means, first = clip_means(softmax(logits / temperature), examples.clip[rows])
    whole = fit_whole_temperature(means, temperature, label[first], group[first])
    travelled = middle & ~group if (middle & ~group).any() else middle
    doubt_below = uncertain_below(softmax(logits[travelled] / temperature), UNCERTAIN_SHARE)
    return Calibration(temperature, whole, doubt_below)


def joined(
    held_out: Sequence[HeldOut], examples: Examples
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the logits and the rows of all labelled held-out blocks."""
    logits = np.concatenate([outputs.logits for outputs in held_out])
    rows = np.concatenate([outputs.rows for outputs in held_out])
    labelled = examples.label[rows] >= 0
    return logits[labelled], rows[labelled]


def clip_means(
    values: NDArray[Any], clips: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the mean of each clip's values, and the index of its first row."""
    _, first, clip, count = np.unique(
        clips, return_index=True, return_inverse=True, return_counts=True
    )
    sums = np.zeros((len(first), values.shape[1]))
    np.add.at(sums, clip, values)
    return sums / count[:, None], first


def reliable_tags(
    held_out: Sequence[HeldOut], examples: Examples, tag_scores: TagScores | None
) -> tuple[list[int], dict[str, float], dict[str, float]]:
    """Choose the tags to keep, and thresholds for the styles outside the genres.

    A tag is kept if the networks rank it as the teachers do on clips that they have not seen
    (`MIN_TAG_AREA`). A style outside the genres must also be confirmed by the collections' labels,
    and marks at most `MAX_OUTSIDE_SHARE` of their clips of the known genres.

    Returns
    -------
    list of int
        The tags to keep.
    dict of str to float
        Thresholds of styles outside the genres.
    dict of str to float
        The area under the ROC curve of every tag, against the teachers.
    """
    if not tag_scores:
        return [], {}, {}
    rows = np.concatenate([outputs.rows for outputs in held_out])
    tags = np.concatenate([outputs.tags for outputs in held_out])
    middle = examples.middle[rows]
    rows, tags = rows[middle], tags[middle]
    top = tag_scores.top[rows]
    known = (examples.label[rows] >= 0) & (examples.collection[rows] != "")
    kept, thresholds, areas = [], {}, {}
    for number, source in enumerate(SOURCES):
        area = area_under_curve(tags[:, number], top[:, number])
        areas[source.name] = round(area, 3)
        keep = area >= MIN_TAG_AREA
        log.info("tag %-18s area %.3f against the teachers", source.name, area)
        if keep and source.outside:
            styles = STYLES.get(source.name, ())
            named = (examples.label[rows] < 0) & np.isin(examples.style[rows], styles)
            keep = bool(named.sum() >= MIN_STYLE_CLIPS and known.any())
            if keep:
                confirmed = area_under_curve(tags[named | known, number], named[named | known])
                limit = float(np.quantile(tags[known, number], 1 - MAX_OUTSIDE_SHARE))
                thresholds[source.name] = round(max(limit, LEAST_THRESHOLD), 3)
                keep = confirmed >= MIN_LABEL_AREA and limit < _HIGHEST_THRESHOLD
                log.info("    %d labels: %.3f, threshold %.3f", named.sum(), confirmed, limit)
        if keep:
            kept.append(number)
    return kept, thresholds, areas


def model_card(
    held_out: Sequence[HeldOut],
    examples: Examples,
    config: TrainConfig,
    seconds: float,
    machine: str,
) -> dict[str, Any]:
    """Describe data, figures and settings; the temperature of each fold is fitted to the others."""
    found, rows = [], []
    for number, outputs in enumerate(held_out):
        others = [other for index, other in enumerate(held_out) if index != number] or held_out
        middle = examples.middle[outputs.rows] & (examples.label[outputs.rows] >= 0)
        found.append(softmax(outputs.logits[middle] / calibrate(others, examples).temperature))
        rows.append(outputs.rows[middle])
    probabilities, every = np.concatenate(found), np.concatenate(rows)
    from_dataset = examples.collection[every] == ""
    labelled = (examples.label >= 0) & (examples.collection == "")
    unlabelled = (examples.label < 0) & (examples.collection == "")
    clips = {
        "train": labelled & (examples.split != "valid"),
        "valid": labelled & (examples.split == "valid"),
        "collections": examples.collection != "",
        "unlabelled": unlabelled,
    }
    card: dict[str, Any] = {
        "trained": datetime.now(UTC).date().isoformat(),
        "clips": {name: len(np.unique(examples.clip[chosen])) for name, chosen in clips.items()},
        "measured": _measured(
            probabilities[from_dataset], examples.label[every[from_dataset]], config.seed,
            f"{len(held_out)} grouped folds, middle 10 s, by networks that never saw them",
        ),
        "config": config.to_dict(),
        "minutes": round(seconds / 60, 1),
        "machine": machine,
    }  # fmt: skip
    if not from_dataset.all():
        card["measured_elsewhere"] = _measured(
            probabilities[~from_dataset], examples.label[every[~from_dataset]], config.seed,
            "other collections, each held out by its fold",
        )  # fmt: skip
    return card


def _measured(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], seed: int, split: str
) -> dict[str, Any]:
    measured = figures(probabilities, labels)
    log.info("%s: %s", split, ", ".join(f"{key} {f}" for key, f in measured.items()))
    return {
        "split": split,
        "n": len(labels),
        "seed": seed,
        "figures": {key: _rounded(figure) for key, figure in measured.items()},
        "confusion": confusion(probabilities, labels).tolist(),
    }


def _rounded(figure: Figure) -> list[float]:
    return [round(value, 4) for value in (figure.value, figure.low, figure.high)]
