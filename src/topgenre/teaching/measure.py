"""Measure taught genres by cross-validation over artists and albums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.evaluation.calibration import fit_temperature, softmax
from topgenre.evaluation.metrics import Figure, expected_calibration_error
from topgenre.teaching.examples import Examples
from topgenre.teaching.linear import fit_linear

Floats = NDArray[np.float32]

PENALTIES = (0.03, 0.1, 0.3, 1.0)
N_FOLDS = 5
_RESAMPLES = 1000
# With more songs times genres than this, one penalty and few steps are tried.
_LARGE, _LARGE_PENALTIES, _LARGE_STEPS = 5_000_000, (0.3,), 20
_TOLD = 0.3  # least F1 of a genre that sound can tell
_APART = 0.65  # balanced accuracy up to which two genres count as the same
_ENOUGH = 5  # least songs for either decision


class GenreFigures(NamedTuple):
    """Figures of one genre in cross-validation."""

    genre: str
    n_songs: int
    precision: float | None
    recall: float
    taken_for: str | None

    @property
    def told(self) -> bool:
        """Whether sound can tell this genre."""
        precision = self.precision or 0.0
        total = precision + self.recall
        return self.n_songs < _ENOUGH or (
            total > 0 and 2 * precision * self.recall / total >= _TOLD
        )


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Figures of a cross-validation, and the calibration.

    Attributes
    ----------
    accuracy, top3 : Figure
        With 95 % intervals from a bootstrap over artists.
    baseline : float
        Accuracy of always choosing the most frequent genre.
    ece : float
        Expected calibration error; each fold has the temperature of the others.
    temperature : float
    penalty : float
    genres : tuple of GenreFigures
    same : tuple of (str, str)
        Pairs of genres that are confused with each other.
    probabilities : ndarray of float32, shape (n_songs, n_genres)
        Held-out and calibrated, one row per song.
    n_artists : int
    """

    accuracy: Figure
    top3: Figure
    baseline: float
    ece: float
    temperature: float
    penalty: float
    genres: tuple[GenreFigures, ...]
    same: tuple[tuple[str, str], ...]
    probabilities: Floats
    n_artists: int

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""

        def figure(f: Figure) -> dict[str, float]:
            return {"value": round(f.value, 4), "low": round(f.low, 4), "high": round(f.high, 4)}

        return {
            "n_songs": len(self.probabilities),
            "n_artists": self.n_artists,
            "accuracy": figure(self.accuracy),
            "top3": figure(self.top3),
            "baseline": round(self.baseline, 4),
            "ece": round(self.ece, 4),
            "penalty": self.penalty,
            "genres": [g._asdict() | {"told": g.told} for g in self.genres],
            "same": [list(pair) for pair in self.same],
        }


def cross_validate(examples: Examples, penalties: Sequence[float] = PENALTIES) -> Measured | None:
    """Cross-validate by artist or album, so that no song is tested on its own group.

    The penalty is the one of `penalties` with the least log loss on the held-out songs.

    Returns
    -------
    Measured, or None if all songs are of one artist
    """
    groups = np.unique(examples.groups, return_inverse=True)[1]
    n_groups = int(groups.max()) + 1
    if n_groups < 2:
        return None
    fold = assign_folds(groups, examples.main_genre, min(N_FOLDS, n_groups))
    best: tuple[float, float, Floats] | None = None
    max_steps = 60
    if examples.targets.size > _LARGE:
        penalties, max_steps = _LARGE_PENALTIES, _LARGE_STEPS
    for penalty in penalties:
        logits = np.zeros((examples.n_songs, len(examples.genres)), np.float32)
        for held_out in range(fold.max() + 1):
            learnt = fold[examples.song] != held_out
            linear = fit_linear(
                examples.embeddings[learnt],
                examples.targets[examples.song[learnt]],
                examples.weights[learnt],
                penalty,
                max_steps=max_steps,
            )
            rows = ~learnt
            np.add.at(logits, examples.song[rows], linear.logits(examples.embeddings[rows]))
        logits /= np.bincount(examples.song, minlength=examples.n_songs)[:, None]
        temperature = fit_temperature(logits, _truth(logits, examples.targets))
        loss = _log_loss(softmax(logits / temperature), examples.targets)
        if best is None or loss < best[0]:
            best = loss, penalty, logits
    assert best is not None
    _, penalty, logits = best
    truth = _truth(logits, examples.targets)
    probabilities = np.empty_like(logits)
    for number in range(fold.max() + 1):
        others = fold != number
        temperature = fit_temperature(logits[others], truth[others])
        probabilities[~others] = softmax(logits[~others] / temperature)
    hits = np.take_along_axis(examples.targets, probabilities.argsort(axis=1)[:, ::-1], 1) > 0
    best_genre = probabilities.argmax(axis=1)
    # A song with several genres is right if it is classified as one of them.
    right = np.where(hits[:, 0], best_genre, truth)
    return Measured(
        accuracy=_figure(hits[:, 0], groups),
        top3=_figure(np.asarray(hits[:, :3].any(axis=1)), groups),
        baseline=float((examples.targets > 0).mean(axis=0).max()),
        ece=expected_calibration_error(probabilities, right),
        temperature=fit_temperature(logits, truth),
        penalty=penalty,
        genres=_per_genre(examples, best_genre),
        same=_same(examples, best_genre),
        probabilities=probabilities,
        n_artists=n_groups,
    )


