"""Worker processes that decode and classify, and that may be killed at any time.

Sound files are hostile until proved otherwise: decoders crash, run forever or eat memory. So they
run in processes that hold nothing else. One that overruns its limits is killed and replaced, and
only the request that it was working for learns of it.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from topgenre.errors import NotAudioError, TopgenreError
from topgenre.web.problems import ProblemError
from topgenre.workers.processes import limit_memory

if TYPE_CHECKING:
    from topgenre.classifier import Classifier

Mode = Literal["middle", "whole"]

_START_SECONDS = 60.0  # for a process to load the model; far more than it ever takes
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts to start a process

log = logging.getLogger("topgenre.server")


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is to do with one file.

    Attributes
    ----------
    path : Path
        Where the file lies.
    name : str
        What its sender calls it.
    mode : {"middle", "whole"}
    spectrograms : bool
        Whether the answer holds the pictures' numbers too.
    """

    path: Path
    name: str
    mode: Mode
    spectrograms: bool


class _DiedIdleError(Exception):
    """The process ended before it had the job."""


class WorkerError(Exception):
    """A fault of ours that a job has brought to light; its message is the worker's traceback."""


Answer = dict[str, Any]
Lost = Callable[[str], object]


class Pool:
    """A fixed number of workers and a queue of bounded length before them.

    Parameters
    ----------
    n_workers, queue_size : int
    model : Path, optional
    time_limit : float
        Seconds for one job.
    memory_limit : int
        Bytes that one job may add to what a worker at rest has mapped.
    lost : callable
        Told why a worker had to be replaced: "overrun" or "crashed" at work, "died" while idle.
    """

    def __init__(
        self,
        n_workers: int,
        queue_size: int,
        *,
        model: Path | None,
        time_limit: float,
        memory_limit: int,
        lost: Lost = lambda why: None,
    ) -> None:
        self.n_workers, self.queue_size = n_workers, queue_size
        self.time_limit = time_limit
        self.admitted = 0
        self._start: Callable[[], _Worker] = partial(_Worker, model, memory_limit)
        self._lost = lost
        self._workers: set[_Worker] = set()
        self._replacing: set[asyncio.Task[None]] = set()
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(n_workers, "topgenre-worker")
        self._seconds = 0.2  # of a job, as a moving average
        self._closing = False

    @property
    def ready(self) -> bool:
        """Whether there is a process to work."""
        return not self._closing and any(worker.loaded for worker in self._workers)

    async def open(self) -> None:
        """Start the workers.

        Raises
        ------
        TopgenreError
            If a process ends while it starts, or cannot load the model.
        """
        await asyncio.gather(*(self._add() for _ in range(self.n_workers)))

    async def close(self) -> None:
        """End the workers, whatever they are doing."""
        self._closing = True
        for task in self._replacing:
            task.cancel()
        for worker in self._workers:
            worker.stop()
        self._workers.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.gather(*self._replacing, return_exceptions=True)

    def admit(self) -> None:
        """Count a request in, or refuse it; each one admitted must be `dismiss`-ed.

        Raises
        ------
        ProblemError
            busy, if as many are inside as may work and wait.
        """
        if self.admitted >= self.n_workers + self.queue_size:
            seconds = max(1, round(self.admitted * self._seconds / self.n_workers + 0.5))
            raise ProblemError(
                "busy", f"{self.admitted} files are before yours; try again", seconds
            )
        self.admitted += 1

    def dismiss(self) -> None:
        """Count a request out."""
        self.admitted -= 1

    async def run(self, job: Job) -> Answer:
        """Have a job done by the next idle worker.

        A caller that goes away while it waits takes no worker; one that goes later is not waited
        for, but its file must stay until the job is done.

        Raises
        ------
        ProblemError
            overrun, crashed, or what the file's own error is called.
        WorkerError
            For any other exception; the worker lives on.
        """
        while True:
            worker = await self._idle.get()
            work = asyncio.get_running_loop().run_in_executor(
                self._threads, worker.run, job, self.time_limit
            )
            # Whatever becomes of the caller: nobody else may talk with the process before the
            # thread is through.
            work.add_done_callback(partial(self._done, worker))
            try:
                answer, seconds = await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait({work})
                raise
            except _DiedIdleError:
                continue  # no fault of the file
            self._seconds += 0.1 * (seconds - self._seconds)
            return answer

    def _done(self, worker: _Worker, _: object) -> None:
        if worker.lost is None:
            self._idle.put_nowait(worker)
            return
        self._workers.discard(worker)
        if not self._closing:
            self._lost(worker.lost)
            # In the background: the answer does not wait for the next process to be up.
            task = asyncio.get_running_loop().create_task(self._replace())
            self._replacing.add(task)
            task.add_done_callback(self._replacing.discard)

    async def _replace(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._add()
            except Exception as error:
                # Whatever it is may pass, and without workers requests would wait for ever.
                log.warning("no new worker process (%s); next try in %g s", error, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _add(self) -> None:
        worker = self._start()
        self._workers.add(worker)  # before it is up, so that `close` ends it
        try:
            await asyncio.get_running_loop().run_in_executor(None, worker.load)
        except Exception:
            self._workers.discard(worker)
            worker.stop()
            raise
        self._idle.put_nowait(worker)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, model: Path | None, memory_limit: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, model, memory_limit), daemon=True, name="topgenre-worker"
        )
        self._process.start()
        theirs.close()
        self.loaded = False
        self.lost: str | None = None

    def load(self) -> None:
        """Wait until the process has loaded the model; blocks."""
        try:
            error: TopgenreError | None = self._receive(_START_SECONDS)
        except (EOFError, OSError) as reason:
            said = "it ended or hung while it started; free memory, or run fewer workers"
            raise TopgenreError(said) from reason
        if error is not None:
            raise error
        self.loaded = True

    def run(self, job: Job, time_limit: float) -> tuple[Answer, float]:
        """Do a job, and tell how many seconds it took; blocks.

        Raises
        ------
        ProblemError, WorkerError
            As `Pool.run` does.
        _DiedIdleError
            If the process ended before it had the job.
        """
        begin, taken = time.monotonic(), False
        try:
            self._connection.send(job)
            self._receive(time_limit)
            taken = True
            answer = self._receive(time_limit)
        except TimeoutError as error:
            self.lost = "overrun"
            self.stop()
            said = f"{job.name}: not done after {time_limit:g} s; send a shorter or simpler file"
            raise ProblemError("overrun", said) from error
        except (EOFError, OSError) as error:
            self.lost = "crashed" if taken else "died"
            self.stop()
            if not taken:
                raise _DiedIdleError from error
            said = (
                f"{job.name}: it ended the process that decoded it; "
                "the file may be damaged, or made to do harm"
            )
            raise ProblemError("crashed", said) from error
        if isinstance(answer, ProblemError | WorkerError):
            raise answer
        return answer, time.monotonic() - begin

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _receive(self, seconds: float) -> Any:
        if not self._connection.poll(seconds):
            raise TimeoutError
        return self._connection.recv()


