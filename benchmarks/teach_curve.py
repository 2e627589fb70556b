"""Measure taught genres by the number of songs per genre: the k-shot curve.

``python benchmarks/teach_curve.py FOLDER`` reads ``FOLDER/index.csv`` with the columns path and
genre, and optionally collection. Each song is classified by a classifier that has not learnt from
its group. A group is a collection or, without that column, ten clips with neighbouring numbers. The
table also shows the accuracy of a split that ignores groups.

The bundled network was trained on some data sets. For those, give ``--fold-model NETWORK`` for each
fold of ``topgenre train``: each network is then used only with the clips that it has not learnt.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from topgenre.classifier import load
from topgenre.errors import TopgenreError
from topgenre.evaluation.metrics import Figure
from topgenre.teaching.linear import fit_linear
from topgenre.teaching.measure import assign_folds

SHOTS = (1, 3, 5, 10, 20)
N_DRAWS = 20
N_FOLDS = 5
PENALTY = 0.3
N_RESAMPLES = 1000

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def read_index(folder: Path) -> list[dict[str, str]]:
    """Return the rows that have a genre, in the order of their paths."""
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        return sorted(
            (row for row in csv.DictReader(file) if row["genre"]), key=lambda row: row["path"]
        )


def group_of(row: dict[str, str]) -> str:
    """Return what keeps clips together."""
    if row.get("collection"):
        return row["collection"]
    number = Path(row["path"]).stem.rpartition(".")[2]
    return f"{row['genre']} {int(number) // 10}"


def network_folds(rows: list[dict[str, str]], n_folds: int) -> Integers:
    """Return the fold of each clip, as `topgenre.training.examples.fold_splits` makes them."""
    fold = np.zeros(len(rows), np.int64)
    of_genre = defaultdict(list)
    for number, row in enumerate(rows):
        if row.get("split") != "valid":
            of_genre[row["genre"]].append(number)
    for numbers in of_genre.values():
        names = sorted({Path(rows[n]["path"]).stem for n in numbers})
        for n in numbers:
            place = names.index(Path(rows[n]["path"]).stem)
            fold[n] = 1 + place * (n_folds - 1) // len(names)
    return fold


def embed(
    folder: Path, rows: list[dict[str, str]], part: Integers, models: list[Path | None]
) -> Floats:
    """Embed the middle 10 s of each clip by the network of its part; NaN where it cannot be."""
    vectors: list[Floats | None] = []
    classifiers = [load(model) for model in models]
    for row, number in zip(rows, part, strict=True):
        try:
            vectors.append(classifiers[number].embed(folder / row["path"]))
        except TopgenreError as error:
            print(f"left out: {error}")
            vectors.append(None)
    width = max(len(vector) for vector in vectors if vector is not None)
    return np.stack([np.full(width, np.nan) if v is None else v for v in vectors]).astype("f4")


def judge(
    embeddings: Floats, genres: Integers, groups: Integers, shots: int | None, rng: int
) -> tuple[Integers, Integers, float]:
    """Judge each clip by classifiers that have not learnt its group.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, n_embedding)
    genres, groups : ndarray of int64, shape (n,)
    shots : int or None
        Songs per genre that are drawn to learn from; all there are where a genre has fewer. None
        learns half of the groups, and judges the other half.
    rng : int
        Seed.

    Returns
    -------
    hits, judged : ndarray of int64, shape (n,)
        How often each clip was right, and how often it was judged.
    float
        Songs per genre that were learnt, on average.
    """
    random = np.random.default_rng(rng)
    hits, judged, learnt = np.zeros(len(genres), int), np.zeros(len(genres), int), []
    shuffled = random.permutation(groups.max() + 1)[groups]
    folds = assign_folds(shuffled, genres, 2 if shots is None else N_FOLDS)
    for fold in range(folds.max() + 1):
        pool, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        chosen = [random.permutation(pool[genres[pool] == genre]) for genre in np.unique(genres)]
        rows = np.concatenate([drawn[:shots] for drawn in chosen])
        learnt.append(len(rows) / len(chosen))
        names = np.unique(genres[rows])
        targets = (genres[rows, None] == names).astype(np.float32)
        linear = fit_linear(embeddings[rows], targets, np.ones(len(rows), "f4"), PENALTY)
        named = names[linear.logits(embeddings[held_out]).argmax(axis=1)]
        hits[held_out] += named == genres[held_out]
        judged[held_out] += 1
    return hits, judged, float(np.mean(learnt))


def interval(right: NDArray[np.float64], groups: Integers) -> Figure:
    """Return the mean with a 95 % interval, by drawing groups again."""
    n_groups = int(groups.max()) + 1
    total = np.bincount(groups, right, minlength=n_groups)
    size = np.bincount(groups, minlength=n_groups)
    random = np.random.default_rng(0)
    draws = (random.integers(0, n_groups, n_groups) for _ in range(N_RESAMPLES))
    means = [total[draw].sum() / size[draw].sum() for draw in draws]
    return Figure(float(right.mean()), *map(float, np.percentile(means, (2.5, 97.5))))


def main() -> None:
    """Print the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--fold-model", type=Path, action="append", default=[])
    parser.add_argument("--cache", type=Path, help="embeddings of an earlier run")
    arguments = parser.parse_args()
    rows = read_index(arguments.folder)
    models: list[Path | None] = [*arguments.fold_model] or [arguments.model]
    part = network_folds(rows, len(models)) if len(models) > 1 else np.zeros(len(rows), np.int64)
    if arguments.cache and arguments.cache.exists():
        embeddings: Floats = np.load(arguments.cache)
    else:
        embeddings = embed(arguments.folder, rows, part, models)
        if arguments.cache:
            np.save(arguments.cache, embeddings)
    genres = np.unique([row["genre"] for row in rows], return_inverse=True)[1].astype(np.int64)
    groups = np.unique([group_of(row) for row in rows], return_inverse=True)[1].astype(np.int64)
    usable = np.asarray(np.isfinite(embeddings).all(axis=1))
    for genre in np.unique(genres):  # one collection cannot be learnt from and judged by
        mine = usable & (genres == genre)
        usable[mine] = len(np.unique(groups[mine])) > 1
    n = int(usable.sum())
    counts = np.bincount(genres[usable])
    print(
        f"{n} clips, {(counts > 0).sum()} genres, {len(np.unique(groups[usable]))} groups, "
        f"{len(models)} network{'s' if len(models) > 1 else ''}; {N_DRAWS} draws; "
        f"always the commonest {counts.max() / n:.3f}"
    )
    print("| Songs per genre | Learnt on average | Groups kept apart | Groups ignored |")
    print("|---|---|---|---|")
    for shots in (*SHOTS, None):
        cells = []
        for blind in (False, True):
            hits, judged, learnt = np.zeros(len(rows)), np.zeros(len(rows)), []
            for number in range(len(models)):
                own = np.flatnonzero(usable & (part == number))
                units = np.arange(len(own)) if blind else groups[own]
                units = np.unique(units, return_inverse=True)[1].astype(np.int64)
                for seed in range(N_DRAWS):
                    found = judge(embeddings[own], genres[own], units, shots, seed)
                    hits[own] += found[0]
                    judged[own] += found[1]
                    learnt.append(found[2])
            packed = np.unique(groups[usable], return_inverse=True)[1].astype(np.int64)
            figure = interval(hits[usable] / judged[usable], packed)
            cells.append(f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})")
        label = "half of the groups" if shots is None else str(shots)
        print(f"| {label} | {np.mean(learnt):.1f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
