"""Run one worker process: its handshake, its limits, and the cause when it ends.

The process reports when it is ready, when it has taken a job, its progress, and the outcome. So it
is known whether a process that ended was working, and on which file.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import reduction, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from topgenre.errors import TopgenreError

START_SECONDS = 60.0  # for a process to load the model; far more than it takes
_ENDING = 5.0  # s for a process to end after its pipe is closed
_BETWEEN = 0.1  # s between two reports of progress

Why = Literal["died", "crashed", "overrun", "memory", "fault"]


class JobError(Exception):
    """A job without an outcome.

    Parameters
    ----------
    why : {"died", "crashed", "overrun", "memory", "fault"}
        The process ended before it took the job, which is not the cause; the job crashed the
        process; it took too long; it needed too much memory; it raised an unexpected exception.
        After the last two, the process continues.
    how : str
        Signal or exit status of the process, or the traceback of a fault.
    """

    def __init__(self, why: Why, how: str = "") -> None:
        super().__init__(why, how)
        self.why, self.how = why, how

    def __str__(self) -> str:
        return self.how or self.why


class Channel:
    """Connection of a running job to the parent process.

    Attributes
    ----------
    file : int or None
        Descriptor of the open file that came with the job; it is closed after the job.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told = 0.0
        self.file: int | None = None

    def progress(self, fraction: float) -> None:
        """Report the fraction that is done; frequent reports are dropped."""
        now = time.monotonic()
        if now - self._told >= _BETWEEN:
            self._told = now
            self._connection.send(("progress", fraction))

    def ask(self, question: Any) -> Any:
        """Ask the parent process and wait for its answer."""
        self._connection.send(("ask", question))
        return self._connection.recv()


Do = Callable[[Any, Channel], Any]
"""Does one job in the worker process; a `TopgenreError` is passed to the parent."""

Setup = Callable[[], Do]
"""Called once in the worker process; must be picklable."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How to start a kind of worker.

    Attributes
    ----------
    setup : callable
        Returns the function that does jobs.
    memory : int
        Bytes for a job, beyond those of the idle process; Linux only.
    idle : float, optional
        Seconds without a job after which the process ends.
    """

    setup: Setup
    memory: int
    idle: float | None = None


