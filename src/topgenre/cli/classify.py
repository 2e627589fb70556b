"""Implement ``topgenre classify``: classify files, folders and standard input."""

from __future__ import annotations

import gc
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from topgenre.cli import interrupt, options, printing
from topgenre.cli.progress import Progress
from topgenre.cli.progress import run as run_batch
from topgenre.errors import OutputError
from topgenre.files import make_folder
from topgenre.library.batch import Outcome, classify_files
from topgenre.library.find import STANDARD_INPUT, find_audio, is_folder
from topgenre.result import Failure, Result
from topgenre.text import counted

_ALL_GENRES = 10  # in a chart


@dataclass(frozen=True, slots=True)
class Request:
    """The files to classify, and what to do with the results.

    Attributes
    ----------
    paths : list of str or Failure
        As `topgenre.library.find.find_audio` returns them.
    top : int or None
        Number of genres; None means the default of each form of output.
    form : {"human", "json", "csv"}
        Form of the output.
    chart : Path or None
        Chart to draw of the only file.
    charts : Path or None
        Folder for a chart of each file.
    dark : bool
        Whether charts are for a dark page.
    tags : bool
        Whether to name styles, instruments and moods too.
    model : Path or None
        Model file, None for the bundled model.
    genres : Path or None
        File of taught genres.
    jobs : int or None
        Worker processes; None for a suitable number.
    whole : bool
        Whether to analyse whole tracks.
    recommend : bool
        Whether to recommend music too.
    """

    paths: list[str | Failure]
    top: int | None = None
    form: Literal["human", "json", "csv"] = "human"
    chart: Path | None = None
    charts: Path | None = None
    dark: bool = False
    tags: bool = False
    model: Path | None = None
    genres: Path | None = None
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
            help="How many genres to list.  [default: 3; JSON, CSV and charts: all]",
        ),
    ] = None,
    as_json: options.AsJsonLines = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
    chart: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw a chart of one file as .png or .svg."),
    ] = None,
    charts: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw a chart of each file in this folder, as .png."),
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Draw charts for a dark page.")] = False,
    whole: options.Whole = False,
    tags: Annotated[
        bool, typer.Option("--tags", help="List styles, instruments and moods too.")
    ] = False,
    recommend: Annotated[
        bool, typer.Option("--recommend", help="Recommend music too: one list for all files.")
    ] = False,
    genres: options.Genres = None,
    model: options.Model = None,
    jobs: options.Jobs = None,
) -> None:
    """Identify the genre of music files, most probable first."""
    if as_json and as_csv:
        raise typer.BadParameter("Use --json or --csv, not both")
    if as_csv and recommend:
        raise typer.BadParameter("CSV cannot hold it; use --json", param_hint="--recommend")
    if chart and charts:
        raise typer.BadParameter("Use --chart or --charts, not both")
    options.check_standard_input(paths)
    if chart:
        options.check_picture_name(chart, "--chart")
    found = find_audio(paths)
    if chart and len(found) > 1:
        raise typer.BadParameter(
            f"it draws one file, not {len(found)}; use --charts DIR", param_hint="--chart"
        )
    form: Literal["human", "json", "csv"] = "json" if as_json else "csv" if as_csv else "human"
    request = Request(
        found,
        top,
        form,
        chart=chart,
        charts=charts,
        dark=dark,
        tags=tags,
        model=model,
        genres=genres,
        jobs=jobs,
        whole=whole,
        recommend=recommend,
    )
    raise typer.Exit(run(request))


def run(request: Request, results: list[Result] | None = None) -> int:
    """Classify, print and draw.

    Parameters
    ----------
    request : Request
    results : list, optional
        The results are appended to it.

    Returns
    -------
    int
        The exit code.
    """
    gc.disable()  # until the first outcome: to load what classifies makes no garbage
    batch = _Batch(request, results)
    begin = time.monotonic()
    single = request.whole and len(request.paths) == 1
    progress = _TrackProgress() if single else Progress(len(request.paths))
    outcomes = classify_files(
        request.paths,
        model=request.model,
        jobs=request.jobs,
        whole=request.whole,
        genres=request.genres,
        progress=progress.set if isinstance(progress, _TrackProgress) else None,
    )
    try:
        run_batch(outcomes, batch.show, progress)
    finally:
        gc.enable()
    batch.finish(time.monotonic() - begin)
    return batch.code


