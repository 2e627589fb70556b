"""Cross-validate the recipe's second phase, and the same without each of its parts.

``python benchmarks/ablate.py DATASET --run-dir DIR ...`` takes the options of ``topgenre train``
and the folder of a run, whose first phase all variants share. It prints a table.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.evaluation.calibration import softmax
from topgenre.evaluation.metrics import figures, interval_of_mean, top_k_hits
from topgenre.training import recipe
from topgenre.training.card import calibrate
from topgenre.training.config import TrainConfig
from topgenre.training.examples import Examples, fold_splits
from topgenre.training.head import fit_last_layers, predict
from topgenre.training.pool import Pool


class Variant(NamedTuple):
    """The recipe with one thing changed."""

    name: str
    settings: dict[str, Any]
    change: Callable[[Pool], None] = lambda pool: None


def without_teacher(name: str) -> Callable[[Pool], None]:
    """Leave out a teacher, and what it says."""

    def change(pool: Pool) -> None:
        pool.teachers = [teacher for teacher in pool.teachers if teacher.name != name]
        pool.targets = {key: values for key, values in pool.targets.items() if key != name}

    return change


def without_collections(pool: Pool) -> None:
    """Drop the labels of other collections."""
    known = np.where(pool.sounds.collection == "", pool.sounds.label, -1)
    pool.sounds = dataclasses.replace(pool.sounds, label=known)


VARIANTS = (
    Variant("the recipe", {}),
    Variant("without YAMNet", {}, without_teacher("yamnet")),
    Variant("without MSD_musicnn", {}, without_teacher("musicnn")),
    Variant("without other collections", {}, without_collections),
    Variant("without the teachers' logits", {"genre_directions": 0.0}),
)


def run(
    nets: recipe.Nets, examples: Examples, variant: Variant
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the probabilities of held-out clips, and their rows."""
    config = dataclasses.replace(nets.config, **variant.settings)
    varied = copy.copy(nets)
    varied.config, varied.pools = config, [copy.copy(pool) for pool in nets.pools]
    for pool in varied.pools:
        # Blocks that are made anew must not replace those of the other variants.
        pool.inputs = pool.inputs.clone()
        pool.targets = {name: values.clone() for name, values in pool.targets.items()}
        variant.change(pool)
    folds = []
    for number, split in enumerate(fold_splits(examples, config.n_folds)):
        held_out = {str(name) for name in examples.clip[split == "valid"]}
        net = varied.train(f"ablation/{variant.name}-{number}", held_out).net
        known = examples
        if variant.change is without_collections:
            learnt = (examples.collection != "") & (split != "valid")
            known = dataclasses.replace(examples, label=np.where(learnt, -1, examples.label))
        fit_last_layers(net, known, split != "valid", config, [], None)
        rows = np.flatnonzero((split == "valid") & examples.middle & (examples.label >= 0))
        folds.append(predict(net, examples, rows))
    probabilities = []
    for number, outputs in enumerate(folds):
        others = [other for index, other in enumerate(folds) if index != number]
        calibration = calibrate(others, examples)
        probabilities.append(softmax(outputs.logits / calibration.temperature))
    return np.concatenate(probabilities), np.concatenate([outputs.rows for outputs in folds])


def table(
    results: dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]], examples: Examples
) -> str:
    """Return a Markdown table with paired differences from the first row."""
    lines = [
        "| | GTZAN | log loss | against the first | other collections | log loss | the same |",
        "|---|---|---|---|---|---|---|",
    ]
    reference: list[NDArray[np.float64]] = []
    for name, (probabilities, rows) in results.items():
        cells = []
        for index, chosen in enumerate(
            (examples.collection[rows] == "", examples.collection[rows] != "")
        ):
            found, labels = probabilities[chosen], examples.label[rows[chosen]]
            hits = top_k_hits(found, labels, 1).astype(float)
            if len(reference) == index:
                reference.append(hits)
            measured, gain = figures(found, labels), interval_of_mean(hits - reference[index])
            cells += [
                str(measured["accuracy"]),
                f"{measured['log_loss'].value:.3f}",
                f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]",
            ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> tuple[argparse.Namespace, recipe.Sources, TrainConfig]:
    """Read the options of ``topgenre train`` that a finished run needs."""
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--collection", type=Path, action="append", default=[])
    parser.add_argument("--unlabelled", type=Path, action="append", default=[])
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--yamnet", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    sources = recipe.Sources(
        options.dataset,
        collections=tuple(options.collection),
        unlabelled=tuple(options.unlabelled),
        musicnn=options.teacher,
        yamnet=options.yamnet,
    )
    return options, sources, TrainConfig.load(options.config) if options.config else TrainConfig()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all variants, or some, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=[v.name for v in VARIANTS], default=[])
    options, sources, config = parse(parser, arguments)
    examples, _ = recipe.prepare(sources, options.run_dir, lambda done, of: None)
    nets = recipe.Nets(sources, options.run_dir, config, options.device, lambda done, of: None)
    if nets.pretrained is None:
        parser.error("needs teachers and music without labels")
    results = {
        variant.name: run(nets, examples, variant)
        for variant in VARIANTS
        if not options.only or variant.name in options.only
    }
    print(table(results, examples))  # the command's answer


if __name__ == "__main__":
    main()