class Worker:
    """A process that does one job after another.

    Attributes
    ----------
    connection : Connection
        To wait on; `step` reads the next message.
    ready : bool
        Whether the process has started.
    job : object or None
        The current job.
    """

    def __init__(self, spec: Spec) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, spec), daemon=True, name="topgenre-worker"
        )
        with interrupts_held():
            self._process.start()
        _running.add(self)
        theirs.close()
        self.ready = False
        self.job: Any = None
        self._taken = False
        self._seconds: float | None = None
        self._since = 0.0

    def load(self, seconds: float) -> None:
        """Wait until the process is ready; blocks.

        Raises
        ------
        TopgenreError
            If it cannot start in time.
        """
        try:
            if not self.connection.poll(seconds):
                raise JobError("overrun")
            self.step()
        except JobError as error:
            said = "a worker process did not start; free memory, or run fewer workers"
            raise TopgenreError(said) from error

    def give(self, job: Any, seconds: float | None = None, *, file: int | None = None) -> None:
        """Send the process its next job, which may wait for it to start.

        Parameters
        ----------
        job : object
            Fit for `pickle`.
        seconds : float, optional
            Time limit, which begins when the process has started.
        file : int, optional
            Descriptor of an open file to pass to the job; the process must be ready.

        Raises
        ------
        JobError
            If the process has ended.
        """
        self.job, self._taken, self._seconds, self._since = job, False, seconds, time.monotonic()
        try:
            self.connection.send((job, file is not None))
            if file is not None:
                assert self._process.pid
                reduction.send_handle(self.connection, _handle_of(file), self._process.pid)
        except OSError as error:
            if self.ready:
                raise JobError("died") from error
            # If it ended before it was ready, `step` reports that.

    def remaining(self) -> float | None:
        """Return the remaining seconds of the current job, or None without a limit."""
        if self._seconds is None:
            return None
        limit = self._seconds if self.ready else max(self._seconds, START_SECONDS)
        return max(0.0, self._since + limit - time.monotonic())

    def step(self) -> tuple[str, Any]:
        """Read the next message, which must be available.

        Returns
        -------
        tuple of str and object
            "done" and the outcome, "progress" and a fraction, "ask" and a question, or "ready" or
            "taken" and None.

        Raises
        ------
        TopgenreError
            Raised by the job or by the start of the process.
        JobError
            If the job has no outcome.
        """
        try:
            kind, value = self.connection.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        if kind in ("ready", "taken"):
            self.ready = True
            self._taken = kind == "taken"
            self._since = time.monotonic()
        elif kind in ("done", "error", "memory", "fault"):
            self.job = None
        if kind == "error":
            assert isinstance(value, TopgenreError)
            raise value
        if kind in ("memory", "fault"):
            raise JobError(kind, value)
        return kind, value

    def run(
        self,
        job: Any,
        seconds: float | None = None,
        *,
        file: int | None = None,
        progress: Callable[[float], object] = lambda fraction: None,
        answer: Callable[[Any], Any] = lambda question: None,
    ) -> Any:
        """Run a job in the process and return its outcome; blocks.

        Parameters
        ----------
        job, seconds, file
            See `give`.
        progress, answer : callable
            Called with each report and each question of the job.

        Raises
        ------
        TopgenreError, JobError
            As `step` does. If the process must not be used any more, it was stopped.
        """
        try:
            self.give(job, seconds, file=file)
            while True:
                if not self.connection.poll(self.remaining()):
                    raise JobError("overrun")
                kind, value = self.step()
                if kind == "done":
                    return value
                if kind == "progress":
                    progress(value)
                elif kind == "ask":
                    self.connection.send(answer(value))
                    self._since = time.monotonic()
        except TopgenreError:
            raise
        except JobError as error:
            if error.why not in ("memory", "fault"):
                self.stop()
            raise
        except BaseException:
            self.stop()  # else its answer would be taken for that of the next job
            raise

    @property
    def stopped(self) -> bool:
        """Whether the process was stopped."""
        return self.connection.closed

    def stop(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.join()
        self.connection.close()

    def _ended(self) -> JobError:
        self._process.join(_ENDING)
        status = self._process.exitcode or 0
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return JobError("crashed" if self._taken and self.job is not None else "died", how)


_running: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """Kill the processes: `multiprocessing` would only ask them to end, which they ignore."""
    for worker in list(_running):
        if not worker.stopped:
            worker.stop()


def _serve(connection: Connection, spec: Spec) -> None:
    # Both may go to the whole group of processes. The parent decides what becomes of the jobs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # If the parent process is gone, nobody reads the answers.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            do = spec.setup()
        except TopgenreError as error:
            connection.send(("error", error))
            return
        limit_memory(spec.memory)
        connection.send(("ready", None))
        channel = Channel(connection)
        while connection.poll(spec.idle):
            job, has_file = connection.recv()
            channel.file = _file_of(reduction.recv_handle(connection)) if has_file else None
            # From here on, the job is the cause if this process ends.
            connection.send(("taken", None))
            connection.send(_outcome(do, job, channel))
            if channel.file is not None:
                os.close(channel.file)


def _outcome(do: Do, job: Any, channel: Channel) -> tuple[str, Any]:
    try:
        return "done", do(job, channel)
    except TopgenreError as error:
        return "error", error
    except MemoryError:
        return "memory", ""
    except Exception:
        return "fault", traceback.format_exc()


def _handle_of(file: int) -> int:
    if sys.platform != "win32":
        return file
    import msvcrt

    return msvcrt.get_osfhandle(file)


def _file_of(handle: int) -> int:
    if sys.platform != "win32":
        return handle
    import msvcrt

    return msvcrt.open_osfhandle(handle, os.O_RDONLY)


def limit_memory(n_bytes: int) -> None:
    """Limit the memory of this process to `n_bytes` more than now (Linux)."""
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
    """Block Ctrl-C and SIGTERM for processes started in the block; none is lost."""
    if sys.platform == "win32":
        yield
        return
    # The first process also starts the resource tracker, which would unblock the signals.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
