"""Colours, type, controls and icon: what the web page and the report look alike by.

The server serves this folder beside its own page; the report writes the files into its one HTML
file. Neither needs to know where the other lies.
"""

from __future__ import annotations

from base64 import b64encode
from importlib.resources import files
from pathlib import Path

__all__ = ["FOLDER", "icon_url", "style"]

FOLDER = Path(str(files("topgenre.design")))


def style(*names: str) -> str:
    """Return style sheets of this folder as one text.

    Parameters
    ----------
    *names : str
        Such as ``"tokens"`` and ``"base"``; `tokens` holds the variables that the others use.

    Examples
    --------
    >>> from topgenre.design import style
    >>> "--accent" in style("tokens", "base")
    True
    """
    return "".join((FOLDER / f"{name}.css").read_text("utf-8") for name in names)


def icon_url() -> str:
    """Return the icon as a ``data:`` URL."""
    return f"data:image/svg+xml;base64,{b64encode((FOLDER / 'icon.svg').read_bytes()).decode()}"
