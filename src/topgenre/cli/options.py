"""Options that several commands have, spelt and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from topgenre.errors import OutputError

Model = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Use this model instead of the bundled one."),
]
Genres = Annotated[
    Path | None,
    typer.Option("--genres", metavar="FILE", help="Use your own genres, from `topgenre teach`."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Worker processes.  [default: 1 for few files, else all CPUs]"
    ),
]
Catalog = Annotated[
    Path | None,
    typer.Option(
        "--catalogue",
        "--catalog",
        metavar="FILE",
        help="Catalogue to use.  [default: one in your folder for user data]",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")]
Whole = Annotated[
    bool, typer.Option("--whole", help="Go through whole tracks instead of their middle 10 s.")
]


def check_playlist_name(path: Path) -> None:
    """Refuse a name that is no playlist's before any work is done."""
    from topgenre.playlist import check_name

    try:
        check_name(path)
    except OutputError as error:
        raise typer.BadParameter(str(error), param_hint="--m3u8") from error


def say_left_out(count: int) -> None:
    """Say how many songs of a catalogue cannot be used, as another model classified them."""
    if count:
        songs = f"{count} song{'' if count == 1 else 's'}"
        typer.echo(
            f"note: left out, as another model classified them: {songs}; "
            "scan their folders again to include them",
            err=True,
        )
