"""Make text safe to show: on one line, in an encoding, and as JSON."""

from __future__ import annotations

from typing import Any


def printable(text: str, encoding: str | None = None) -> str:
    r"""Escape control characters, line breaks and, for an encoding, what it lacks.

    Parameters
    ----------
    text : str
        File names may contain anything, raw bytes included.
    encoding : str, optional
        Encoding of the terminal or file that the text goes to.

    Examples
    --------
    >>> printable("one\ntwo")
    'one\\ntwo'
    """
    visible = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
    if encoding is None:
        return visible
    return visible.encode(encoding, "backslashreplace").decode(encoding)


def json_safe(value: Any) -> Any:
    """Replace undecodable bytes of file names by escape sequences, at any depth.

    Parameters
    ----------
    value : str, dict, list, tuple or any other JSON value
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {json_safe(key): json_safe(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(entry) for entry in value]
    return value
