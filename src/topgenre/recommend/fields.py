"""Read fields of JSON in which anything may be missing or of another type."""

from __future__ import annotations

import re
from typing import Any

_LONGEST_TEXT = 300
_LONGEST_LINK = 2000


def field(record: object, *path: str) -> Any:
    """Return the value at a path inside JSON data, or None if it is missing."""
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def text(record: object, *path: str) -> str:
    """Return the text at a path on one line, without control characters, or ""."""
    value = field(record, *path)
    if not isinstance(value, str):
        return ""
    visible = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", value)
    return " ".join(visible.split())[:_LONGEST_TEXT]


def link(record: object, *path: str) -> str | None:
    """Return the ``https`` address at a path, or None for anything else."""
    value = field(record, *path)
    if isinstance(value, str) and re.fullmatch(r"https://[!-~]+", value):
        return value if len(value) <= _LONGEST_LINK else None
    return None


def objects(record: object, *path: str) -> list[dict[str, Any]]:
    """Return the objects in the list at a path, without its other entries."""
    value = field(record, *path)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
