"""Implement ``topgenre tag``: write genres into the tags of files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topgenre.cli import interrupt, options, printing
from topgenre.cli.progress import Progress, run
from topgenre.library.find import PREPROCESSED, find_audio, is_folder
from topgenre.result import Failure
from topgenre.text import counted, json_safe

if TYPE_CHECKING:
    from topgenre.library.catalogue import Catalogue
    from topgenre.tagging.apply import Tagging, Undone
    from topgenre.tagging.policy import Policy

    Outcome = Tagging | Undone | Failure


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Write genres into the tags of music files, and undo it.",
        epilog="Examples: topgenre tag Music/   |   topgenre tag Music/ --write   |   "
        "topgenre tag --undo",
    )(tag)


def tag(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="Music files or folders.", show_default=False),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Change the files. Without it, only show the changes.")
    ] = False,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Undo the changes of the last run or, with PATH, of all runs."),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave files that already have a genre.  [default]")
    ] = False,
    append: Annotated[
        bool, typer.Option("--append", help="Add to the genres that a file already has.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the genres that a file already has.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Write at most N genres.")] = 1,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="P",
            help="Least probability of a genre, 0 to 1.  [default: 0.5, divided by --top]",
        ),
    ] = None,
    include_uncertain: Annotated[
        bool,
        typer.Option(
            "--include-uncertain",
            help="Write uncertain results as well; --threshold is then 0 by default.",
        ),
    ] = False,
    names: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help='Your names for genres: a .toml file with lines like hiphop = "Rap", or a .csv.',
        ),
    ] = None,
    preserve_mtime: Annotated[
        bool, typer.Option("--preserve-mtime", help="Keep modification times.")
    ] = False,
    as_json: options.AsJsonLines = False,
    catalog: options.Catalog = None,
    no_catalog: Annotated[
        bool, typer.Option("--no-catalog", help="Analyse all files again, scanned or not.")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Journal for --undo.  [default: one in your folder for user data]"
        ),
    ] = None,
    genres: options.Genres = None,
    model: options.Model = None,
    jobs: options.Jobs = None,
) -> None:
    """Write genres into the tags of music files.

    Without --write, nothing is changed: the changes are only shown. Files that already have a genre
    are left alone, and so are files whose genre is uncertain, unless you say otherwise. The sound
    and all other tags stay as they are, and --undo takes everything back.
    """
    from topgenre.tagging.policy import Existing, Policy

    if sum((keep, append, replace)) > 1:
        raise typer.BadParameter("use one of --keep, --append and --replace", param_hint="--append")
    if catalog and no_catalog:
        raise typer.BadParameter("use --catalog or --no-catalog, not both", param_hint="--catalog")
    if undo and (write or append or replace or names or include_uncertain or genres):
        raise typer.BadParameter(
            "only PATH, --journal, --catalog, --preserve-mtime and --json go with it",
            param_hint="--undo",
        )
    files = _Files(catalog, not no_catalog, journal, preserve_mtime)
    if undo:
        raise typer.Exit(1 if _undo(paths or [], files, as_json) else 0)
    if not paths:
        raise typer.BadParameter("name music files or folders, or use --undo", param_hint="PATH")
    if "-" in paths:
        raise typer.BadParameter("standard input has no tags; name a file", param_hint="-")
    existing: Existing = "append" if append else "replace" if replace else "keep"
    policy = Policy(
        *(existing, top, threshold, include_uncertain),
        names=_names(names, model, genres),
        verbatim=genres is not None,
    )
    found = [
        path
        for path in find_audio(paths)
        if path in paths or isinstance(path, Failure) or not path.lower().endswith(PREPROCESSED)
    ]
    raise typer.Exit(1 if _tag(found, policy, files, model, genres, jobs, write, as_json) else 0)


@dataclass(frozen=True, slots=True)
class _Files:
    """The catalogue and the journal, as the options name them."""

    catalog: Path | None
    use_catalog: bool
    journal: Path | None
    preserve_mtime: bool

    def catalogue(self, *, write: bool) -> AbstractContextManager[Catalogue | None]:
        """Open the catalogue, if it exists or was named."""
        from topgenre.library.catalogue import Catalogue, default_path
        from topgenre.library.find import is_gone

        gone = is_gone(str(self.catalog or default_path()))
        if not self.use_catalog or (self.catalog is None and gone):
            return nullcontext()
        # A missing catalogue is not created.
        return Catalogue(self.catalog, read_only=gone or not write)


def _names(path: Path | None, model: Path | None, genres: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    from topgenre.classifier import load
    from topgenre.errors import TagError
    from topgenre.tagging.policy import read_names

    try:
        return read_names(path, load(model, genres=genres).genres)
    except TagError as error:
        raise typer.BadParameter(str(error), param_hint="--map") from error


def _tag(
    paths: list[str | Failure],
    policy: Policy,
    files: _Files,
    model: Path | None,
    genres: Path | None,
    jobs: int | None,
    write: bool,
    as_json: bool,
) -> int:
    """Tag the files, show each outcome, and return how many failed."""
    from topgenre.library.catalogue import model_hash
    from topgenre.tagging.apply import tag_files
    from topgenre.tagging.journal import Journal

    with interrupt.noted() as stopped, ExitStack() as cleanup:
        outcomes = tag_files(
            paths,
            policy,
            journal=cleanup.enter_context(Journal(files.journal)) if write else None,
            catalogue=cleanup.enter_context(files.catalogue(write=write)),
            model_hash=model_hash(model),
            model=model,
            genres=genres,
            jobs=jobs,
            preserve_mtime=files.preserve_mtime,
            stopped=stopped,
        )
        show = _show_json if as_json else _printer(policy)
        counts = _shown(outcomes, show, Progress(len(paths)))
        empty = counts.pop("empty", 0)
        if stopped():
            kept = ". What was written stays; --undo takes it back" if counts["written"] else ""
            typer.echo(f"{interrupt.MESSAGE}; {_summary(counts)}{kept}", err=True)
            raise typer.Exit(interrupt.exit_code())
    if counts:
        typer.echo(_summary(counts), err=True)
    if counts["to write"]:
        typer.echo("Nothing was changed. Add --write to apply.", err=True)
    if counts["kept"] and not (counts["to write"] or counts["written"]):
        typer.echo("Use --append or --replace for files that already have a genre.", err=True)
    return counts["failed"] + empty


def _undo(paths: list[str], files: _Files, as_json: bool) -> int:
    """Undo changes, show each file, and return how many failed."""
    from topgenre.tagging.apply import undo
    from topgenre.tagging.journal import Journal

    with interrupt.noted() as stopped, ExitStack() as cleanup:
        journal = cleanup.enter_context(Journal(files.journal, must_exist=True))
        outcomes = undo(
            journal,
            paths,
            catalogue=cleanup.enter_context(files.catalogue(write=True)),
            preserve_mtime=files.preserve_mtime,
            stopped=stopped,
        )
        counts = _shown(outcomes, _show_json if as_json else _printer(None))
        left = len(journal.entries())
        if stopped():
            typer.echo(f"{interrupt.MESSAGE}; {_summary(counts)}", err=True)
            raise typer.Exit(interrupt.exit_code())
    typer.echo(_summary(counts) if counts else "There is nothing to undo.", err=True)
    if left and not paths and not counts["failed"]:
        changes = "1 older change" if left == 1 else f"{left} older changes"
        typer.echo(f"{changes} can still be undone. Run the command again to continue.", err=True)
    return counts["failed"]


def _shown(
    outcomes: Generator[Outcome, None, None],
    show: Callable[[Outcome], None],
    progress: Progress | None = None,
) -> Counter[str]:
    """Show outcomes as they come, and count them."""
    counts: Counter[str] = Counter()

    def count(outcome: Outcome) -> None:
        what = getattr(outcome, "what", "undone")
        if isinstance(outcome, Failure):
            what = "empty" if is_folder(outcome.path) else "failed"
        counts[what] += 1
        show(outcome)

    run(outcomes, count, progress)
    return counts


def _summary(counts: Counter[str]) -> str:
    wording = {
        "written": "{} written",
        "to write": "{} to write",
        "undone": "{} restored",
        "unchanged": "{} unchanged",
        "kept": "{} left with their genre",
        "not sure": "{} not sure",
        "unlikely": "{} below the threshold",
        "failed": "{} failed",
    }
    total = sum(counts.values())
    said = [words.format(counts[what]) for what, words in wording.items() if counts[what]]
    text = counted(total, "file")
    return f"{text}: {', '.join(said)}" if said else text


def _show_json(outcome: Outcome) -> None:
    typer.echo(json.dumps(json_safe(outcome.to_dict())))


def _printer(policy: Policy | None) -> Callable[[Outcome], None]:
    """Print each file that changes as one line: its genres before and after."""
    from rich.console import Console
    from rich.text import Text

    from topgenre.charts.wording import percent
    from topgenre.tagging.apply import Tagging
    from topgenre.text import printable

    console = Console(soft_wrap=True, highlight=False)
    encoding = console.encoding
    arrow = "→" if encoding.startswith("utf") else "->"

    def shown(text: str) -> str:
        return printable(text, encoding)

    def listed(genres: tuple[str, ...]) -> str:
        return shown(", ".join(genres)) or "(none)"

    def show(outcome: Outcome) -> None:
        if isinstance(outcome, Failure):
            printing.say_error(str(outcome.error))
            printing.show_details(outcome)
            return
        line = Text(f"{shown(outcome.path)}: ")
        if not isinstance(outcome, Tagging):
            _change(line, listed(outcome.old), listed(outcome.new))
        elif outcome.what in ("to write", "written"):
            shares = dict(outcome.ranked)
            new = ", ".join(
                shown(genre) + (f" {percent(shares[genre])}" if genre in shares else "")
                for genre in outcome.new
            )
            _change(line, listed(outcome.old), new)
        elif outcome.what == "not sure":
            line.append(shown(outcome.verdict), style="dim")
        elif outcome.what == "unlikely":
            assert policy is not None
            best = outcome.ranked[: policy.count]
            guess = ", ".join(f"{shown(genre)} {percent(share)}" for genre, share in best)
            why = f"below {percent(policy.least)}"
            line.append(f"{why} ({guess})" if guess else why, style="dim")
        else:
            return  # unchanged files are not listed: there may be thousands
        console.print(line)

    def _change(line: Text, old: str, new: str) -> None:
        line.append(old, style="red" if old != "(none)" else "dim")
        line.append(f" {arrow} ")
        line.append(new, style="green")

    return show
