"""Put the commands under one name, and handle errors and Ctrl-C for all of them."""

from __future__ import annotations

import errno
import gc
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from topgenre import __version__
from topgenre.cli.interrupt import MESSAGE, exit_code
from topgenre.cli.printing import give_up_output, say_error, terminal_width, wrapped
from topgenre.errors import TopgenreError

# The commands in the order of the help, and the modules of this package that add them.
_MODULES = {
    **{name: name for name in ("classify", "listen", "recommend", "scan", "similar", "report")},
    **{name: name for name in ("playlists", "tag", "watch", "serve")},
    **dict.fromkeys(("teach", "correct", "review"), "teach"),
    **{name: name for name in ("spectrograms", "genres", "train", "evaluate", "doctor")},
}
_UsageError: Any = typer.BadParameter.__base__
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EIO)


class _Commands(TyperGroup):
    """Import a command only when it runs; importing all would cost 0.1 s."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _MODULES:
            return None
        if cmd_name not in self.commands:
            module = import_module(f"topgenre.cli.{_MODULES[cmd_name]}")
            added = typer.Typer(rich_markup_mode=None)
            module.add_to(added)
            self.commands.update(typer.main.get_group(added).commands)
        gc.enable()
        return self.commands[cmd_name]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if width := terminal_width():
                text = wrapped(f"Error: {error.format_message()}", width)
                raise _UsageError(text.removeprefix("Error: "), error.ctx) from error
            raise
        except TopgenreError as error:
            say_error(str(error))
            raise typer.Exit(1) from error
        except KeyboardInterrupt as interrupt:
            typer.echo(MESSAGE, err=True)
            raise typer.Exit(exit_code()) from interrupt
        except OSError as error:
            # Only standard output has no name here; files have their own errors.
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
    """Identify the genre of music, with calibrated confidence.

    Run without a command for a guided mode.
    """
    if context.invoked_subcommand is not None:
        return
    gc.enable()
    if sys.stdin.isatty() and sys.stdout.isatty():
        from topgenre.cli import guided

        raise typer.Exit(guided.run())
    typer.echo(context.get_help(), err=True)
    raise typer.Exit(2)
