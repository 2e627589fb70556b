"""Draw pictures without global state, with the page's colours and text that fits."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topgenre.charts.wording import TONES
from topgenre.design import style
from topgenre.errors import OutputError
from topgenre.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

MISSING = "\N{REPLACEMENT CHARACTER}"

# The first font comes with Matplotlib, so every machine draws the same picture. SVG files also name
# the generic family, for viewers without this font.
_FONT = "sans-serif"
# If one of these is installed, it draws the characters that the first font lacks.
_FALLBACKS = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Source Han Sans",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
)
_DPI = 160
_MARK = "topgenre"

# Matplotlib's settings are global, so only one picture at a time may change them.
_settings = threading.RLock()


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of the web page, as hexadecimal numbers.

    Attributes
    ----------
    sheet, well : str
        The background, and that of bars.
    ink, quiet, line, accent : str
        Text, less important text, thin lines, and warnings.
    tones : tuple of str
        One colour per genre.
    """

    sheet: str
    well: str
    ink: str
    quiet: str
    line: str
    accent: str
    tones: tuple[str, ...]


@cache
def palette(*, dark: bool = False) -> Palette:
    """Read the page's colours from its style sheet."""
    found = {
        name: pair[dark]
        for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\);", style("tokens"))
    }
    return Palette(
        sheet=found["sheet"],
        well=found["well"],
        ink=found["ink"],
        quiet=found["quiet"],
        line=found["line"],
        accent=found["accent"],
        tones=tuple(found[f"tone-{number}"] for number in range(TONES)),
    )


def picture_format(path: str | Path) -> str:
    """Return ``"png"`` or ``"svg"`` by the suffix of a path.

    Raises
    ------
    OutputError
        If the suffix is another one.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".png", ".svg"):
        raise OutputError(f"{path}: the name of a picture must end in .png or .svg")
    return suffix[1:]


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with Matplotlib's defaults, whatever the user's settings."""
    from matplotlib import rc_context
    from matplotlib import style as matplotlib_style

    # A fixed salt makes the identifiers inside an SVG file the same every time.
    ours: Any = {"svg.hashsalt": "topgenre", "svg.fonttype": "none"}
    with _settings, matplotlib_style.context("default"), rc_context(ours):
        yield


def save(figure: Figure, path: str | Path, *, ground: str = "white") -> None:
    """Write a figure atomically; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
    path : path-like
    ground : str
        Background colour.

    Raises
    ------
    OutputError
        If the file cannot be written, or its suffix is neither ``.png`` nor ``.svg``.
    """
    kind = picture_format(path)
    # Without dates and versions, a picture changes only if its content does. The mark shows that
    # topgenre may replace the picture.
    metadata: dict[str, Any] = (
        {"Software": _MARK} if kind == "png" else {"Date": None, "Creator": _MARK}
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata, facecolor=ground)
    write_whole(path, buffer.getvalue(), _ours)


def _ours(head: bytes) -> bool:
    mark = _MARK.encode()
    return b"Software\0" + mark in head or b"<dc:title>" + mark + b"</dc:title>" in head


def drawable(text: str) -> str:
    """Replace the characters that no installed font can draw."""
    return "".join(
        character
        if character.isprintable() and any(_has(family, character) for family in families(text))
        else MISSING
        for character in text
    )


def families(text: str) -> list[str]:
    """Return the font families that a text needs, Matplotlib's own first."""
    if all(_has(_FONT, character) for character in text):
        return [_FONT]
    return [_FONT, *_installed()]


def fit(label: Text, width: float) -> None:
    """Shorten a label in its middle until it is at most `width` pixels wide.

    Start and end of a file name say most about it.
    """
    whole = label.get_text()
    fewest, most = 0, len(whole)
    if label.get_window_extent().width <= width:
        return
    while fewest < most:
        kept = (fewest + most + 1) // 2
        label.set_text(_without_middle(whole, kept))
        if label.get_window_extent().width <= width:
            fewest = kept
        else:
            most = kept - 1
    label.set_text(_without_middle(whole, fewest))


def _without_middle(text: str, kept: int) -> str:
    head = (kept + 1) // 2
    tail = kept - head
    return f"{text[:head]}…{text[len(text) - tail :]}"


@cache
def _installed() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    return tuple(family for family in _FALLBACKS if family in known)


@cache
def _characters(family: str) -> frozenset[int]:
    """Return the characters that a family has in both normal and bold."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    regular, bold = (
        get_font(findfont(FontProperties(family=[family], weight=weight))).get_charmap()
        for weight in ("normal", "bold")
    )
    return frozenset(regular) & frozenset(bold)


def _has(family: str, character: str) -> bool:
    return ord(character) in _characters(family)
