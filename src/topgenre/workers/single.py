"""Run one worker process that starts on demand and ends when idle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from topgenre.workers.worker import JobError, Spec, Worker


class Single:
    """A worker process that starts on demand; thread-safe.

    Parameters
    ----------
    spec : Spec
        Its `idle` says after how many seconds the process ends.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._worker: Worker | None = None

    def run(
        self,
        job: Any,
        seconds: float,
        *,
        answer: Callable[[Any], Any] = lambda question: None,
    ) -> Any:
        """Run a job in the process and return its outcome; blocks.

        Parameters
        ----------
        job : object
            Must be picklable.
        seconds : float
            Time limit of the job, which starts again after each question.
        answer : callable
            Called with each question of the job.

        Raises
        ------
        TopgenreError, JobError
            As `topgenre.workers.worker.Worker.run` does.
        """
        with self._lock:
            if self._worker is not None and not self._worker.stopped:
                try:
                    return self._worker.run(job, seconds, answer=answer)
                except JobError as error:
                    if error.why != "died":
                        raise
                    # It has just ended as idle, or was killed.
            self._worker = Worker(self._spec)
            return self._worker.run(job, seconds, answer=answer)
