"""Implement ``topgenre scan --engine ray``: a library too large for one machine."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from topgenre.cli import interrupt, printing
from topgenre.cli.progress import Progress, run
from topgenre.library.find import is_folder
from topgenre.result import Failure

if TYPE_CHECKING:
    from topgenre.cluster.pipeline import Partition


def scan_cluster(
    paths: list[str], out: str, address: str | None, model: Path | None, jobs: int | None
) -> int:
    """Scan on a Ray cluster, print a summary, and return the exit code."""
    from topgenre.cluster.pipeline import scan_on_ray

    begin = time.monotonic()
    counts: Counter[str] = Counter()

    def show(partition: Partition | Failure) -> None:
        if isinstance(partition, Failure):
            failures: tuple[str, ...] = (str(partition.error),)
        else:
            failures = partition.failures
            counts["files"] += partition.n_files
            counts["classified"] += partition.n_classified
        # A folder without music is not a file that failed.
        empty = isinstance(partition, Failure) and is_folder(partition.path)
        counts["empty" if empty else "failed"] += len(failures)
        for failure in failures:
            printing.say_error(failure)

    partitions = scan_on_ray(paths, out, address=address, model=model, jobs=jobs)
    try:
        with interrupt.raised():
            run(partitions, show, _Progress())
    except KeyboardInterrupt:
        typer.echo(
            "\nstopped; finished tables are kept: run the same command to continue",
            err=True,
        )
        return interrupt.exit_code()
    seconds = time.monotonic() - begin
    counts["unchanged"] = counts["files"] - counts["classified"]
    said = [f"{counts['classified']} classified"]
    said += [f"{counts[what]} {what}" for what in ("unchanged", "failed") if counts[what]]
    if counts["files"] or counts["failed"]:
        found = f"{counts['files']} files in {seconds:.1f} s"
        typer.echo(f"{found}: {', '.join(said)}; tables in {out}")
    return 1 if counts["failed"] or counts["empty"] else 0


class _Progress(Progress):
    """Count the finished partitions."""

    unit = "tables"

    def __init__(self) -> None:
        super().__init__(0, on_output=False)

    def count(self, partition: Partition | Failure) -> None:
        """Count a partition."""
        if not isinstance(partition, Failure):
            self.done += 1
            self.total = self.done + partition.n_left
