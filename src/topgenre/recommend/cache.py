"""Cache the answers of a service in memory for a short time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_MOST = 512  # entries

T = TypeVar("T")


class Cache(Generic[T]):
    """Hold the latest answers; several threads may use it.

    Parameters
    ----------
    seconds : float
        How long an answer is kept.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """Return an answer, or None if it is unknown or too old."""
        with self._lock:
            self._expire()
            entry = self._entries.get(key)
        return entry[1] if entry else None

    def put(self, key: Hashable, answer: T) -> None:
        """Store an answer."""
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = time.monotonic() + self._seconds, answer
            if len(self._entries) > _MOST:
                self._entries.popitem(last=False)

    def _expire(self) -> None:
        # All live equally long, so the oldest come first.
        now = time.monotonic()
        while self._entries and next(iter(self._entries.values()))[0] <= now:
            self._entries.popitem(last=False)
