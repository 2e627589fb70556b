"""Run a fixed number of worker processes for an asyncio server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from topgenre.workers.worker import START_SECONDS, JobError, Spec, Worker

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts to start a process

log = logging.getLogger("topgenre.server")


class AsyncPool:
    """Worker processes, each replaced when it ends, and the jobs that wait for them.

    Parameters
    ----------
    spec : Spec
    n_workers : int
    time_limit : float
        Seconds per job.
    lost : callable
        Called with the reason why a worker was replaced: "overrun", "crashed", or "died" if idle.

    Attributes
    ----------
    seconds : float
        Moving average of the duration of a job.
    """

    def __init__(
        self,
        spec: Spec,
        n_workers: int,
        time_limit: float,
        lost: Callable[[str], object] = lambda why: None,
    ) -> None:
        self.n_workers, self.time_limit = n_workers, time_limit
        self.seconds = 0.2
        self._spec = spec
        self._lost = lost
        self._workers: set[Worker] = set()
        self._replacing: set[asyncio.Task[None]] = set()
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(n_workers, "topgenre-worker")
        self._closing = False

    @property
    def ready(self) -> bool:
        """Whether a worker is ready."""
        return not self._closing and any(worker.ready for worker in self._workers)

    async def open(self) -> None:
        """Start the workers.

        Raises
        ------
        TopgenreError
            If a process ends while it starts, or cannot load the model.
        """
        await asyncio.gather(*(self._add() for _ in range(self.n_workers)))

    async def close(self) -> None:
        """Kill the workers."""
        self._closing = True
        for task in self._replacing:
            task.cancel()
        for worker in self._workers:
            worker.stop()
        self._workers.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.gather(*self._replacing, return_exceptions=True)

    async def run(
        self,
        job: Any,
        *,
        file: int | None = None,
        progress: Callable[[float], object] = lambda fraction: None,
    ) -> Any:
        """Run a job in the next idle worker.

        A caller that is cancelled while it waits takes no worker. If it is cancelled later, the
        job is still finished, and its file must stay open until then.

        Parameters
        ----------
        job : object
            Must be picklable.
        file : int, optional
            Descriptor of an open file that is passed to the worker.
        progress : callable
            Called in this thread with the fraction that is done.

        Raises
        ------
        TopgenreError
            Raised by the job.
        JobError
            If the job has no outcome.
        """
        loop = asyncio.get_running_loop()

        def told(fraction: float) -> None:
            loop.call_soon_threadsafe(progress, fraction)

        while True:
            worker = await self._idle.get()
            begin = time.monotonic()
            call = partial(worker.run, job, self.time_limit, file=file, progress=told)
            work = loop.run_in_executor(self._threads, call)
            # Even if the caller is cancelled, the process is not free before the thread is done.
            work.add_done_callback(partial(self._done, worker))
            try:
                answer = await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait({work})
                raise
            except JobError as error:
                if error.why == "died":
                    continue  # not the fault of the job
                raise
            self.seconds += 0.1 * (time.monotonic() - begin - self.seconds)
            return answer

    def _done(self, worker: Worker, work: asyncio.Future[Any]) -> None:
        if not worker.stopped:
            self._idle.put_nowait(worker)
            return
        self._workers.discard(worker)
        error = None if work.cancelled() else work.exception()
        if not self._closing:
            self._lost(error.why if isinstance(error, JobError) else "crashed")
            # In the background: the answer does not wait for the next process to start.
            task = asyncio.get_running_loop().create_task(self._replace())
            self._replacing.add(task)
            task.add_done_callback(self._replacing.discard)

    async def _replace(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._add()
            except Exception as error:
                # The cause may pass, and without workers requests would wait for ever.
                log.warning("no new worker process (%s); next try in %g s", error, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _add(self) -> None:
        worker = Worker(self._spec)
        self._workers.add(worker)  # before it is up, so that `close` ends it
        try:
            await asyncio.get_running_loop().run_in_executor(None, worker.load, START_SECONDS)
        except Exception:
            self._workers.discard(worker)
            worker.stop()
            raise
        self._idle.put_nowait(worker)
