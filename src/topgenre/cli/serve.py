"""Implement ``topgenre serve``: the web page and the REST API."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from topgenre.cli import options
from topgenre.errors import TopgenreError


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: topgenre serve --open")(serve)


def serve(
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, metavar="N", help="Port; 0 picks a free one.  [default: 8000]"
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processes that classify.  [default: all CPUs]"),
    ] = None,
    max_upload: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="MB", help="Longest file, in megabytes.  [default: 105; any on loopback]"
        ),
    ] = None,
    show: options.Open = False,
    genres: options.Genres = None,
    model: options.Model = None,
) -> None:
    """Serve the web page and the REST API until Ctrl-C.

    All other settings are environment variables, such as TOPGENRE_API_KEY; the documentation lists
    them.
    """
    from pydantic import ValidationError

    from topgenre.web.server import run
    from topgenre.web.settings import Settings

    chosen: dict[str, Any] = {
        "host": host,
        "port": port,
        "workers": workers,
        "max_upload_bytes": max_upload and max_upload * 1_000_000,
        "model": model,
        "genres": genres,
    }
    try:
        settings = Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        said = first["msg"].removeprefix("Value error, ")
        # If several settings are wrong together, the message names them.
        name = f"TOPGENRE_{first['loc'][0]}: ".upper() if first["loc"] else ""
        raise TopgenreError(f"{name}{said}; change or unset it") from error
    run(settings, ready=_started(show))


def _started(show: bool) -> Callable[[str], None]:
    def ready(url: str) -> None:
        if sys.stdout.isatty():
            typer.echo("Press Ctrl-C to stop.")
        if show:
            typer.launch(url)

    return ready
