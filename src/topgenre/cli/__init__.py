"""Run the command line: one module per command, put together in `app`.

`app` imports a command's module when that command runs, and heavy modules are imported inside
functions. So every command starts fast.
"""

from __future__ import annotations

from topgenre.cli import interrupt


def main() -> None:
    """Run the command named by the process's arguments."""
    interrupt.end_at_once()
    from topgenre.cli.app import app

    try:
        app()
    finally:
        interrupt.pass_on()
