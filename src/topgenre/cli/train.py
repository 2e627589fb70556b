"""Implement ``topgenre train``: make a model file from folders of music."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from topgenre.cli import options


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: topgenre train MyMusic --run-dir runs/mine")(train)


def train(
    dataset: options.Dataset,
    run_dir: Annotated[
        Path, typer.Option(metavar="DIR", help="Cache, checkpoints and results.")
    ] = Path("runs/default"),
    split: options.Split = None,
    collection: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="More labelled music; its index.csv has a column collection; repeatable.",
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights of MSD_musicnn; see docs/model.md."),
    ] = None,
    yamnet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights of YAMNet; see docs/model.md.")
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Music for the teachers to hear; repeatable."),
    ] = None,
    not_music: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Speech, noise: sounds to be unsure about; repeatable."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings as TOML; see docs/model.md.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where PyTorch computes: cpu or cuda.")] = "cpu",
    name: Annotated[str, typer.Option(help="Name and version of the model.")] = "custom 1",
) -> None:
    """Train a model on your own genres.

    Needs the extra `train`. Run the same command again to continue an interrupted run.
    """
    if missing := [module for module in ("torch", "onnx", "onnxscript") if not find_spec(module)]:
        raise typer.BadParameter(
            f"{missing[0]} is not installed; training needs: pip install 'topgenre[train]'"
        )
    from topgenre.cli.progress import counter
    from topgenre.training.config import TrainConfig
    from topgenre.training.recipe import Sources, train_model

    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("topgenre").setLevel(logging.INFO)

    model = train_model(
        Sources(
            dataset,
            split_files=tuple(split or ()),
            collections=tuple(collection or ()),
            unlabelled=tuple(unlabelled or ()),
            not_music=tuple(not_music or ()),
            musicnn=teacher,
            yamnet=yamnet,
        ),
        run_dir,
        TrainConfig.load(config) if config else TrainConfig(),
        name,
        device,
        counter(),
    )
    typer.echo(f"{model}\nTry it: topgenre classify song.mp3 --model {model}")
