"""One worker process that starts when it is needed, and ends when it is not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from topgenre.workers.worker import JobError, Spec, Worker


class Single:
    """A worker process, while there is one; safe to use from several threads.

    Parameters
    ----------
    spec : Spec
        With seconds of idleness after which the process ends by itself.
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
        """Do a job in the process, and return its outcome; blocks.

        Parameters
        ----------
        job : object
            Fit for `pickle`.
        seconds : float
            How long the job may take, and again after each question.
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
                    # It ended just now for want of work, or somebody has killed it.
            self._worker = Worker(self._spec)
            return self._worker.run(job, seconds, answer=answer)
