"""Implement ``topgenre report``: a page about a scanned library."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from topgenre.cli import options


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Write a page about a scanned library: numbers, a map, what to review.",
        epilog="Example: topgenre report --folder Music/ --out music.html",
    )(report)


def report(
    catalog: options.Catalog = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Page to write, .html.")] = Path(
        "topgenre-report.html"
    ),
    folder: options.Folder = None,
    show: options.Open = False,
    genres: options.Genres = None,
    model: options.Model = None,
) -> None:
    """Write a page about the scanned library, to open in a browser.

    The page is one file and needs no server. It shows the number of songs per genre, how sure the
    results are, songs to review, files that failed, and a map where similar songs are close
    together.
    """
    from topgenre.report import page

    if out.suffix.lower() not in page.SUFFIXES:
        raise typer.BadParameter(
            f"{out}: a page's name must end in {' or '.join(page.SUFFIXES)}",
            param_hint="--out",
        )
    from topgenre.files import spare_others
    from topgenre.library.catalogue import model_hash
    from topgenre.report.summary import summarise
    from topgenre.teaching.review import doubtful_in
    from topgenre.teaching.view import open_catalogue

    spare_others(out, page.HEAD)
    with open_catalogue(catalog, genres, model) as catalogue:
        found = summarise(catalogue, model=model_hash(model), folder=folder)
        inside = None if folder is None else os.path.abspath(folder)  # noqa: PTH100 - keeps links
        doubtful = doubtful_in(catalogue, model_hash(model), folder=inside)
        found = replace(found, doubtful=doubtful)
    page.save(found, out, written=datetime.now().astimezone())
    options.say_left_out(found.other_model)
    songs = f"{found.songs:,} song{'' if found.songs == 1 else 's'}"
    typer.echo(f"wrote {out} ({songs})")
    if show:
        typer.launch(out.absolute().as_uri())
