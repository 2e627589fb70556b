"""Watch a folder, classify the files that arrive there, and write their results.

The results themselves record which files are done: each has the name, size and modification time of
its file. So a watch that was stopped continues where it was, and one that is started twice repeats
nothing. The folder is polled, since shared network folders do not report changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from topgenre.errors import OutputError
from topgenre.files import make_folder, make_folders_within, open_regular, write_whole
from topgenre.library.batch import Outcome, classify_file
from topgenre.library.find import is_gone, search_folder
from topgenre.result import Failure, Result
from topgenre.text import json_safe
from topgenre.workers.processes import in_processes
from topgenre.workers.work import TIME_LIMIT, default_jobs

RESULTS = "topgenre-results"  # default name of the folder for results
INTERVAL = 2.0  # s between two polls

_CHART_GENRES = 10
_LARGEST_RESULT = 1 << 24  # bytes
_LONGEST_NAME = 200  # bytes of a file name; file systems allow 255 with the suffix


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that was classified, or failed.

    Attributes
    ----------
    path : str
        Path of the file.
    outcome : Result or Failure
    problem : OutputError or None
        Why its result or chart could not be written.
    """

    path: str
    outcome: Outcome
    problem: OutputError | None = None


class _Stamp(NamedTuple):
    size: int
    mtime_ns: int


def watch(
    inbox: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    model: str | os.PathLike[str] | None = None,
    genres: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    interval: float = INTERVAL,
    charts: bool = True,
    once: bool = False,
    nothing_new: Callable[[], object] = lambda: None,
) -> Generator[Arrival, None, None]:
    """Classify files as they arrive in a folder or below it.

    A file is complete, and classified, when it has the same size and time at two polls.

    Parameters
    ----------
    inbox : path-like
        Folder to watch; its music is never changed.
    out : path-like, optional
        Folder for ``NAME.json`` and ``NAME.png`` of each file, with the subfolders of the inbox; by
        default `RESULTS` in the inbox.
    model : path-like, optional
        Model file; by default the bundled model.
    genres : path-like, optional
        File of taught genres.
    jobs : int, optional
        Worker processes; by default a suitable number.
    interval : float
        Seconds between two polls.
    charts : bool
        Whether to draw charts.
    once : bool
        Whether to stop when all complete files are done.
    nothing_new : callable
        Called after each poll that finds no file to classify.

    Yields
    ------
    Arrival
        One for each file, after its result is written; and one for each folder that cannot be
        read, once until that changes. To stop, close the iterator.

    Raises
    ------
    OutputError
        If the folder for results cannot be made.
    ModelError
        If the model file is missing, damaged, or not a topgenre model.
    TopgenreError
        If worker processes cannot be started.
    """
    watched = _Inbox(os.path.abspath(inbox), out)  # noqa: PTH100 - which follows no links
    make_folder(watched.out, "results")  # now, as later the user may not look
    seen: dict[str, _Stamp] = {}
    told: set[str] = set()
    while True:
        now, failures = watched.look()
        for failure in failures:
            if failure.path not in told:
                yield Arrival(failure.path, failure)
        told = {failure.path for failure in failures}
        ready = [path for path, stamp in now.items() if seen.get(path) == stamp]
        if ready:
            yield from _classified(
                watched, {path: now[path] for path in ready}, model, genres, jobs, charts
            )
        if not now:
            nothing_new()
        if once and (not now or seen):
            return
        seen = now
        time.sleep(interval)


def _classified(
    watched: _Inbox,
    ready: dict[str, _Stamp],
    model: str | os.PathLike[str] | None,
    genres: str | os.PathLike[str] | None,
    jobs: int | None,
    charts: bool,
) -> Iterator[Arrival]:
    jobs = min(default_jobs(len(ready)) if jobs is None else jobs, len(ready))
    outcomes = in_processes(
        classify_file, ready, jobs=jobs, model=model, genres=genres, time_limit=TIME_LIMIT
    )
    with closing(outcomes):
        for path, outcome in outcomes:
            problem = None
            if isinstance(outcome, Result) or not is_gone(path):
                problem = watched.keep(path, ready[path], outcome, charts)
            yield Arrival(path, outcome, problem)


class _Inbox:
    """The watched folder and the results of its files."""

    def __init__(self, folder: str, out: str | os.PathLike[str] | None) -> None:
        self._folder = folder
        self.out = Path(folder) / RESULTS if out is None else Path(out)
        self._done: dict[str, _Stamp] = {}

    def look(self) -> tuple[dict[str, _Stamp], list[Failure]]:
        """Return the files without a result, and the folders that cannot be read."""
        new: dict[str, _Stamp] = {}
        existing: set[str] = set()
        failures = []
        for path in search_folder(self._folder, set()):
            if isinstance(path, Failure):
                failures.append(path)
                continue
            try:
                status = Path(path).stat()
            except OSError:
                continue  # gone again, or a broken link
            existing.add(path)
            stamp = _Stamp(status.st_size, status.st_mtime_ns)
            if self._done.get(path) != stamp:
                if self._stored(path) == stamp:
                    self._done[path] = stamp
                else:
                    new[path] = stamp
        self._done = {path: stamp for path, stamp in self._done.items() if path in existing}
        return new, failures

    def keep(self, path: str, stamp: _Stamp, outcome: Outcome, charts: bool) -> OutputError | None:
        """Write a result, or return an error; this run does not try again."""
        self._done[path] = stamp
        target = self._target(path)
        record = {**outcome.to_dict(), "source": stamp._asdict()}
        problem = None
        try:
            make_folders_within(self.out, target.parent)
            if os.path.lexists(target) and self._stored(path) is None:
                raise OutputError(
                    f"{target}: it exists already and is not from topgenre; move it, or name "
                    "another folder for results"
                )
            if charts and isinstance(outcome, Result):
                problem = self._draw(outcome, target.with_suffix(".png"))
            # Last, since it marks the file as done.
            content = f"{json.dumps(json_safe(record), indent=2)}\n"
            write_whole(target, content.encode("ascii"), b"{")
        except OSError as error:
            return OutputError(f"{target}: cannot be written ({error.strerror}); free some space")
        except OutputError as error:
            return error
        return problem

    def _draw(self, result: Result, path: Path) -> OutputError | None:
        from topgenre.charts import save_bar_chart

        try:
            save_bar_chart(result, path, top=_CHART_GENRES)
        except OutputError as error:
            return error
        return None

    def _target(self, path: str) -> Path:
        relative = Path(path).relative_to(self._folder)
        name = relative.name
        if len(os.fsencode(name)) > _LONGEST_NAME:
            # Too long for a suffix: shorten the name, and add a hash to keep it distinct.
            digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
            start = os.fsencode(name)[: _LONGEST_NAME - 17].decode("utf-8", "ignore")
            name = f"{start}-{digest}"
        return self.out / relative.with_name(f"{name}.json")

    def _stored(self, path: str) -> _Stamp | None:
        """Return the stamp in the result of a file; None if that is not a result."""
        try:
            with open_regular(self._target(path)) as file:
                source = json.loads(file.read(_LARGEST_RESULT))["source"]
            return _Stamp(int(source["size"]), int(source["mtime_ns"]))
        except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
            return None
