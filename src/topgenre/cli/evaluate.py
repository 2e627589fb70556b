"""Implement ``topgenre evaluate``: measure a model on a labelled data set."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topgenre.cli import options
from topgenre.files import make_folder

if TYPE_CHECKING:
    from topgenre.evaluation.evaluate import Evaluation
    from topgenre.evaluation.robustness import Robustness


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Measure a model on labelled music.",
        epilog="Example: topgenre evaluate gtzan --only valid",
    )(evaluate)


def evaluate(
    dataset: options.Dataset,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="SPLIT",
            help="Measure on this split only, such as valid, which `train` holds out.",
        ),
    ] = None,
    split: options.Split = None,
    model: options.Model = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Measure the fold networks of this training run instead, each on clips it was not "
            "trained on.",
        ),
    ] = None,
    whole: options.Whole = False,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness", help="Measure how often coding, filters and cuts change the answer."
        ),
    ] = False,
    similar: Annotated[
        bool, typer.Option("--similar", help="Measure how often similar clips share the genre.")
    ] = False,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw reliability.png and confusion.png in this folder."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure a model on labelled music: accuracy, calibration, confusion.

    Figures come with 95 % bootstrap intervals over clips. On music the model was trained on, they
    say how well it remembers, not how well it generalises; use `--run-dir` to measure that.
    """
    if model and run_dir:
        raise typer.BadParameter("give --model or --run-dir, not both")
    from topgenre.classifier import load
    from topgenre.cli.progress import counter
    from topgenre.errors import DatasetError
    from topgenre.evaluation.dataset import hold_out, read_dataset
    from topgenre.evaluation.evaluate import evaluate as measure
    from topgenre.evaluation.evaluate import judges_of_folds

    clips = hold_out(read_dataset(dataset, split or ()))
    clips = [clip for clip in clips if only is None or clip.split == only]
    if not clips:
        raise DatasetError(f"{dataset}: no clip is in a split called {only!r}")
    if run_dir:
        judges = judges_of_folds(run_dir, clips)
    else:
        classifier = load(model)
        judges = [(classifier, clip) for clip in clips]
    evaluation = measure(judges, counter(), whole=whole)
    survived = None
    if robustness:
        from topgenre.evaluation.robustness import measure as measure_robustness

        survived = measure_robustness(judges, counter())
    neighbours = None
    if similar:
        from topgenre.evaluation.retrieval import measure as measure_retrieval

        neighbours = measure_retrieval(judges, counter())
    if pictures:
        from topgenre.evaluation.pictures import save_confusion, save_reliability

        make_folder(pictures, "pictures")
        save_reliability(evaluation, pictures / "reliability.png")
        save_confusion(evaluation, pictures / "confusion.png")
    if as_json:
        names = sorted({classifier.info.name for classifier, _ in judges})
        record = {"model": ", ".join(names), "split": only, **evaluation.to_dict()}
        if survived:
            record["robustness"] = {
                "n": survived.n,
                "same_answer": {name: asdict(figure) for name, figure in survived.same.items()},
            }
        if neighbours:
            record["similar"] = asdict(neighbours)
        typer.echo(json.dumps(record))
    else:
        typer.echo(_report(evaluation))
        if survived:
            typer.echo(_survival(survived))
        if neighbours:
            typer.echo(f"\nten most similar clips, share of the same genre: {neighbours}")
    for reason in evaluation.failed:
        typer.echo(f"left out: {reason}", err=True)
    if evaluation.failed:
        raise typer.Exit(1)


def _survival(robustness: Robustness) -> str:
    lines = [f"\n{robustness.n} clips of 20 s or more; share of answers that stay the same"]
    lines += [f"{name:28}{figure}" for name, figure in robustness.same.items()]
    return "\n".join(lines)


def _report(evaluation: Evaluation) -> str:
    names = {
        "accuracy": "accuracy",
        "top3": "top-3 accuracy",
        "ece": "expected calibration error",
        "log_loss": "log loss",
    }
    lines = [f"{evaluation.n} clips; value and 95 % interval"]
    lines += [f"{names[key]:28}{figure}" for key, figure in evaluation.figures.items()]
    lines += [f"{'marked not sure':28}{evaluation.uncertain:.3f}"]
    if evaluation.outside:
        marked = f"{evaluation.outside}, n = {evaluation.n_outside}"
        lines.append(f"{'of other genres, marked':28}{marked}")
    lines += ["", "tier        n  right"]
    lines += [
        f"{tier:9}{n:4}  {right / n:5.0%}" for tier, (n, right) in evaluation.tiers.items() if n
    ]
    if evaluation.tags:
        lines += ["", "tag             labelled  given  both"]
        lines += [
            f"{name:15}{labelled:9}{given:7}{both:6}"
            for name, (labelled, given, both) in evaluation.tags.items()
        ]
    lines.append("")
    width = max(map(len, evaluation.genres))
    lines.append(f"{'true genre':{width}}   n  right  most often taken for")
    for index, genre in enumerate(evaluation.genres):
        row = evaluation.confusion[index]
        if not row.sum():
            continue
        others = sorted(
            ((count, other) for other, count in enumerate(row) if other != index and count),
            reverse=True,
        )
        wrong = ", ".join(f"{evaluation.genres[other]} {count}" for count, other in others[:3])
        lines.append(f"{genre:{width}} {row.sum():3}  {row[index] / row.sum():5.0%}  {wrong}")
    return "\n".join(line.rstrip() for line in lines)
