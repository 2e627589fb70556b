"""Single fields of what a service sent, where anything may be missing or of another type."""

from __future__ import annotations

import re
from typing import Any

_LONGEST_TEXT = 300
_LONGEST_LINK = 2000


def field(record: object, *path: str) -> Any:
    """Return what lies at a path inside JSON data, None where anything is missing."""
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def text(record: object, *path: str) -> str:
    """Return the text at a path, on one line without control characters; empty if there is none."""
    value = field(record, *path)
    if not isinstance(value, str):
        return ""
    visible = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", value)
    return " ".join(visible.split())[:_LONGEST_TEXT]


def link(record: object, *path: str) -> str | None:
    """Return the web address at a path; anything else that claims to be one counts as none."""
    value = field(record, *path)
    if isinstance(value, str) and re.fullmatch(r"https://[!-~]+", value):
        return value if len(value) <= _LONGEST_LINK else None
    return None


def objects(record: object, *path: str) -> list[dict[str, Any]]:
    """Return the objects of the list at a path, without what else it holds."""
    value = field(record, *path)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
