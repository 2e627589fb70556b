"""Worker processes that do any work with music files, and lose none to a bad one.

Every process has one file in hand at a time. So when a hostile file ends its process, it is known
which one it was, and it costs no other file anything.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from topgenre.errors import CrashedError, OverrunError, TopgenreError
from topgenre.result import Failure
from topgenre.workers.work import T, Work, attempt

_ENDING = 5.0  # s that a process whose pipe is closed may take to end by itself
_GRACE = 1.0  # s for a signal that goes to all processes to reach this one, too
_MEMORY = 2 << 30  # bytes that work may take beyond those of a process at rest


def in_processes(
    work: Work[T],
    paths: Iterable[str],
    *,
    jobs: int,
    model: str | os.PathLike[str] | None = None,
    time_limit: float | None = None,
) -> Generator[tuple[str, T | Failure], None, None]:
    """Do any work with files in worker processes, and give each outcome as soon as it is there.

    Nothing that a file does to the process that reads it does anything to this one.

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
        Model file; by default the model that comes with the package.
    time_limit : float, optional
        Seconds after which a process is ended, and its file counts as failed.

    Yields
    ------
    tuple of str and (what `work` returns or Failure)
        In the order in which they are done. To leave early, close the iterator.

    Raises
    ------
    ModelError
        If the model file is missing, damaged, or no topgenre model.
    TopgenreError
        If worker processes cannot be started.
    """
    pool = Pool(model, jobs, work, time_limit)
    try:
        yield from pool.work_off(paths)
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
    ) -> None:
        self._model = model
        self._jobs = jobs
        self._work = work
        self._time_limit = time_limit
        self._workers: list[_Worker] = []

    def work_off(self, paths: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Give each outcome as soon as it is there; take a path when a worker is free for it."""
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
        """Give a file to an idle worker, if there is one."""
        while True:
            while len(self._workers) < self._jobs:
                self._workers.append(_Worker(self._model, self._work))
            idle = next((worker for worker in self._workers if worker.task is None), None)
            if idle is None or idle.assign(number, path):
                return idle is not None
            # It was killed while it had nothing to do. If all were, nobody is left to wait for.
            self._discard(idle)

    def outcomes(self) -> dict[int, Any]:
        """Wait for workers to report, or to end, and return what came of the files in hand."""
        busy = [worker for worker in self._workers if worker.task]
        limit = self._time_limit
        patience = None
        if limit is not None:
            patience = max(0.0, min(worker.since for worker in busy) + limit - time.monotonic())
        reporting = wait([worker.connection for worker in busy], patience)
        outcomes: dict[int, Any] = {}
        for worker in busy:
            if worker.connection not in reporting:
                if limit is not None and time.monotonic() - worker.since >= limit:
                    number, outcomes[number] = worker.overrun(limit)
                    self._discard(worker)
                continue
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                number, outcomes[number] = worker.crash()
                self._discard(worker)
                continue
            if worker.ready:
                outcomes[worker.finish()] = message
            elif message is None:
                worker.ready = True
            else:
                raise message
        return outcomes

    def stop(self) -> None:
        """End all workers at once."""
        for worker in self._workers[:]:
            self._discard(worker)

    def _discard(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.stop()


class _Worker:
    """A process that does its work with one file after the other.

    Its first message is None, or the error that keeps it from working; each later one is an
    outcome. Its pipe is at an end when the process is.
    """

    def __init__(self, model: str | os.PathLike[str] | None, work: Work[Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, model, work), daemon=True)
        with interrupts_held():
            self._process.start()
        theirs.close()
        self.ready = False
        self.task: tuple[int, str] | None = None
        self.since = 0.0  # when the file in hand was given, on the monotonic clock

    def assign(self, number: int, path: str) -> bool:
        """Give the process its next file; tell whether it was there to take it."""
        try:
            self.connection.send(path)
        except OSError:
            # One that ended before it was ready is not idle but unusable: `crash` says so.
            if self.ready:
                return False
        self.task = (number, path)
        self.since = time.monotonic()
        return True

    def finish(self) -> int:
        """Return the number of the file in hand, which is in hand no longer."""
        assert self.task is not None
        number, self.task = self.task[0], None
        return number

    def crash(self) -> tuple[int, Failure]:
        """Blame the file in hand for the end of the process."""
        self._process.join(_ENDING)
        status = self._process.exitcode or 0
        if status == -signal.SIGTERM:
            # Most likely the whole program is told to end, and the file is not to blame.
            time.sleep(_GRACE)
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if not self.ready or self.task is None:
            raise TopgenreError(
                f"a worker process ended before it could work ({how}); do without: use one job"
            )
        number, path = self.task
        return number, Failure.of(
            path,
            CrashedError(
                f"{path}: it ended the process that decoded it ({how}); "
                "memory may be short, or the file may be made to do harm"
            ),
        )

    def overrun(self, limit: float) -> tuple[int, Failure]:
        """Blame the file in hand for taking too long."""
        assert self.task is not None
        number, path = self.task
        return number, Failure.of(
            path,
            OverrunError(
                f"{path}: not done after {limit:g} s, and given up; "
                "the disk may be slow, or the file made to do harm"
            ),
        )

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _work(connection: Connection, model: str | os.PathLike[str] | None, work: Work[Any]) -> None:
    # Where it is not held off already: what to do about Ctrl-C is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from topgenre.classifier import load

    # When the parent is gone, so is the reason to say anything.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            classifier = load(model)
        except TopgenreError as error:
            connection.send(error)
            return
        limit_memory(_MEMORY)
        connection.send(None)
        while True:
            connection.send(attempt(work, classifier, connection.recv()))


def limit_memory(n_bytes: int) -> None:
    """Let allocations of this process fail beyond a number of bytes more than now (Linux)."""
    if sys.platform != "linux":
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    limit = pages * resource.getpagesize() + n_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach; one that comes meanwhile is not lost."""
    if sys.platform == "win32":
        yield
        return
    # The first process starts a helper of multiprocessing, which would lift the block.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
