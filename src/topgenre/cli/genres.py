"""``topgenre genres``: what a model tells apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: topgenre genres")(genres)


def genres(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Use this model instead of the one that came along."),
    ] = None,
) -> None:
    """List the genres that the model tells apart."""
    from topgenre.classifier import load

    classifier = load(model)
    if as_json:
        typer.echo(json.dumps({"model": classifier.info.name, "genres": classifier.genres}))
    else:
        typer.echo("\n".join(classifier.genres))
