"""Implement ``topgenre watch``: classify files that arrive in a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from topgenre.cli import interrupt, options, printing
from topgenre.cli.progress import run
from topgenre.result import Failure


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Classify files that arrive in a folder.",
        epilog="Example: topgenre watch Inbox/ --interval 10",
    )(watch)


def watch(
    inbox: Annotated[Path, typer.Argument(metavar="INBOX", help="Folder to watch.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for the results.  [default: INBOX/topgenre-results]"
        ),
    ] = None,
    interval: Annotated[
        float, typer.Option(min=0.05, metavar="SECONDS", help="Time between two checks.")
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Classify the files that are there now, and stop.")
    ] = False,
    no_charts: Annotated[bool, typer.Option("--no-charts", help="Do not draw charts.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Also print each result as one line of JSON.")
    ] = False,
    genres: options.Genres = None,
    model: options.Model = None,
    jobs: options.Jobs = None,
) -> None:
    """Classify files as they arrive in a folder, until Ctrl-C.

    Each file gets a result NAME.json and a chart NAME.png in the folder for results. Files with a
    result are skipped. The music is only read.
    """
    if not inbox.is_dir():
        raise typer.BadParameter(f"{inbox} is not a folder", param_hint="INBOX")
    from topgenre.library.watch import RESULTS, Arrival
    from topgenre.library.watch import watch as watch_folder

    where = out or inbox / RESULTS
    say = printing.json_printer(None) if as_json else printing.plain_printer()
    if not once:
        typer.echo(
            f"watching {printing.shown(inbox)}; results go to {printing.shown(where)}; "
            "Ctrl-C to stop",
            err=True,
        )
    counts: Counter[str] = Counter()

    def show(arrival: Arrival) -> None:
        counts["files"] += 1
        say(arrival.outcome)
        if isinstance(arrival.outcome, Failure):
            printing.show_details(arrival.outcome)
        if arrival.problem:
            printing.say_error(str(arrival.problem))
        counts["failed"] += bool(arrival.problem) or isinstance(arrival.outcome, Failure)

    def nothing_new() -> None:
        if not counts:
            counts["files"] = 0  # said once
            typer.echo(f"nothing new in {printing.shown(inbox)}", err=True)

    arrivals = watch_folder(
        inbox,
        out,
        model=model,
        genres=genres,
        jobs=jobs,
        interval=interval,
        charts=not no_charts,
        once=once,
        nothing_new=nothing_new,
    )
    with interrupt.raised():
        run(arrivals, show)
    if counts["failed"]:
        raise typer.Exit(1)
