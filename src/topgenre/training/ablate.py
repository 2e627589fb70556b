"""What each part of the recipe is worth: the same short run without it, with several seeds.

``python -m topgenre.training.ablate DATASET_DIR --run-dir DIR [as for topgenre train]`` prints a
table of mean and spread. Every finished run is kept, so that an interrupted command goes on.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from topgenre.spectrograms import CHANNELS
from topgenre.training.calibrate import fit_temperature, softmax
from topgenre.training.config import TrainConfig
from topgenre.training.data import Blocks
from topgenre.training.metrics import negative_log_likelihood, top_k_hits
from topgenre.training.run import Sources, fit_genres, judge_held_out, prepare
from topgenre.training.train import Trainer

log = logging.getLogger(__name__)

N_STEPS = 600  # a tenth of a full run: differences show, and the whole table takes hours, not days
SEEDS = (0, 1, 2)


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


VARIANTS = (
    Variant("the recipe"),
    *(Variant(f"{name} alone", {"channels": (name,)}) for name in CHANNELS),
    *(
        Variant(f"without {name}", {"channels": tuple(c for c in CHANNELS if c != name)})
        for name in CHANNELS
    ),
    Variant("without the teacher", teacher=False),
    Variant("without the genre directions", {"genre_directions": 0.0}),
    Variant("without the equaliser", {"eq_db": 0.0}),
    Variant("without the noise floor", {"floor_chance": 0.0}),
    Variant("without the low-pass", {"band_limit_chance": 0.0}),
    Variant("without the high-pass", {"high_pass_chance": 0.0}),
    Variant("without masks", {"mask_chance": 0.0}),
)


def run(blocks: Blocks, variant: Variant, config: TrainConfig, run_dir: Path) -> dict[str, float]:
    """Train one variant with one seed and measure it on the held-out clips; once."""
    result = run_dir / f"{variant.name}, seed {config.seed}.json"
    if result.exists():
        found: dict[str, float] = json.loads(result.read_text(encoding="utf-8"))
        return found
    if not variant.teacher:
        blocks = replace(blocks, teacher=None)
    config = replace(config, **variant.settings)
    train = blocks.split != "valid"
    if not variant.teacher:
        train &= blocks.label >= 0
    net = Trainer(blocks, train, config, result.with_suffix("")).run()
    fit_genres(net, blocks, np.flatnonzero(train & (blocks.label >= 0)), config)
    logits, truth = judge_held_out(net, blocks)
    probabilities = softmax(logits / fit_temperature(logits, truth))
    measured = {
        "accuracy": float(top_k_hits(probabilities, truth, 1).mean()),
        "top3": float(top_k_hits(probabilities, truth, 3).mean()),
        "log_loss": negative_log_likelihood(probabilities, truth),
    }
    result.write_text(json.dumps(measured), encoding="utf-8")
    log.info("%s, seed %d: %s", variant.name, config.seed, measured)
    return measured


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """Return a Markdown table of mean and standard deviation over seeds."""
    lines = ["| | accuracy | top-3 | log loss | seeds |", "|---|---|---|---|---|"]
    for name, runs in results.items():
        cells = []
        for key in ("accuracy", "top3", "log_loss"):
            values = np.array([run[key] for run in runs])
            cells.append(f"{values.mean():.3f} ± {values.std(ddof=1):.3f}")
        lines.append(f"| {name} | {' | '.join(cells)} | {len(runs)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all variants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--unlabelled", type=Path, action="append", default=[])
    parser.add_argument("--speed", type=float, action="append", default=[])
    parser.add_argument("--mixtures", type=int, default=0)
    parser.add_argument("--n-steps", type=int, default=N_STEPS)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    sources = Sources(
        options.dataset,
        unlabelled=tuple(options.unlabelled),
        speeds=tuple(options.speed),
        n_mixtures=options.mixtures,
        teacher=options.teacher,
    )
    blocks = prepare(sources, options.run_dir, lambda done, of: None)
    folder = options.run_dir / "ablation"
    results: dict[str, list[dict[str, float]]] = {}
    config = TrainConfig(n_steps=options.n_steps, warmup_steps=min(100, options.n_steps // 4))
    for seed in SEEDS:
        for variant in VARIANTS:
            found = run(blocks, variant, replace(config, seed=seed), folder)
            results.setdefault(variant.name, []).append(found)
    print(table(results))  # noqa: T201  # the command's answer


if __name__ == "__main__":
    main()
