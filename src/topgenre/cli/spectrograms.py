"""Implement ``topgenre spectrograms``: save or draw the network's input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from topgenre.cli import interrupt, options, printing
from topgenre.library.find import STANDARD_INPUT


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: topgenre spectrograms song.mp3 -o song.npz --picture song.png")(
        spectrograms
    )


def spectrograms(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A music file, or - for standard input.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Write the preprocessed file here (.npz)."
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the spectrograms as .png or .svg."),
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Draw the picture for a dark page.")] = False,
) -> None:
    """Save or draw the spectrograms of a music file."""
    from topgenre import preprocessed

    if out is None and picture is None:
        raise typer.BadParameter("give -o FILE, --picture FILE or both", param_hint="-o")
    if out is not None and out.suffix.lower() != preprocessed.SUFFIX:
        raise typer.BadParameter(f"its name must end in {preprocessed.SUFFIX}", param_hint="-o")
    if out is not None and out.exists() and Path(path).exists() and out.samefile(path):
        raise typer.BadParameter("it would replace the file it is made from", param_hint="-o")
    options.check_standard_input([path])
    if picture:
        options.check_picture_name(picture, "--picture")

    from topgenre.classifier import analyse

    if path == STANDARD_INPUT:
        stack = analyse(sys.stdin.buffer, name="standard input")
    else:
        stack = analyse(path)
    for notice in stack.notices:
        typer.echo(f"note: {notice}", err=True)
    with interrupt.raised():
        if out:
            preprocessed.save(stack, out)
            printing.say_written(out)
        if picture:
            from topgenre.charts import save_spectrograms

            save_spectrograms(stack, picture, dark=dark)
            printing.say_written(picture)
