"""Compare a finished run's networks with their teachers on clips that they have not seen.

``python benchmarks/teachers.py DATASET --run-dir DIR ...`` takes the options of ``topgenre train``.
It prints the precision of the ten nearest clips, and the share of each teacher's variance that a
ridge regression from the embedding explains.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ablate import parse
from topgenre.evaluation.dataset import read_dataset
from topgenre.evaluation.metrics import interval_of_mean
from topgenre.evaluation.retrieval import precision
from topgenre.training import recipe
from topgenre.training.examples import fold_splits
from topgenre.training.head import embed_rows

COLUMNS = {"musicnn": 200, "yamnet": 1024}  # penultimate features of each teacher
_RIDGE = 3.0


def explained(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    x_unseen: NDArray[np.float32],
    y_unseen: NDArray[np.float32],
) -> tuple[float, float]:
    """Return the squared error and the variance of standardised features of unseen blocks."""
    mean, scale = x.mean(0), x.std(0) + 1e-3
    known, unseen = (
        np.c_[(one - mean) / scale, np.ones(len(one))].astype(np.float32) for one in (x, x_unseen)
    )
    centre, spread = y.mean(0), y.std(0) + 1e-2
    target, wanted = (y - centre) / spread, (y_unseen - centre) / spread
    gram = known.T @ known + _RIDGE * np.eye(known.shape[1], dtype=np.float32)
    error = wanted - unseen @ np.linalg.solve(gram, known.T @ target)
    return float((error**2).sum()), float(((wanted - wanted.mean(0)) ** 2).sum())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    options, sources, config = parse(parser, arguments)
    examples, _ = recipe.prepare(sources, options.run_dir, lambda done, of: None)
    nets = recipe.Nets(sources, options.run_dir, config, options.device, lambda done, of: None)
    clips = {clip.name: clip for clip in read_dataset(options.dataset)}
    hits: dict[str, list[float]] = {name: [] for name in ("embedding", *COLUMNS)}
    sums = {name: np.zeros(2) for name in COLUMNS}
    for number, split in enumerate(fold_splits(examples, config.n_folds)):
        held_out = np.flatnonzero(split == "valid")
        net = nets.train(f"fold-{number}", {str(name) for name in examples.clip[held_out]}).net
        music = np.flatnonzero((examples.label < 0) & (examples.collection == ""))
        from_dataset = (examples.label >= 0) & (examples.collection == "") & examples.middle
        queries = held_out[from_dataset[held_out]]
        asked = [clips[str(name)] for name in examples.clip[queries]]
        hits["embedding"] += list(precision(embed_rows(net, examples, queries), asked))
        both = [embed_rows(net, examples, rows) for rows in (music, held_out)]
        for name, width in COLUMNS.items():
            features = examples.targets[name][..., :width].astype(np.float32).mean(1)
            vectors = features[queries] - (features[queries].mean(0) if name == "musicnn" else 0)
            hits[name] += list(precision(vectors, asked))
            sums[name] += explained(both[0], features[music], both[1], features[held_out])
    for name, found in hits.items():
        print(f"{name:10} precision at 10: {interval_of_mean(np.array(found))}")
    for name, (error, variance) in sums.items():
        print(f"{name:10} variance explained: {1 - error / variance:.3f}")


if __name__ == "__main__":
    main()