def _work(connection: Connection, model: Path | None, memory_limit: int) -> None:
    # Ctrl-C in the terminal is for the server, which ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from topgenre.classifier import load

    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            classifier = load(model)
        except TopgenreError as error:
            connection.send(error)
            return
        limit_memory(memory_limit)
        connection.send(None)
        while True:
            job = connection.recv()
            # From here on it is the file's fault if this process ends.
            connection.send(None)
            connection.send(_do(classifier, job))


def _do(classifier: Classifier, job: Job) -> Answer | ProblemError | WorkerError:
    try:
        return _classify(classifier, job)
    except NotAudioError as error:
        return ProblemError("unsupported_media_type", str(error))
    except TopgenreError as error:
        return ProblemError(error.code if error.code != "audio" else "damaged_audio", str(error))
    except MemoryError:
        return ProblemError("overrun", f"{job.name}: it takes too much memory; send a shorter file")
    except Exception:
        return WorkerError(traceback.format_exc())


def _classify(classifier: Classifier, job: Job) -> Answer:
    from topgenre.classifier import analyse
    from topgenre.web.pictures import pictures

    stack = None
    with job.path.open("rb") as file:
        if job.mode == "whole":
            result = classifier.classify(file, whole=True, name=job.name)
            if job.spectrograms:
                stack = analyse(file, name=job.name)
        else:
            stack = analyse(file, name=job.name)
            result = classifier.classify_spectrograms(stack)
    return {
        "timeline": None,
        **result.to_dict(),
        "mode": job.mode,
        "spectrograms": pictures(stack) if job.spectrograms and stack else None,
    }
