"""Write the server's log to standard error: JSON lines, or text in a terminal."""

from __future__ import annotations

import json
import logging
import sys
import time

_AT_ONCE = 10  # warnings of one kind
_PAUSE = 60.0  # s until more are logged


def log_to_stderr() -> None:
    """Send all logs of this process to standard error; topgenre's own from INFO."""
    handler = logging.StreamHandler()
    handler.setFormatter(WordFormatter() if sys.stderr.isatty() else JsonFormatter())
    handler.addFilter(Throttle())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("topgenre").setLevel(logging.INFO)


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, with the ``fields`` of its `extra` added."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class WordFormatter(logging.Formatter):
    """One line of text."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        fields = getattr(record, "fields", {})
        if record.name == "topgenre.access":
            record.msg = "{method} {route} {status} {ms} ms".format_map(fields)
        elif record.levelno >= logging.WARNING:
            record.msg = f"{record.levelname.lower()}: {record.msg}"
        return super().format(record)


class Throttle(logging.Filter):
    """Limit warnings of one kind to ten per minute, and count those left out."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record may pass; requests always do."""
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[0] if record.exc_info else None
        kind = record.name, str(record.msg).partition("\n")[0][:80], error
        now = time.monotonic()
        since, count = self._seen.get(kind, (now, 0))
        left_out = count - _AT_ONCE
        if now - since >= _PAUSE:
            if left_out > 0:
                record.msg = f"{record.msg} (and {left_out} times more in the last minute)"
            since, count = now, 0
        if len(self._seen) > 1000:
            self._seen.clear()
        self._seen[kind] = since, count + 1
        return count < _AT_ONCE