class _TrackProgress(Progress):
    """Show how much of one long track is analysed."""

    def __init__(self) -> None:
        super().__init__(100)

    def set(self, fraction: float) -> None:
        """Show a fraction."""
        self.done = round(100 * fraction)
        self.draw()

    def count(self, _outcome: object) -> None:
        """Do nothing: `set` counts."""

    def text(self) -> str:
        """Return the line: a bar and a percentage."""
        return f"{self.bar()} {self.done}%"


class _Batch:
    """Print and count the outcomes of one run.

    Attributes
    ----------
    code : int
        The exit code so far.
    """

    def __init__(self, request: Request, results: list[Result] | None) -> None:
        self.code = 0
        self._request = request
        self._charts = _Charts(request)
        # Kept only if something needs them: a library may have a hundred thousand files.
        self._results = [] if results is None and request.recommend else results
        self._genres: Counter[str] = Counter()
        self._unsure = 0
        self._counts: Counter[str] = Counter()
        # The recommendations of a single file are part of its JSON object.
        self._joined = request.recommend and request.form == "json" and len(request.paths) == 1
        self._print = _printer(request)

    def show(self, outcome: Outcome) -> None:
        """Print and draw one outcome."""
        gc.enable()
        if isinstance(outcome, Failure):
            self._print(outcome)
            printing.show_details(outcome)
            self.code = 1
            # A folder without music is not a file that failed.
            self._counts["failed"] += not is_folder(outcome.path)
            return
        if not self._joined:
            self._print(outcome)
        if self._results is not None:
            self._results.append(outcome)
        if outcome.tier == "unsure":
            self._unsure += 1
        else:
            self._genres[outcome.genres[0].genre] += 1
        if not self._charts.draw(outcome):
            self._counts["charts failed"] += 1
            self.code = 1

    def finish(self, seconds: float) -> None:
        """Print the summary of all files, charts and recommendations."""
        request = self._request
        if len(request.paths) > 1:
            if request.form == "human":
                printing.print_summary(self._genres, self._unsure)
            n_files = self._genres.total() + self._unsure + self._counts["failed"]
            said = [f"{count} {what}" for what, count in self._counts.items() if count]
            typer.echo(
                f"{counted(n_files, 'file')} in {seconds:.1f} s"
                + (f": {', '.join(said)}" if said else ""),
                err=True,
            )
        self._charts.say_written()
        if request.recommend and self._results:
            from topgenre.cli import suggestions

            sections = suggestions.for_results(self._results, request.top)
            if self._joined:
                suggestions.print_json(self._results[0].to_dict(request.top), sections)
            elif request.form == "json":
                weights = suggestions.mixture(self._results, request.top)
                suggestions.print_json({"genres": suggestions.shares(weights)}, sections)
            else:
                typer.echo()
                suggestions.print_sections(sections)


def _printer(request: Request) -> printing.Printer:
    if request.form == "json":
        return printing.json_printer(request.top)
    if request.form == "csv":
        from topgenre.classifier import load

        n_genres = len(load(request.model, genres=request.genres).genres)
        return printing.csv_printer(min(request.top or n_genres, n_genres))
    paths = [path.path if isinstance(path, Failure) else path for path in request.paths]
    return printing.human_printer(paths, request.top, tags=request.tags)


class _Charts:
    """Draw one chart, or one per file in a folder, if requested."""

    def __init__(self, request: Request) -> None:
        self._file = request.chart
        self._folder = request.charts
        self._top = request.top or _ALL_GENRES
        self._dark = request.dark
        self._taken: set[str] = set()
        self._written = 0
        if self._folder:
            make_folder(self._folder, "charts")

    def draw(self, result: Result) -> bool:
        """Draw a result; if that fails, print why and return False."""
        path = self._file or (self._folder and self._folder / self._name(result.path))
        if path is None:
            return True
        from topgenre.charts import save_bar_chart

        try:
            with interrupt.raised():
                save_bar_chart(
                    result,
                    path,
                    top=self._top,
                    song=printing.song_name(result.path),
                    dark=self._dark,
                )
        except OutputError as error:
            printing.say_error(str(error))
            return False
        self._written += 1
        return True

    def say_written(self) -> None:
        """Print where the charts were written."""
        if self._written and self._file:
            printing.say_written(self._file)
        elif self._written:
            printing.say_written(f"{counted(self._written, 'chart')} in {self._folder}")

    def _name(self, path: str) -> str:
        """Name a chart after its file, with a number if several files have the same name."""
        stem = "standard input" if path == STANDARD_INPUT else Path(path).name
        name, number = stem, 1
        # Some file systems ignore case.
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem} {number}"
        self._taken.add(name.casefold())
        return f"{name}.png"
