"""Pictures of an evaluation: whether it is as sure as it is right, and what it mixes up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from topgenre.charts import canvas

if TYPE_CHECKING:
    from topgenre.evaluation.evaluate import Evaluation

_BLUE = "#2563a8"
_N_BINS = 10


def save_reliability(evaluation: Evaluation, path: str | Path) -> None:
    """Draw accuracy over confidence (DeGroot & Fienberg 1983), and how many clips are where.

    Raises
    ------
    OutputError
        If the suffix is neither ``.png`` nor ``.svg``, or the file cannot be written.
    """
    from matplotlib.figure import Figure

    confidence = evaluation.probabilities.max(axis=1)
    correct = evaluation.probabilities.argmax(axis=1) == evaluation.labels
    bins = np.minimum((confidence * _N_BINS).astype(int), _N_BINS - 1)
    count = np.bincount(bins, minlength=_N_BINS)
    filled = count > 0
    n = count[filled]
    accuracy = np.bincount(bins, correct, minlength=_N_BINS)[filled] / n
    mean = np.bincount(bins, confidence, minlength=_N_BINS)[filled] / n
    # Wilson's interval, which stays inside 0 to 1 in bins of a few clips.
    z = 1.96
    centre = (accuracy + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(accuracy * (1 - accuracy) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    error = np.maximum(0, [accuracy - (centre - half), centre + half - accuracy])

    with canvas.drawing():
        figure = Figure(figsize=(5.6, 6.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
        upper.plot(
            [0, 1], [0, 1], color=canvas.palette().quiet, linestyle=":", label="perfectly honest"
        )
        upper.errorbar(
            mean, accuracy, error, fmt="o", color=_BLUE, capsize=3, label="clips, 95 % interval"
        )
        upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
        ece = evaluation.figures["ece"]
        upper.set_title(f"n = {evaluation.n}, expected calibration error {ece}", fontsize=10)
        upper.legend(loc="upper left", frameon=False)
        lower.bar((np.arange(_N_BINS) + 0.5) / _N_BINS, count, width=0.09, color=_BLUE)
        lower.set(xlabel="confidence in the most probable genre", ylabel="clips")
        for axes in (upper, lower):
            axes.spines[["top", "right"]].set_visible(False)
        canvas.save(figure, path)


def save_confusion(evaluation: Evaluation, path: str | Path) -> None:
    """Draw which genres are taken for which, in clips.

    Raises
    ------
    OutputError
        If the suffix is neither ``.png`` nor ``.svg``, or the file cannot be written.
    """
    from matplotlib.figure import Figure

    counts, genres = evaluation.confusion, evaluation.genres
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    with canvas.drawing():
        figure = Figure(figsize=(6.8, 6.2), layout="constrained")
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.argwhere(counts):
            colour = "white" if share[row, column] > 0.55 else canvas.palette().ink
            number = str(counts[row, column])
            axes.text(column, row, number, ha="center", va="center", color=colour)
        places = np.arange(len(genres))
        axes.set_xticks(places, genres, rotation=45, ha="right")
        totals = counts.sum(axis=1)
        axes.set_yticks(places, [f"{g} ({t})" for g, t in zip(genres, totals, strict=True)])
        axes.set(xlabel="taken for", ylabel="true genre (clips)")
        canvas.save(figure, path)
