"""Implement ``topgenre genres``: the genres a model knows."""

from __future__ import annotations

import json

import typer

from topgenre.cli import options


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: topgenre genres")(genres)


def genres(
    as_json: options.AsJson = False,
    taught: options.Genres = None,
    model: options.Model = None,
) -> None:
    """List the genres the model knows."""
    from topgenre.classifier import load

    classifier = load(model, genres=taught)
    if as_json:
        typer.echo(json.dumps({"model": classifier.name, "genres": classifier.genres}))
    else:
        typer.echo("\n".join(classifier.genres))
