"""Run the command line: one module per command, put together in `app`.

`app` imports a command's module when that command runs, and heavy modules are imported inside
functions. So every command starts fast.
"""

from __future__ import annotations

import gc
import os

from topgenre.cli import interrupt


def main() -> None:
    """Run the command named by the process's arguments."""
    # NumPy's OpenBLAS would start threads that spin for a while. Only teaching from a very large
    # library gains by them: 27 s for 100,000 songs, 22 s on two cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # imports make no garbage; `topgenre.cli.app` enables it again
    interrupt.end_at_once()
    from topgenre.cli.app import app

    try:
        app()
    finally:
        gc.freeze()  # nothing is searched for garbage when the process ends
        interrupt.pass_on()
