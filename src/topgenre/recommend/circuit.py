"""Break the circuit: send no requests while a service asks for a pause."""

from __future__ import annotations

import logging
import threading
import time

from topgenre.errors import RecommendationError

_LONGEST = 24 * 3600.0  # s; no answer may silence a server that runs for weeks
_logger = logging.getLogger(__name__)


class Circuit:
    """Decide whether requests may go to a service; several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._why = ""

    def open(self, seconds: float, why: str) -> None:
        """Hold back all requests for a time."""
        until = time.monotonic() + min(seconds, _LONGEST)
        with self._lock:
            if until > self._until:
                self._until, self._why = until, why
        _logger.info("%s; pausing for %.0f s", why, seconds)

    def wait(self, patience: float) -> None:
        """Wait until requests may go out again, if that is soon.

        Raises
        ------
        RecommendationError
            If it takes longer than `patience` seconds.
        """
        with self._lock:
            seconds, why = self._until - time.monotonic(), self._why
        if seconds > max(patience, 0.0):
            raise RecommendationError(f"{why}; try again in {duration(seconds)}")
        if seconds > 0:
            time.sleep(seconds)


def duration(seconds: float) -> str:
    """Return a duration in its largest whole unit, rounded up."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds > length:
            return f"{-int(-seconds // length)} {unit}"
    return f"{max(1, -int(-seconds // 1))} s"
