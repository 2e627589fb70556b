"""The commands under one name, and what all of them do about errors and Ctrl-C."""

from __future__ import annotations

import errno
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from topgenre import __version__
from topgenre.cli import (
    classify,
    doctor,
    evaluate,
    genres,
    listen,
    playlists,
    recommend,
    report,
    scan,
    serve,
    similar,
    spectrograms,
    tag,
    teach,
    train,
    watch,
)
from topgenre.cli.interrupt import MESSAGE, exit_code
from topgenre.cli.printing import give_up_output, say_error
from topgenre.errors import TopgenreError

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EIO)


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TopgenreError as error:
            say_error(str(error))
            raise typer.Exit(1) from error
        except KeyboardInterrupt as interrupt:
            typer.echo(MESSAGE, err=True)
            raise typer.Exit(exit_code()) from interrupt
        except OSError as error:
            # What has no name is standard output; files have errors of their own.
            if error.filename is not None or error.errno not in _NO_ROOM:
                raise
            give_up_output()
            say_error(f"the output cannot be written ({error.strerror}); make room for it")
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Commands,
    name="topgenre",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # Plain help and errors: Rich's frames would double the time until help appears.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for module in (
    *(classify, listen, recommend, scan, similar, report, playlists, tag, watch, serve, teach),
    *(spectrograms, genres, train, evaluate, doctor),
):
    module.add_to(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"topgenre {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: topgenre classify song.mp3")
def _topgenre(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Tell the genres of music, ranked by confidence.

    Without a command, topgenre asks what to do.
    """
    if context.invoked_subcommand is not None:
        return
    if sys.stdin.isatty() and sys.stdout.isatty():
        from topgenre.cli import guided

        raise typer.Exit(guided.run())
    typer.echo(context.get_help(), err=True)
    raise typer.Exit(2)
