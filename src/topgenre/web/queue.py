"""How many uploads may be in work or wait for it."""

from __future__ import annotations

from topgenre.web.problems import ProblemError
from topgenre.workers.asyncio_pool import AsyncPool


class Queue:
    """Places for uploads that are complete; one that is still being received takes none.

    Parameters
    ----------
    pool : AsyncPool
        Whose workers do the jobs.
    size : int
        How many may wait beside those in work.

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
        """Refuse an upload early for which there would be no place now.

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
        """Take a place, which must be left again.

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
