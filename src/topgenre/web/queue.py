"""Limit the uploads that are in progress or waiting."""

from __future__ import annotations

from topgenre.web.problems import ProblemError
from topgenre.workers.asyncio_pool import AsyncPool


class Queue:
    """Places for complete uploads; one that is still being received has no place.

    Parameters
    ----------
    pool : AsyncPool
        Pool of the workers.
    size : int
        Most uploads that wait, beside those in progress.

    Attributes
    ----------
    taken : int
        Places taken.
    """

    def __init__(self, pool: AsyncPool, size: int) -> None:
        self._pool = pool
        self._places = pool.n_workers + size
        self.taken = 0

    def check(self) -> None:
        """Refuse an upload early if all places are taken.

        Raises
        ------
        ProblemError
            busy.
        """
        if self.taken >= self._places:
            seconds = self.taken * self._pool.seconds / self._pool.n_workers
            said = f"{self.taken} files are before yours; try again"
            raise ProblemError("busy", said, max(1, round(seconds + 0.5)))

    def take(self) -> None:
        """Take a place, which the caller must leave again.

        Raises
        ------
        ProblemError
            busy, if all are taken.
        """
        self.check()
        self.taken += 1

    def leave(self) -> None:
        """Leave a place."""
        self.taken -= 1
