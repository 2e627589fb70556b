"""Make text safe to print, for JSON and for tables; format times and counts."""

from __future__ import annotations

import unicodedata
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\n")  # how spreadsheets tell a formula from text
_CONTROLS = ("Cc", "Zl", "Zp")  # categories of Unicode
_JOINERS = "\u200c\u200d"  # the only invisible characters that scripts and emoji need


def printable(text: str, encoding: str | None = None) -> str:
    r"""Escape control characters, line breaks and characters that an encoding lacks.

    Parameters
    ----------
    text : str
        May contain anything, also the undecodable bytes of file names.
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


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours if there are any.

    Examples
    --------
    >>> clock(75.2), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "song"), counted(2, "song")
    ('1 song', '2 songs')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


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


def csv_cell(value: Any) -> Any:
    """Return a value as a table cell that no spreadsheet takes for a formula.

    Text that looks like a formula gets a ``'`` in front, and carriage returns are escaped, since
    Python's CSV writer does not quote them.

    Examples
    --------
    >>> csv_cell("=1+1"), csv_cell("Title"), csv_cell(-0.5)
    ("'=1+1", 'Title', -0.5)
    """
    if not isinstance(value, str):
        return value
    value = value.replace("\r", "\\r")
    return f"'{value}" if value.startswith(_FORMULA) else value


def without_controls(text: str) -> str:
    r"""Replace control characters by spaces, and drop other invisible characters.

    Among the latter are those that reverse the direction of the text around them.

    Examples
    --------
    >>> without_controls("gnp.\u202eBlue\x1b[31m")
    'gnp.Blue [31m'
    """
    if text.isprintable():  # which nearly all are, and quick to tell
        return text
    return "".join(
        " " if unicodedata.category(c) in _CONTROLS else c
        for c in text
        if unicodedata.category(c) != "Cf" or c in _JOINERS
    )
