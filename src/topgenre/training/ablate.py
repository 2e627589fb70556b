"""Grouped cross-validation of the recipe, and of the recipe without each of its parts.

``python -m topgenre.training.ablate DATASET --run-dir DIR [as for topgenre train]`` prints a table.
Every finished run is kept, so that an interrupted command goes on.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topgenre.evaluation.metrics import figures, interval_of_mean, top_k_hits
from topgenre.spectrograms import CHANNELS
from topgenre.training.config import TrainConfig
from topgenre.training.crossval import Judged, calibrated, folds
from topgenre.training.data import Blocks
from topgenre.training.run import Sources, fit_genres, judge_held_out, prepare
from topgenre.training.train import Trainer

log = logging.getLogger(__name__)

BLOCKS_APART = 3  # neighbouring blocks of a clip overlap; fewer fit the last layer as well


@dataclass(frozen=True, slots=True)
class Variant:
    """A run that differs from the recipe in one way.

    Attributes
    ----------
    name : str
    settings : dict
        Of `TrainConfig`, that replace those of the recipe.
    teacher : bool
        Whether the teacher's features are regressed, and music without labels is used.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    teacher: bool = True


RECIPE = Variant("the recipe")
VARIANTS = (
    RECIPE,
    *(Variant(f"{name} alone", {"channels": (name,)}) for name in CHANNELS),
    Variant("without the teacher", teacher=False),
    Variant("without the equaliser", {"eq_db": 0.0}),
    Variant("without the noise floor", {"floor_chance": 0.0}),
    Variant("without the low-pass", {"band_limit_chance": 0.0}),
    Variant("with masks", {"mask_chance": 0.5}),
    Variant("without the high-pass", {"high_pass_chance": 0.0}),
    Variant("without the teacher's filters", {"timbre_weight": 0.0}),
    Variant("without the teacher's tags", {"tag_share": 0.0}),
    *(
        Variant(f"without {name}", {"channels": tuple(c for c in CHANNELS if c != name)})
        for name in CHANNELS
    ),
)


def run(blocks: Blocks, variant: Variant, config: TrainConfig, result: Path) -> Judged:
    """Train one variant without the split ``valid`` and let it judge those clips; once.

    Parameters
    ----------
    blocks : Blocks
    variant : Variant
    config : TrainConfig
        The recipe.
    result : Path
        File (.npz) for what was judged; the checkpoint lies in the folder of the same name.
    """
    if result.exists():
        with np.load(result) as kept:
            return Judged(kept["logits"], kept["truth"])
    if not variant.teacher:
        blocks = replace(blocks, lessons=None)
    config = replace(config, **variant.settings)
    train = blocks.split != "valid"
    if not variant.teacher:
        train &= blocks.label >= 0
    net = Trainer(blocks, train, config, result.with_suffix("")).run()
    labelled = np.flatnonzero(train & (blocks.label >= 0))
    fit_genres(net, blocks, labelled[::BLOCKS_APART], config)
    judged = judge_held_out(net, blocks)
    np.savez(result, logits=judged.logits, truth=judged.truth)
    hits = top_k_hits(judged.logits, judged.truth, 1)
    log.info("%s: accuracy %.3f of %d", result.stem, hits.mean(), len(hits))
    return judged


def table(results: dict[str, list[Judged]]) -> str:
    """Return a Markdown table over all clips, with the paired difference from the first row."""
    lines = [
        "| | accuracy | by fold | top-3 | ECE | log loss | accuracy against the first row |",
        "|---|---|---|---|---|---|---|",
    ]
    reference: NDArray[np.float64] | None = None
    for name, runs in results.items():
        truth = np.concatenate([judged.truth for judged in runs])
        by_fold = [top_k_hits(judged.logits, judged.truth, 1).mean() for judged in runs]
        probabilities = calibrated(runs)
        found = figures(probabilities, truth)
        hits = top_k_hits(probabilities, truth, 1).astype(float)
        if reference is None:
            reference = hits
        gain = interval_of_mean(hits - reference)
        cells = [
            str(found["accuracy"]),
            ", ".join(f"{accuracy:.2f}" for accuracy in by_fold),
            *(f"{found[key].value:.3f}" for key in ("top3", "ece", "log_loss")),
            f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all variants, or some, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--unlabelled", type=Path, action="append", default=[])
    parser.add_argument("--varied", type=Path, action="append", default=[])
    parser.add_argument("--speed", type=float, action="append", default=[])
    parser.add_argument("--config", type=Path, help="the recipe; it names the folder of results")
    parser.add_argument(
        "--only", action="append", choices=[variant.name for variant in VARIANTS], default=[]
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    sources = Sources(
        options.dataset,
        unlabelled=tuple(options.unlabelled),
        varied=tuple(options.varied),
        speeds=tuple(options.speed),
        teacher=options.teacher,
    )
    blocks = prepare(sources, options.run_dir, lambda done, of: None)
    config = TrainConfig.load(options.config) if options.config else TrainConfig()
    folder = options.run_dir / (options.config.stem if options.config else "recipe")
    folder.mkdir(exist_ok=True)
    chosen = [v for v in VARIANTS if not options.only or v.name in options.only]
    results: dict[str, list[Judged]] = {variant.name: [] for variant in chosen}
    for number, split in enumerate(folds(blocks, config.n_folds)):
        for variant in chosen:
            result = folder / f"{variant.name}, fold {number}.npz"
            judged = run(replace(blocks, split=split), variant, config, result)
            results[variant.name].append(judged)
    print(table(results))  # noqa: T201  # the command's answer


if __name__ == "__main__":
    main()
