"""Implement ``topgenre playlists``: write a playlist per genre of a library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from topgenre.cli import options, printing


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Write a playlist for each genre of a scanned library.",
        epilog="Example: topgenre playlists Music/Playlists/ --limit 100",
    )(playlists)


def playlists(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the playlists.")],
    catalog: options.Catalog = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="P",
            help="Songs with at least this probability, sure or not.  [default: all that are sure]",
        ),
    ] = None,
    folder: options.Folder = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most songs per genre.")
    ] = None,
    genres: options.Genres = None,
    model: options.Model = None,
) -> None:
    """Write a playlist (.m3u8) per genre of the scanned library, surest songs first.

    Playlists that topgenre wrote there before are updated; other files are never touched.
    """
    from topgenre.errors import CatalogueError
    from topgenre.library.catalogue import model_hash
    from topgenre.library.playlists import choose, save
    from topgenre.result import spoken
    from topgenre.teaching.view import open_catalogue

    with open_catalogue(catalog, genres, model) as catalogue:
        fingerprint = model_hash(model)
        lists = choose(
            catalogue, model=fingerprint, threshold=threshold, folder=folder, limit=limit
        )
        options.say_left_out(catalogue.other_models(fingerprint))
        if not any(found.songs for found in lists):
            raise CatalogueError(
                f"{catalogue.path}: no song matches; scan more music, or use fewer conditions"
            )
    for found, path in save(lists, target):
        number = len(found.songs)
        of = f" of {found.fitting}" if number < found.fitting else ""
        songs = "song" if number == 1 and not of else "songs"
        line = f"{spoken(found.genre)}: {number}{of} {songs} in {path}"
        typer.echo(printing.shown(line))
