"""``topgenre tag``: genres in the files' own tags."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topgenre.cli import interrupt, options, printing
from topgenre.cli.status_line import StatusLine
from topgenre.library.find import find_audio
from topgenre.result import Failure
from topgenre.text import json_safe

if TYPE_CHECKING:
    from topgenre.library.catalogue import Catalogue
    from topgenre.tagging.policy import Policy, Tagging, Undone

_SPECTROGRAMS = ".npz"  # made from a song, and without tags


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Write genres into the tags of music files, and take them back.",
        epilog="Examples: topgenre tag Music/   |   topgenre tag Music/ --write   |   "
        "topgenre tag --undo",
    )(tag)


def tag(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="Music files, or folders of them.", show_default=False),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Change the files; without it, only say how.")
    ] = False,
    undo: Annotated[
        bool,
        typer.Option(
            "--undo", help="Put back what the last run has changed; with PATH, all ever changed."
        ),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave files alone that have a genre.  [default]")
    ] = False,
    append: Annotated[
        bool, typer.Option("--append", help="Add to the genres that a file has.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write in place of the genres that a file has.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="How many genres at most.")] = 1,
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
            "--include-uncertain", help="Write what topgenre is not sure of; --threshold is then 0."
        ),
    ] = False,
    names: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help='Your names of genres: a .toml file with lines like hiphop = "Rap", or a .csv.',
        ),
    ] = None,
    preserve_mtime: Annotated[
        bool, typer.Option("--preserve-mtime", help="Keep the files' times of change.")
    ] = False,
    as_json: options.AsJsonLines = False,
    catalog: options.Catalog = None,
    no_catalog: Annotated[
        bool, typer.Option("--no-catalog", help="Judge all files anew, scanned or not.")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Journal for --undo.  [default: one in your folder for user data]"
        ),
    ] = None,
    model: options.Model = None,
    jobs: options.Jobs = None,
) -> None:
    """Write genres into the tags of music files.

    Without --write, nothing is changed: you see what would be. Files that have a genre are left
    alone, and so are those that topgenre is not sure of, unless you say otherwise. The sound and
    all other tags stay as they are, and --undo takes everything back.
    """
    from topgenre.tagging.policy import Existing, Policy

    if sum((keep, append, replace)) > 1:
        raise typer.BadParameter("choose one of --keep, --append, --replace", param_hint="--append")
    if catalog and no_catalog:
        raise typer.BadParameter("it contradicts --catalog", param_hint="--no-catalog")
    if undo and (write or append or replace or names or include_uncertain):
        raise typer.BadParameter(
            "it takes PATH, --journal, --catalog, --preserve-mtime and --json only",
            param_hint="--undo",
        )
    if undo:
        failed = _undo(paths or [], catalog, no_catalog, journal, preserve_mtime, as_json)
        raise typer.Exit(1 if failed else 0)
    if not paths:
        raise typer.BadParameter("name music files or folders, or say --undo", param_hint="PATH")
    if "-" in paths:
        raise typer.BadParameter("standard input has no tags; name a file", param_hint="-")
    existing: Existing = "append" if append else "replace" if replace else "keep"
    policy = Policy(existing, top, threshold, include_uncertain, _names(names, model))
    found = [
        path
        for path in find_audio(paths)
        if path in paths or isinstance(path, Failure) or not path.lower().endswith(_SPECTROGRAMS)
    ]
    failed = _tag(
        found, policy, write, catalog, no_catalog, journal, model, jobs, preserve_mtime, as_json
    )
    raise typer.Exit(1 if failed else 0)


def _names(path: Path | None, model: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    from topgenre.classifier import load
    from topgenre.errors import TagError
    from topgenre.tagging.policy import read_names

    try:
        return read_names(path, load(model).genres)
    except TagError as error:
        raise typer.BadParameter(str(error), param_hint="--map") from error


def _tag(
    paths: list[str | Failure],
    policy: Policy,
    write: bool,
    catalog: Path | None,
    no_catalog: bool,
    journal: Path | None,
    model: Path | None,
    jobs: int | None,
    preserve_mtime: bool,
    as_json: bool,
) -> int:
    """Go through the files, and say what came of them; return how many failed."""
    from topgenre.library.catalogue import model_hash
    from topgenre.tagging.journal import Journal
    from topgenre.tagging.policy import tag_files

    counts: Counter[str] = Counter()
    show = _show_json if as_json else _printer(policy)
    status = StatusLine(len(paths))
    with interrupt.noted() as stopped, ExitStack() as cleanup:
        cleanup.callback(status.wipe)
        outcomes = tag_files(
            paths,
            policy,
            journal=cleanup.enter_context(Journal(journal)) if write else None,
            catalogue=_catalogue(cleanup, catalog, no_catalog, write),
            model_hash=model_hash(model),
            model=model,
            jobs=jobs,
            preserve_mtime=preserve_mtime,
            stopped=stopped,
        )
        # Closed in any case, so that no worker process outlives what it works for.
        with closing(outcomes):
            status.draw(0)
            for done, outcome in enumerate(outcomes, 1):
                status.wipe()
                counts["failed" if isinstance(outcome, Failure) else outcome.what] += 1
                show(outcome)
                status.draw(done)
        status.wipe()
        if stopped():
            kept = "; what is written stays, and --undo takes it back" if counts["written"] else ""
            typer.echo(f"{interrupt.MESSAGE}; {_summary(counts)}{kept}", err=True)
            raise typer.Exit(interrupt.exit_code())
    typer.echo(_summary(counts), err=True)
    if counts["to write"]:
        typer.echo("nothing was changed: --write does it", err=True)
    if counts["kept"] and not (counts["to write"] or counts["written"]):
        typer.echo("--append or --replace writes into files that have a genre", err=True)
    return counts["failed"]


def _undo(
    paths: list[str],
    catalog: Path | None,
    no_catalog: bool,
    journal: Path | None,
    preserve_mtime: bool,
    as_json: bool,
) -> int:
    """Take back what was written, and say of which files; return how many failed."""
    from topgenre.tagging.journal import Journal
    from topgenre.tagging.policy import undo

    counts: Counter[str] = Counter()
    show = _show_json if as_json else _printer(None)
    with interrupt.noted() as stopped, ExitStack() as cleanup:
        journaled = cleanup.enter_context(Journal(journal, must_exist=True))
        catalogue = _catalogue(cleanup, catalog, no_catalog, True)
        for outcome in undo(
            journaled, paths, catalogue=catalogue, preserve_mtime=preserve_mtime, stopped=stopped
        ):
            counts["failed" if isinstance(outcome, Failure) else "undone"] += 1
            show(outcome)
        left = len(journaled.entries())
        if stopped():
            typer.echo(f"{interrupt.MESSAGE}; {_summary(counts)}", err=True)
            raise typer.Exit(interrupt.exit_code())
    typer.echo(_summary(counts) if counts else "there is nothing to undo", err=True)
    if left and not paths and not counts["failed"]:
        changes = "an older change is" if left == 1 else f"{left} older changes are"
        typer.echo(f"{changes} left to undo: the same command goes on", err=True)
    return counts["failed"]


def _catalogue(
    cleanup: ExitStack, path: Path | None, unwanted: bool, write: bool
) -> Catalogue | None:
    """Open the catalogue, if there is one or one was asked for."""
    from topgenre.library.catalogue import Catalogue, default_path
    from topgenre.library.find import is_gone

    if unwanted or (path is None and is_gone(str(default_path()))):
        return None
    if path is not None and is_gone(str(path)):
        write = False  # so that none is made
    return cleanup.enter_context(Catalogue(path, read_only=not write))


def _summary(counts: Counter[str]) -> str:
    wording = {
        "written": "{} written",
        "to write": "{} to write",
        "undone": "{} as before",
        "unchanged": "{} unchanged",
        "kept": "{} with a genre, kept",
        "not sure": "{} not sure",
        "unlikely": "{} below the threshold",
        "failed": "{} failed",
    }
    total = sum(counts.values())
    said = [words.format(counts[what]) for what, words in wording.items() if counts[what]]
    text = f"{total} file{'' if total == 1 else 's'}"
    return f"{text}: {', '.join(said)}" if said else text


def _show_json(outcome: Tagging | Undone | Failure) -> None:
    typer.echo(json.dumps(json_safe(outcome.to_dict())))


def _printer(policy: Policy | None) -> Callable[[Tagging | Undone | Failure], None]:
    """Print each file that changes as one line: its genres before and after."""
    from rich.console import Console
    from rich.text import Text

    from topgenre.charts.wording import percent
    from topgenre.tagging.policy import Tagging
    from topgenre.text import printable

    console = Console(soft_wrap=True, highlight=False)
    encoding = console.encoding
    arrow = "→" if encoding.startswith("utf") else "->"

    def shown(text: str) -> str:
        return printable(text, encoding)

    def listed(genres: tuple[str, ...]) -> str:
        return shown(", ".join(genres)) or "(none)"

    def show(outcome: Tagging | Undone | Failure) -> None:
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
        elif outcome.what in ("not sure", "unlikely"):
            assert policy is not None
            best = outcome.ranked[: policy.count]
            guess = ", ".join(f"{shown(genre)} {percent(share)}" for genre, share in best)
            why = "not sure" if outcome.what == "not sure" else f"below {percent(policy.least)}"
            line.append(f"{why} ({guess})" if guess else why, style="dim")
        else:
            return  # nothing changes, and there may be thousands of them
        console.print(line)

    def _change(line: Text, old: str, new: str) -> None:
        line.append(old, style="red" if old != "(none)" else "dim")
        line.append(f" {arrow} ")
        line.append(new, style="green")

    return show
