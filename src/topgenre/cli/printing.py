"""Print outcomes as bars, rows, JSON or CSV, and messages on standard error."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence

import typer

from topgenre.errors import TagError
from topgenre.library.batch import Outcome
from topgenre.library.find import STANDARD_INPUT
from topgenre.result import Failure
from topgenre.text import csv_cell, json_safe, printable

_DEFAULT_TOP = 3

Printer = Callable[[Outcome], None]


def say_error(message: str) -> None:
    """Print an error as one line on standard error."""
    text = f"error: {printable(message, sys.stderr.encoding)}"
    if width := terminal_width():
        text = wrapped(text, width)
    if not os.environ.get("NO_COLOR"):
        text = text.replace("error:", typer.style("error:", fg="red", bold=True), 1)
    typer.echo(text, err=True)


def shown(text: object) -> str:
    """Return a text as standard output can show it, on one line."""
    return printable(str(text), sys.stdout.encoding)


def give_up_output() -> None:
    """Discard what is still to be written to standard output, as the disk is full."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def json_printer(top: int | None) -> Printer:
    """Print one JSON object per line, with the `top` genres or all of them."""

    def show(outcome: Outcome) -> None:
        record = outcome.to_dict() if isinstance(outcome, Failure) else outcome.to_dict(top)
        # ASCII, which every terminal and pipe passes on unchanged.
        typer.echo(json.dumps(json_safe(record)))

    return show


def csv_printer(top: int) -> Printer:
    """Print a header and one row per file, with `top` genres."""
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


def human_printer(
    paths: Sequence[str],
    top: int | None = None,
    *,
    tags: bool = False,
    rows: bool | None = None,
) -> Printer:
    """Print bars for a single file, or one row for each of several.

    Parameters
    ----------
    paths : sequence of str
        All files, for the width of the column of paths.
    top : int, optional
        How many genres.
    tags : bool
        Whether to name styles, instruments and moods too.
    rows : bool, optional
        Whether to print rows; by default for more than one file.
    """
    from rich.cells import cell_len
    from rich.console import Console

    from topgenre.charts import print_bars, print_row

    console = Console(highlight=False)
    top = top or _DEFAULT_TOP
    column = max((cell_len(printable(path, console.encoding)) for path in paths), default=0)

    def show(outcome: Outcome) -> None:
        if isinstance(outcome, Failure):
            say_error(str(outcome.error))
        elif len(paths) > 1 if rows is None else rows:
            song = song_name(outcome.path, apart=True)
            print_row(outcome, console, column=column, top=top, song=song, tags=tags)
        else:
            song = song_name(outcome.path)
            print_bars([outcome], console, top=top, song=song, tags=tags)

    return show


def song_tags(path: str, *, apart: bool = False) -> tuple[str | None, str | None]:
    """Return artist and title from a file's tags.

    Parameters
    ----------
    path : str
    apart : bool
        Whether to read them in a process of its own, so that a hostile file costs only itself.
    """
    if path == STANDARD_INPUT:
        return None, None
    if not apart:
        from topgenre.library.tags import read_tags

        tags = read_tags(path)
    else:
        from topgenre.tagging import process

        try:
            tags = process.read_tags(path)
        except TagError:
            return None, None
    return tags.artist, tags.title


def song_name(path: str, *, apart: bool = False) -> str:
    """Return artist and title in one text, as far as the file's tags have them."""
    return " - ".join(filter(None, song_tags(path, apart=apart)))


def plain_printer() -> Printer:
    """Print one line for each outcome, in a terminal too."""
    return human_printer((), rows=True)


def print_summary(counts: Mapping[str, int], unsure: int) -> None:
    """Print on standard error how many files have each genre, and how many have none."""
    from rich.console import Console

    from topgenre import charts

    charts.print_summary(counts, Console(stderr=True, highlight=False), unsure=unsure)


def say_written(path: object) -> None:
    """Say on standard error that a file was written."""
    typer.echo(f"wrote {printable(str(path), sys.stderr.encoding)}", err=True)


def show_details(failure: Failure) -> None:
    """Print the traceback of a bug in topgenre, if TOPGENRE_DEBUG is set."""
    if failure.details and os.environ.get("TOPGENRE_DEBUG"):
        typer.echo(failure.details, err=True)


def terminal_width() -> int:
    """Return the columns of standard error, or 0 if it is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stderr.isatty() else 0


def wrapped(text: str, columns: int) -> str:
    """Break a text between words so that a terminal does not break it inside them."""
    import textwrap

    return textwrap.fill(
        text, columns, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
