"""Implement ``topgenre scan``: classify a library into a catalogue."""

from __future__ import annotations

import sys
import time
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topgenre.cli import interrupt, options, printing
from topgenre.cli.progress import Progress, run
from topgenre.cli.scan_cluster import scan_cluster
from topgenre.text import clock, counted, printable

if TYPE_CHECKING:
    from topgenre.library.catalogue import Catalogue
    from topgenre.library.scan import Step


class Engine(StrEnum):
    """Engine that runs a scan."""

    LOCAL = "local"
    RAY = "ray"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Classify a library into a catalogue, and keep it up to date.",
        epilog="Examples: topgenre scan Music/   |   topgenre scan --export songs.csv",
    )(scan)


def scan(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Folders of music, and files; with --engine ray also URLs such as s3://bucket.",
            show_default=False,
        ),
    ] = None,
    catalog: options.Catalog = None,
    retry_errors: Annotated[
        bool,
        typer.Option(
            "--retry-errors", help="Try files again that failed before; without PATH, all such."
        ),
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Forget songs whose files are missing.")
    ] = False,
    errors: Annotated[
        bool, typer.Option("--errors", help="List the files that failed, and why.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the catalogue as a .csv, .ndjson or .parquet table."
        ),
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="Run on this machine, or on a Ray cluster.")
    ] = Engine.LOCAL,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder or URL for the tables of --engine ray."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster, such as auto.  [default: one on this machine]"),
    ] = None,
    model: options.Model = None,
    jobs: options.Jobs = None,
) -> None:
    """Classify every song of a library once, and keep the results in a catalogue.

    Songs in the catalogue are skipped unless their file has changed, so after a stop the same
    command continues. Moved files are recognised by their content. Songs whose files are gone stay
    in the catalogue, marked as missing, until --prune. Recycle bins and snapshots
    are skipped.
    """
    if engine is Engine.RAY:
        local = catalog or retry_errors or prune or errors or export
        if local or not paths or not out:
            raise typer.BadParameter(
                "needs PATH and --out; only --address, --model and --jobs go with it",
                param_hint="--engine ray",
            )
        raise typer.Exit(scan_cluster(paths, out, address, model, jobs))
    if out or address:
        raise typer.BadParameter("these are for --engine ray", param_hint="--out, --address")
    from topgenre.errors import OutputError
    from topgenre.library.catalogue import Catalogue
    from topgenre.library.export import check_name

    scanning = bool(paths) or retry_errors
    if not (scanning or prune or errors or export):
        raise typer.BadParameter(
            "name folders to scan, or say --errors, --retry-errors, --prune or --export",
            param_hint="PATH",
        )
    if export:
        try:
            check_name(export)
        except OutputError as error:
            raise typer.BadParameter(str(error), param_hint="--export") from error
    failed = unsearched = met = 0
    # Commands that only read do not create a catalogue.
    with Catalogue(catalog, read_only=not (scanning or prune)) as catalogue:
        if scanning:
            with interrupt.raised():
                failed, unsearched, met = _scan(catalogue, paths or [], model, jobs, retry_errors)
        if prune:
            _prune(catalogue, unsearched)
        if errors:
            _list_errors(catalogue)
        if export:
            _export(catalogue, export)
        if met:
            _next_steps(catalogue, model, catalog)
    if failed:
        raise typer.Exit(1)


def _scan(
    catalogue: Catalogue,
    paths: list[str],
    model: Path | None,
    jobs: int | None,
    retry_errors: bool,
) -> tuple[int, int, int]:
    """Scan and print a summary; return counts of failed, unsearched and all."""
    from topgenre.library.scan import scan as scan_files

    counts: Counter[str] = Counter()
    skipped: list[str] = []
    unsearched = 0  # folders that are empty or unreadable, and paths that do not exist
    begin = time.monotonic()
    steps = scan_files(catalogue, paths, model=model, jobs=jobs, retry_errors=retry_errors)

    def show(step: Step) -> None:
        nonlocal unsearched
        counts[step.what] += step.what not in ("found", "skipped")
        if step.what == "skipped":
            skipped.append(step.path)
        unsearched += step.failure is not None and step.to_do is None
        _tell(step)

    try:
        run(steps, show, _Progress(), prints=lambda s: bool(s.failure) or s.what == "vanished")
    except KeyboardInterrupt:
        typer.echo(
            f"\nstopped; {_summary(counts, time.monotonic() - begin)}\n"
            "finished files are stored: run the same command to continue",
            err=True,
        )
        raise typer.Exit(interrupt.exit_code()) from None
    failed = counts["failed"] + counts.pop("empty", 0)
    if skipped:
        what = "recycle bin, snapshot or system file"
        typer.echo(
            f"note: skipped {counted(len(skipped), what)}, such as {printing.shown(skipped[0])}"
        )
    if counts:
        typer.echo(_summary(counts, time.monotonic() - begin))
    if counts["failed before"]:
        typer.echo("--errors lists what failed before, --retry-errors tries it again")
    return failed, unsearched, counts.total()


def _next_steps(catalogue: Catalogue, model: Path | None, chosen: Path | None) -> None:
    """Print a summary of the catalogue, and commands to try next."""
    from topgenre.library.catalogue import model_hash
    from topgenre.result import spoken

    genres = catalogue.tally(model_hash(model))
    said = [f"{spoken(genre) or 'not sure'} {count}" for genre, count in genres]
    typer.echo(f"{counted(catalogue.count(), 'song')} in {printing.shown(catalogue.path)}")
    if said:
        typer.echo(f"  {', '.join(said)}")
        where = f"  (with --catalogue {printing.shown(chosen)})" if chosen else ""
        typer.echo(
            f"Next: topgenre report, topgenre similar SONG, topgenre playlists FOLDER{where}"
        )


class _Progress(Progress):
    """Count the files found, and then the files classified."""

    def __init__(self) -> None:
        super().__init__(0, on_output=False)

    def count(self, step: Step) -> None:
        """Count a step."""
        if step.to_do is not None and not self.total:
            self.total, self.done = step.to_do, 0
        self.done += 1


def _tell(step: Step) -> None:
    if step.failure:
        printing.say_error(str(step.failure.error))
        printing.show_details(step.failure)
    elif step.what == "vanished":
        typer.echo(
            f"note: {printable(step.path, sys.stderr.encoding)}: gone before its classification",
            err=True,
        )


def _summary(counts: Counter[str], seconds: float) -> str:
    done = counts.total() - counts["missing"]
    said = [f"{count} {what}" for what, count in counts.items() if count and what != "classified"]
    if counts["classified"]:
        pace = counts["classified"] / seconds
        said.insert(0, f"{counts['classified']} classified ({pace:.1f} a second)")
    text = f"{counted(done, 'file')} in {_time(seconds)}"
    return f"{text}: {', '.join(said)}" if said else text


def _prune(catalogue: Catalogue, unsearched: int) -> None:
    if unsearched:
        typer.echo(
            "nothing was forgotten, since not all folders could be searched; "
            "run `topgenre scan --prune` alone to forget missing songs anyway",
            err=True,
        )
        return
    typer.echo(f"{counted(catalogue.prune(), 'missing song')} forgotten")


def _list_errors(catalogue: Catalogue) -> None:
    count = 0
    for song in catalogue.failures():
        count += 1
        typer.echo(printing.shown(song.error or ""))
    typer.echo(f"{counted(count, 'file')} failed", err=True)


def _export(catalogue: Catalogue, path: Path) -> None:
    from topgenre.library.export import export

    typer.echo(f"{counted(export(catalogue, path), 'song')} written to {path}")


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{clock(seconds)} min"
