"""Outcomes as bars, lines, JSON and CSV on standard output, and what goes to standard error."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Sequence

import typer

from topgenre.library.batch import Outcome
from topgenre.result import Failure, Result
from topgenre.text import csv_cell, json_safe

_DEFAULT_TOP = 3
_NARROWEST_PATH = 16  # columns

Printer = Callable[[Outcome], None]


def say_error(message: str) -> None:
    """Print an error as one line on standard error."""
    label = "error:" if os.environ.get("NO_COLOR") else typer.style("error:", fg="red", bold=True)
    typer.echo(f"{label} {_printable(message, sys.stderr.encoding)}", err=True)


def give_up_output() -> None:
    """Drop what is still to be written to standard output, for which there is no room."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def json_printer(top: int | None) -> Printer:
    """Print one JSON object a line, with the `top` genres or all of them."""

    def show(outcome: Outcome) -> None:
        record = outcome.to_dict() if isinstance(outcome, Failure) else outcome.to_dict(top)
        # ASCII, as no terminal or pipe turns that into anything else.
        typer.echo(json.dumps(json_safe(record)))

    return show


def csv_printer(top: int) -> Printer:
    """Print a header and one row a file, with `top` genres."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")

    def write(row: Sequence[object]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(map(csv_cell, row))
        typer.echo(line.getvalue())

    ranked = [f"{name}_{place + 1}" for place in range(top) for name in ("genre", "probability")]
    write(["path", "uncertain", "start", "end", *ranked, "model", "error"])

    def show(outcome: Outcome) -> None:
        if isinstance(outcome, Failure):
            blanks = [""] * (len(ranked) + 4)
            write([json_safe(outcome.path), *blanks, json_safe(str(outcome.error))])
            return
        record = outcome.to_dict(top)
        segment = record["segment"]
        values = [genre[key] for genre in record["genres"] for key in ("genre", "probability")]
        write(
            [
                *(json_safe(record["path"]), str(record["uncertain"]).lower()),
                *(segment["start"], segment["end"], *values, record["model"], ""),
            ]
        )

    return show


def human_printer(paths: Sequence[str], top: int | None) -> Printer:
    """Print bars for a single file, or one line for each of several."""
    top = top or _DEFAULT_TOP
    return _printing(_bars(top) if len(paths) == 1 else _lines(paths, top))


def _printing(show_result: Callable[[Result], None]) -> Printer:
    def show(outcome: Outcome) -> None:
        if isinstance(outcome, Result):
            show_result(outcome)
        else:
            say_error(str(outcome.error))

    return show


def plain_printer(top: int | None = None) -> Printer:
    """Print one line for each outcome, in a terminal too."""
    return _printing(_plain(top or _DEFAULT_TOP))


def show_details(failure: Failure) -> None:
    """Print the traceback of a fault inside topgenre, if the user wants to see such."""
    if failure.details and os.environ.get("TOPGENRE_DEBUG"):
        typer.echo(failure.details, err=True)


def _bars(top: int) -> Callable[[Result], None]:
    from rich.console import Console

    from topgenre.charts import print_bars

    console = Console()
    return lambda result: print_bars([result], console, top=top)


def _lines(paths: Sequence[str], top: int) -> Callable[[Result], None]:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    from topgenre.charts.wording import percent

    console = Console(soft_wrap=True, highlight=False)
    encoding = console.encoding

    longest = max(cell_len(_printable(path, encoding)) for path in paths)

    def aligned(result: Result) -> None:
        names = [_printable(genre, encoding) for genre, _ in result.genres]
        widest = max(map(cell_len, names))
        room = console.width - 2 - min(top, len(names)) * (widest + 9)
        column = min(longest, max(room, _NARROWEST_PATH))
        line = Text(_padded(_end_of(_printable(result.path, encoding), column), column))
        line.append(" ? " if result.uncertain else "   ", style="bold magenta")
        for place, (name, (_, share)) in enumerate(zip(names, result.top(top), strict=False)):
            best = "bold magenta" if result.uncertain else "bold cyan"
            style = best if place == 0 else "" if place == 1 else "dim"
            line.append(f"{_padded(name, widest)} {percent(share):>6}  ", style=style)
        line.rstrip()
        console.print(line)
        for notice in result.notices:
            console.print(Text(f"  note: {_printable(notice, encoding)}", style="dim"))

    def _padded(text: str, width: int) -> str:
        return text + " " * (width - cell_len(text))

    def _end_of(text: str, width: int) -> str:
        if cell_len(text) <= width:
            return text
        while cell_len(text) >= width:
            text = text[1:]
        return ("…" if encoding.startswith("utf") else "~") + text

    return aligned if console.is_terminal else _plain(top)


def _plain(top: int) -> Callable[[Result], None]:
    from topgenre.charts.wording import percent

    encoding = sys.stdout.encoding

    def show(result: Result) -> None:
        genres = ", ".join(f"{genre} {percent(share)}" for genre, share in result.top(top))
        doubt = " (not sure)" if result.uncertain else ""
        typer.echo(f"{_printable(f'{result.path}: {genres}', encoding)}{doubt}")
        for notice in result.notices:
            typer.echo(f"  note: {_printable(notice, encoding)}")

    return show


def _printable(text: str, encoding: str) -> str:
    # Only here, since this brings in Rich: what prints JSON has no need of it.
    from topgenre.text import printable

    return printable(text, encoding)
