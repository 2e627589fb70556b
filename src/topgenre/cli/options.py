"""Define options and checks that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from topgenre.errors import OutputError
from topgenre.library.find import STANDARD_INPUT
from topgenre.text import counted

Model = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Model to use.  [default: the bundled model]"),
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
AsJsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
Dataset = Annotated[
    Path,
    typer.Argument(metavar="DATASET_DIR", help="A folder with one subfolder of music per genre."),
]
Split = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", help="List of a split's clips, such as valid_filtered.txt; repeatable."
    ),
]
Folder = Annotated[Path | None, typer.Option(metavar="DIR", help="Only songs below this folder.")]
Open = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]
Whole = Annotated[
    bool, typer.Option("--whole", help="Analyse whole tracks instead of their middle 10 s.")
]


def check_standard_input(paths: list[str]) -> None:
    """Refuse to read standard input twice, or from a keyboard."""
    if paths.count(STANDARD_INPUT) > 1:
        raise typer.BadParameter("standard input can be read only once", param_hint="-")
    if STANDARD_INPUT in paths and sys.stdin.isatty():
        raise typer.BadParameter(
            "standard input is a terminal; pipe a music file into it", param_hint="-"
        )


def check_picture_name(path: Path, option: str) -> None:
    """Refuse a picture in an unknown format before any work is done."""
    from topgenre.charts.canvas import picture_format

    try:
        picture_format(path)
    except OutputError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def check_playlist_name(path: Path) -> None:
    """Refuse a file name that is not a playlist's before any work is done."""
    from topgenre.playlist import check_name

    try:
        check_name(path)
    except OutputError as error:
        raise typer.BadParameter(str(error), param_hint="--m3u8") from error


def say_left_out(count: int) -> None:
    """Print how many songs are left out because another model classified them."""
    if count:
        typer.echo(
            f"note: left out, as another model classified them: {counted(count, 'song')}; "
            "scan their folders again to include them",
            err=True,
        )
