"""``topgenre scan --engine ray``: a library that is too large for one machine."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import typer

from topgenre.cli import interrupt, output
from topgenre.cli.status_line import StatusLine
from topgenre.result import Failure


def scan_cluster(
    places: list[str], out: str, address: str | None, model: Path | None, jobs: int | None
) -> int:
    """Scan on a Ray cluster and say what came of it; return the exit code."""
    from topgenre.cluster.pipeline import scan_on_ray

    begin = time.monotonic()
    n_files = n_judged = n_failed = 0
    status: StatusLine | None = None
    partitions = scan_on_ray(places, out, address=address, model=model, jobs=jobs)
    try:
        with interrupt.raised(), closing(partitions):
            for done, partition in enumerate(partitions, 1):
                if status:
                    status.wipe()
                if isinstance(partition, Failure):
                    n_failed += 1
                    output.say_error(str(partition.error))
                    continue
                n_files += partition.n_files
                n_judged += partition.n_judged
                n_failed += len(partition.failures)
                for failure in partition.failures:
                    output.say_error(failure)
                status = status or StatusLine(done + partition.n_left)
                status.draw(status.total - partition.n_left)
    except KeyboardInterrupt:
        typer.echo(
            "\nstopped; what is finished is stored: the same command goes on from here",
            err=True,
        )
        return interrupt.exit_code()
    finally:
        if status:
            status.wipe()
    seconds = time.monotonic() - begin
    unchanged = n_files - n_judged
    said = [f"{n_judged} judged"] + [f"{unchanged} unchanged"] * bool(unchanged)
    said += [f"{n_failed} failed"] * bool(n_failed)
    typer.echo(f"{n_files} files in {seconds:.1f} s: {', '.join(said)}; tables in {out}")
    return 1 if n_failed else 0