def assign_folds(
    groups: NDArray[np.int64], genres: NDArray[np.int64], n_folds: int
) -> NDArray[np.int64]:
    """Assign groups of songs to folds so that each fold has its share of every genre.

    Parameters
    ----------
    groups : ndarray of int64, shape (n_songs,)
        Songs of one group stay together.
    genres : ndarray of int64, shape (n_songs,)
    n_folds : int

    Returns
    -------
    ndarray of int64, shape (n_songs,)
        Fold of each song.
    """
    n_genres = int(genres.max()) + 1
    counts = np.zeros((n_folds, n_genres))
    sizes = np.bincount(groups)
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(sizes)[:-1])
    fold = np.zeros(len(groups), np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        songs = members[group]
        own = np.bincount(genres[songs], minlength=n_genres)
        crowded = counts @ own + counts.sum(axis=1) * 1e-3
        chosen = int(np.argmin(crowded))
        counts[chosen] += own
        fold[songs] = chosen
    return np.unique(fold, return_inverse=True)[1].astype(np.int64)


def _truth(logits: Floats, targets: Floats) -> NDArray[np.int64]:
    """Return the genre of each song; of several, the one with the largest logit."""
    return np.asarray(np.where(targets > 0, logits, -np.inf).argmax(axis=1), np.int64)


def _log_loss(probabilities: NDArray[Any], targets: Floats) -> float:
    return float(-np.log(np.maximum((probabilities * (targets > 0)).sum(axis=1), 1e-12)).mean())


def _figure(hits: NDArray[np.bool_], groups: NDArray[np.int64]) -> Figure:
    """Return a share with its interval from a bootstrap over groups of songs."""
    n_groups = int(groups.max()) + 1
    right = np.bincount(groups, hits, minlength=n_groups)
    size = np.bincount(groups, minlength=n_groups)
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(_RESAMPLES):
        draw = rng.integers(0, n_groups, n_groups)
        shares.append(right[draw].sum() / size[draw].sum())
    return Figure(float(hits.mean()), *map(float, np.percentile(shares, (2.5, 97.5))))


def _per_genre(examples: Examples, best: NDArray[np.int64]) -> tuple[GenreFigures, ...]:
    rows = []
    for number, genre in enumerate(examples.genres):
        mine = examples.targets[:, number] > 0
        named = best == number
        right = int((mine & named).sum())
        wrong = np.bincount(best[mine & ~(examples.targets[np.arange(len(best)), best] > 0)])
        taken_for = examples.genres[int(wrong.argmax())] if wrong.any() else None
        precision = right / int(named.sum()) if named.any() else None
        rows.append(
            GenreFigures(
                genre, int(mine.sum()), precision, right / max(int(mine.sum()), 1), taken_for
            )
        )
    return tuple(rows)


def _same(examples: Examples, best: NDArray[np.int64]) -> tuple[tuple[str, str], ...]:
    n_genres = len(examples.genres)
    one = (examples.targets > 0).sum(axis=1) == 1
    counts = np.bincount(
        examples.main_genre[one] * n_genres + best[one], minlength=n_genres**2
    ).reshape(n_genres, n_genres)
    n_songs = counts.sum(axis=1)
    own = np.diag(counts)
    # Of the songs of each genre that are classified as one of the two, the share that is right.
    either = counts + own[:, None]
    right = own[:, None] / np.maximum(either, 1)
    apart = (right + right.T) / 2
    mostly = either >= n_songs[:, None] / 2
    enough = n_songs >= _ENOUGH
    both = (apart <= _APART) & mostly & mostly.T & enough & enough[:, None]
    return tuple(
        (examples.genres[a], examples.genres[b])
        for a, b in zip(*np.nonzero(np.triu(both, 1)), strict=True)
    )
