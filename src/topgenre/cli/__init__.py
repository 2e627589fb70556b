"""The command line: one module a command, put together in `app`.

Modules are imported when their command runs, or inside its functions where they are heavy, so that
help and version answer at once.
"""

from __future__ import annotations

from topgenre.cli import interrupt


def main() -> None:
    """Run the command that the process's arguments name."""
    interrupt.end_at_once()
    from topgenre.cli.app import app

    try:
        app()
    finally:
        interrupt.pass_on()
