"""Process many files in worker processes, and yield outcomes as they are done."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from multiprocessing.connection import wait
from typing import Any

from topgenre.errors import CrashedError, OverrunError, TopgenreError
from topgenre.result import Failure
from topgenre.workers.work import T, Work, attempt
from topgenre.workers.worker import Channel, Do, JobError, Spec, Worker

_MEMORY = 2 << 30  # bytes for a job, beyond those of an idle process

Progress = Callable[[str, float], object]


def in_processes(
    work: Work[T],
    paths: Iterable[str],
    *,
    jobs: int,
    model: str | os.PathLike[str] | None = None,
    time_limit: float | None = None,
    progress: Progress | None = None,
    genres: str | os.PathLike[str] | None = None,
) -> Generator[tuple[str, T | Failure], None, None]:
    """Process files in worker processes, so that no file harms another one.

    Parameters
    ----------
    work : callable
        Takes a classifier and a path. It and its results must be picklable. A `TopgenreError`
        makes that file a failure.
    paths : iterable of str
        Files; consumed one by one as processes become free.
    jobs : int
        Worker processes, at least 1. A script must guard its start, see `classify_files`.
    model : path-like, optional
        Model file; by default the bundled model.
    time_limit : float, optional
        Seconds after which a process is killed and its file counts as failed.
    progress : callable, optional
        Called with a path and the fraction that is done. `work` then gets a keyword `progress`, a
        callable that takes the fraction.
    genres : path-like, optional
        File of taught genres.

    Yields
    ------
    tuple of str and (what `work` returns or Failure)
        In the order of completion. To leave early, close the iterator.

    Raises
    ------
    ModelError
        If the model file is missing, damaged, or not a topgenre model.
    TopgenreError
        If worker processes cannot be started.
    """
    pool = Pool(model, jobs, work, time_limit, progress, genres)
    try:
        yield from pool.run(paths)
    finally:
        pool.stop()


class Pool:
    """Worker processes with at most one file each; one that ends is replaced."""

    def __init__(
        self,
        model: str | os.PathLike[str] | None,
        jobs: int,
        work: Work[Any],
        time_limit: float | None = None,
        progress: Progress | None = None,
        genres: str | os.PathLike[str] | None = None,
    ) -> None:
        self._spec = Spec(partial(_setup, model, genres, work, progress is not None), _MEMORY)
        self._jobs = jobs
        self._time_limit = time_limit
        self._progress = progress or (lambda path, fraction: None)
        self._workers: dict[Worker, tuple[int, str] | None] = {}  # with the file of each

    def run(self, paths: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Yield each path with its outcome, in the order of completion."""
        numbered = enumerate(paths)
        running: dict[int, str] = {}
        waiting = next(numbered, None)
        while waiting or running:
            while waiting and self.assign(*waiting):
                running.update([waiting])
                waiting = next(numbered, None)
            for number, outcome in self.outcomes().items():
                yield running.pop(number), outcome

    def assign(self, number: int, path: str) -> bool:
        """Give a file to an idle worker; return False if all are busy."""
        while True:
            while len(self._workers) < self._jobs:
                self._workers[Worker(self._spec)] = None
            idle = next((worker for worker, task in self._workers.items() if task is None), None)
            if idle is None:
                return False
            try:
                idle.give(path, self._time_limit)
            except JobError:
                # It was killed while idle, and so may all the others have been.
                self._discard(idle)
            else:
                self._workers[idle] = number, path
                return True

    def outcomes(self) -> dict[int, Any]:
        """Wait for workers to report or to end, and return the outcomes by number."""
        busy = {worker: task for worker, task in self._workers.items() if task is not None}
        left = [seconds for worker in busy if (seconds := worker.remaining()) is not None]
        reporting = wait([worker.connection for worker in busy], min(left, default=None))
        outcomes: dict[int, Any] = {}
        for worker, (number, path) in busy.items():
            try:
                if worker.connection in reporting:
                    kind, value = worker.step()
                elif worker.remaining() == 0.0:
                    raise JobError("overrun")
                else:
                    continue
            except JobError as error:
                ready = worker.ready
                self._discard(worker)
                if error.why == "died":
                    if not ready:
                        raise TopgenreError(
                            f"a worker process ended while it started ({error.how}); use one job"
                        ) from error
                    self.assign(number, path)  # the file is not to blame
                else:
                    outcomes[number] = _failure(path, error, self._time_limit)
                continue
            if kind == "progress":
                self._progress(path, value)
            elif kind == "done":
                self._workers[worker] = None
                outcomes[number] = value
        return outcomes

    def stop(self) -> None:
        """Kill all workers."""
        for worker in list(self._workers):
            self._discard(worker)

    def _discard(self, worker: Worker) -> None:
        del self._workers[worker]
        worker.stop()


def _failure(path: str, error: JobError, limit: float | None) -> Failure:
    if error.why == "overrun":
        said = (
            f"{path}: not done after {limit:g} s, so it was skipped; "
            "the disk may be slow, or the file malicious"
        )
        return Failure.of(path, OverrunError(said))
    said = (
        f"{path}: it crashed the process that decoded it ({error.how}); "
        "memory may be short, or the file malicious"
    )
    return Failure.of(path, CrashedError(said))


def _setup(
    model: str | os.PathLike[str] | None,
    genres: str | os.PathLike[str] | None,
    work: Work[Any],
    with_progress: bool,
) -> Do:
    from topgenre.classifier import load

    classifier = load(model, genres=genres)

    def do(path: str, channel: Channel) -> Any:
        more = {"progress": channel.progress} if with_progress else {}
        return attempt(partial(work, **more), classifier, path)

    return do
