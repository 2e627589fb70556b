"""``topgenre classify``: the genres of files, folders and standard input."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from topgenre.cli import interrupt, options, output
from topgenre.cli.status_line import StatusLine
from topgenre.errors import OutputError
from topgenre.files import make_folder
from topgenre.library.batch import classify_files
from topgenre.library.find import STANDARD_INPUT, find_audio
from topgenre.result import Failure, Result

_ALL_GENRES = 10  # of a picture, where there is room for them


@dataclass(frozen=True, slots=True)
class Request:
    """What to classify, and what to do with the results.

    Attributes
    ----------
    paths : list of str or Failure
        As `topgenre.library.find.find_audio` gives them.
    top : int or None
        How many genres; None leaves it to each form of output.
    form : {"human", "json", "csv"}
        What is printed.
    chart : Path or None
        Picture to draw of the only file.
    charts : Path or None
        Folder for a picture of each file.
    model : Path or None
        Model file, None for the one that comes with the package.
    jobs : int or None
        Worker processes, None for as many as are worth it.
    whole : bool
        Whether to go through whole tracks.
    recommend : bool
        Whether to find music to listen to as well.
    """

    paths: list[str | Failure]
    top: int | None = None
    form: Literal["human", "json", "csv"] = "human"
    chart: Path | None = None
    charts: Path | None = None
    model: Path | None = None
    jobs: int | None = None
    whole: bool = False
    recommend: bool = False


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: topgenre classify song.mp3   |   topgenre classify music/ --json"
    )(classify)


def classify(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Music files, folders of them, or - for standard input.",
            show_default=False,
        ),
    ],
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="How many genres to name.  [default: 3; JSON, CSV and charts: all]",
        ),
    ] = None,
    as_json: options.AsJsonLines = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
    chart: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the result of one file as .png or .svg."),
    ] = None,
    charts: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw each result into this folder, as .png."),
    ] = None,
    whole: options.Whole = False,
    recommend: Annotated[
        bool, typer.Option("--recommend", help="Find music to listen to as well.")
    ] = False,
    model: options.Model = None,
    jobs: options.Jobs = None,
) -> None:
    """Name the genres of music files, most probable first."""
    if as_json and as_csv:
        raise typer.BadParameter("it contradicts --json; choose one", param_hint="--csv")
    if as_csv and recommend:
        raise typer.BadParameter("no table holds it; use --json", param_hint="--recommend")
    if chart and charts:
        raise typer.BadParameter("it contradicts --charts; choose one", param_hint="--chart")
    check_standard_input(paths)
    if chart:
        check_picture_name(chart, "--chart")
    found = find_audio(paths)
    if chart and len(found) > 1:
        raise typer.BadParameter(
            f"it draws one file, not {len(found)}; use --charts DIR", param_hint="--chart"
        )
    form: Literal["human", "json", "csv"] = "json" if as_json else "csv" if as_csv else "human"
    raise typer.Exit(run(Request(found, top, form, chart, charts, model, jobs, whole, recommend)))


def check_standard_input(paths: list[str]) -> None:
    """Refuse to read standard input twice, or from a keyboard."""
    if paths.count(STANDARD_INPUT) > 1:
        raise typer.BadParameter("standard input can be read only once", param_hint="-")
    if STANDARD_INPUT in paths and sys.stdin.isatty():
        raise typer.BadParameter(
            "standard input is a terminal; pipe a music file into it", param_hint="-"
        )


def check_picture_name(path: Path, option: str) -> None:
    """Refuse a picture in a format that cannot be drawn, before any work is done."""
    from topgenre.charts.canvas import picture_format

    try:
        picture_format(path)
    except OutputError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def run(request: Request) -> int:
    """Classify, print and draw; return the exit code."""
    counts: Counter[str] = Counter()
    begin = time.monotonic()
    charts = _Charts(request)
    show = _printer(request)
    if request.recommend:
        from topgenre.cli.recommend import recommending

        show = recommending(show, request.top, as_json=request.form == "json")
    status = StatusLine(len(request.paths))
    outcomes = classify_files(
        request.paths, model=request.model, jobs=request.jobs, whole=request.whole
    )
    try:
        # Closed in any case, so that no worker process outlives what it works for.
        with closing(outcomes):
            status.draw(0)
            for done, outcome in enumerate(outcomes, 1):
                status.wipe()
                show(outcome)
                if isinstance(outcome, Failure):
                    counts["failed"] += 1
                    output.show_details(outcome)
                else:
                    counts["not sure (?)"] += outcome.uncertain
                    counts["charts failed"] += not charts.draw(outcome)
                status.draw(done)
    finally:
        status.wipe()
    if len(request.paths) > 1:
        said = [f"{count} {what}" for what, count in counts.items() if count]
        typer.echo(
            f"{len(request.paths)} files in {time.monotonic() - begin:.1f} s"
            + (f": {', '.join(said)}" if said else ""),
            err=True,
        )
    return 1 if counts["failed"] or counts["charts failed"] else 0


def _printer(request: Request) -> output.Printer:
    if request.form == "json":
        return output.json_printer(request.top)
    if request.form == "csv":
        from topgenre.classifier import load

        n_genres = len(load(request.model).genres)
        return output.csv_printer(min(request.top or n_genres, n_genres))
    paths = [path.path if isinstance(path, Failure) else path for path in request.paths]
    return output.human_printer(paths, request.top)


class _Charts:
    """The pictures of a run: none, one, or one for each file in a folder."""

    def __init__(self, request: Request) -> None:
        self._file = request.chart
        self._folder = request.charts
        self._top = request.top or _ALL_GENRES
        self._taken: set[str] = set()
        if self._folder:
            make_folder(self._folder, "charts")

    def draw(self, result: Result) -> bool:
        """Draw a result where the user asked for it; say so and give False if that fails."""
        path = self._file or (self._folder and self._folder / self._name(result.path))
        if path is None:
            return True
        from topgenre.charts import save_bar_chart

        try:
            with interrupt.raised():
                save_bar_chart(result, path, top=self._top)
        except OutputError as error:
            output.say_error(str(error))
            return False
        return True

    def _name(self, path: str) -> str:
        """Name a picture after its file, and number it where two files have the same name."""
        stem = "standard input" if path == STANDARD_INPUT else Path(path).name
        name, number = stem, 1
        # Some file systems take capital and small letters for the same.
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem} {number}"
        self._taken.add(name.casefold())
        return f"{name}.png"
