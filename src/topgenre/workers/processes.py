"""Many files in worker processes, each outcome as soon as it is there."""

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

_MEMORY = 2 << 30  # bytes that work may take beyond those of a process at rest

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
    """Do any work with files in worker processes; a file harms no other, nor this process.

    Parameters
    ----------
    work : callable
        Takes a classifier and a path; both it and what it returns must be fit for `pickle`. A
        `TopgenreError` that it raises is the failure of that file alone.
    paths : iterable of str
        Files; taken one by one, when there is a process that is free for the next.
    jobs : int
        Worker processes, at least 1. As with `classify_files`, a script must guard its own start.
    model : path-like, optional
        Model file; by default the bundled model.
    time_limit : float, optional
        Seconds after which a process is ended, and its file counts as failed.
    progress : callable, optional
        Called with a path and the fraction of it that is done. Then `work` also takes a keyword
        `progress`, a callable that takes the fraction.
    genres : path-like, optional
        File of taught genres.

    Yields
    ------
    tuple of str and (what `work` returns or Failure)
        In the order in which they are done. To leave early, close the iterator.

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
    """Worker processes, each with at most one file in hand; one that ends is replaced."""

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
        self._workers: dict[Worker, tuple[int, str] | None] = {}  # and what each has in hand

    def run(self, paths: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Yield each path with its outcome, as they are done; take paths as workers become free."""
        numbered = enumerate(paths)
        in_hand: dict[int, str] = {}
        waiting = next(numbered, None)
        while waiting or in_hand:
            while waiting and self.assign(*waiting):
                in_hand.update([waiting])
                waiting = next(numbered, None)
            for number, outcome in self.outcomes().items():
                yield in_hand.pop(number), outcome

    def assign(self, number: int, path: str) -> bool:
        """Give a file to an idle worker, and tell whether there is one."""
        while True:
            while len(self._workers) < self._jobs:
                self._workers[Worker(self._spec)] = None
            idle = next((worker for worker, task in self._workers.items() if task is None), None)
            if idle is None:
                return False
            try:
                idle.give(path, self._time_limit)
            except JobError:
                # It was killed while it had nothing to do, and so may all the others have been.
                self._discard(idle)
            else:
                self._workers[idle] = number, path
                return True

    def outcomes(self) -> dict[int, Any]:
        """Wait for workers to report, or to end, and return what came of the files in hand."""
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
                            f"a worker process ended before it could work ({error.how}); "
                            "do without: use one job"
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
        """End all workers at once."""
        for worker in list(self._workers):
            self._discard(worker)

    def _discard(self, worker: Worker) -> None:
        del self._workers[worker]
        worker.stop()


def _failure(path: str, error: JobError, limit: float | None) -> Failure:
    if error.why == "overrun":
        said = (
            f"{path}: not done after {limit:g} s, and given up; "
            "the disk may be slow, or the file made to do harm"
        )
        return Failure.of(path, OverrunError(said))
    said = (
        f"{path}: it ended the process that decoded it ({error.how}); "
        "memory may be short, or the file may be made to do harm"
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
