"""Record a session in a real terminal and draw it: ``python docs/cast.py [FOLDER]``.

The drawing is one SVG file without scripts, fonts or addresses. The first command is there from the
beginning; the others type themselves once, in five seconds, and the last state stays. Who has asked
their system for less motion sees that at once. What the commands print is what they printed; only
the typing is made up, and the path of the temporary folder that they ran in, in place of which
stands a user's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import termios
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from rich.cells import cell_len
from rich.color import ColorType
from rich.style import Style
from rich.text import Text

from topgenre.demo import write_demo
from topgenre.files import ANYTHING, write_whole

HOME = Path(__file__).with_name("images")
NAME = "cast.svg"
COMMANDS = (
    "topgenre classify demo/hip-hop.ogg",
    "topgenre classify demo/",
    "topgenre scan demo/",
    "topgenre similar demo/disco.m4a --why --limit 3",
)
COLUMNS = 88
_USER = "/home/you"  # shown in place of the temporary folder

_WIDTH, _HEIGHT = 8.4, 19.0  # of a character, in pixels
_SIZE = 14.0  # of the font
_MARGIN = 16.0
_BACKGROUND, _INK, _DIM, _BORDER = "#16121c", "#e9e4f0", "#9d94ab", "#5b5169"
_COLOURS = ("#16121c", "#ff8a75", "#8fd18b", "#e8c66b", "#8fb3ff", "#e39bdc", "#6fd3dc", _INK)
_SECONDS = 5.0
_TYPING = 0.5  # of the time of a command; the rest is for reading
# Terminals draw these two themselves, so that bars have no gaps: heavy lines, whole and half.
_STROKES = {"━": 1.0, "╸": 0.5}


class Turn(NamedTuple):
    """A command, and the lines that it printed."""

    command: str
    lines: tuple[Text, ...]


def record(commands: Sequence[str], folder: Path) -> list[Turn]:
    """Run commands in a folder that is the user's home, each in a terminal.

    Raises
    ------
    RuntimeError
        If a command fails.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TOPGENRE_", "XDG_")) and name not in ("NO_COLOR", "COLUMNS")
    } | {
        "HOME": str(folder),
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
        "TERM": "xterm-256color",
        "PYTHONIOENCODING": "utf-8",
    }
    turns = []
    for command in commands:
        screen, terminal = os.openpty()
        termios.tcsetwinsize(terminal, (24, COLUMNS))
        with subprocess.Popen(
            ["sh", "-c", command],
            cwd=folder,
            env=environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        ) as process:
            os.close(terminal)
            printed = _read(screen)
        if process.returncode:
            raise RuntimeError(f"{command}: {printed}")
        turns.append(Turn(command, _lines(printed.replace(str(folder), _USER))))
    return turns


def _read(screen: int) -> str:
    """Read what is printed until the program has gone."""
    printed = b""
    with os.fdopen(screen, "rb", buffering=0) as file:
        while True:
            try:
                piece = file.read(65_536)
            except OSError:  # how Linux says that nobody holds the terminal any more
                break
            if not piece:
                break
            printed += piece
    return printed.decode()


def _lines(printed: str) -> tuple[Text, ...]:
    """Return what stands on the screen: a line that was wiped is gone."""
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in printed.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    return tuple(Text.from_ansi(line) for line in lines)


def draw(turns: Sequence[Turn]) -> str:
    """Return a session as an SVG document."""
    share = _SECONDS / max(len(turns) - 1, 1)
    body: list[str] = []
    row = 0
    for number, turn in enumerate(turns):
        begin = (number - 1) * share
        body += _typed(turn.command, row, begin, share * _TYPING)
        row += 1
        said = [piece for at, line in enumerate(turn.lines, row) for piece in _drawn(line, at)]
        body += [f'<g class="later" style="animation-delay:{begin + share * 0.7:.2f}s">', *said]
        body.append("</g>")
        row += len(turn.lines) + 1
    width = COLUMNS * _WIDTH + 2 * _MARGIN
    height = (row - 1) * _HEIGHT + 2 * _MARGIN
    words = ". ".join(turn.command for turn in turns)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" role="img" aria-labelledby="title">',
            f'<title id="title">A terminal session: {escape(words)}</title>',
            f"<style>{_STYLE}</style>",
            f'<rect x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="8" '
            f'fill="{_BACKGROUND}" stroke="{_BORDER}"/>',
            *body,
            "</svg>\n",
        ]
    )


_STYLE = (
    f"text{{font:{_SIZE:g}px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
    f"fill:{_INK};white-space:pre}}"
    ".b{font-weight:bold}"
    ".later{animation:show 0s linear backwards}"
    "@keyframes show{from{visibility:hidden}}"
    "@media (prefers-reduced-motion:reduce){.later{animation:none}}"
)


def _typed(command: str, row: int, begin: float, seconds: float) -> list[str]:
    """Draw a prompt and a command, word by word."""
    pieces = []
    column = 0
    words = ["$ ", *re.findall(r"\S+ *", command)]
    for number, word in enumerate(words):
        style = "bold" if number else "green"
        at = begin + seconds * number / len(words)
        pieces.append(f'<g class="later" style="animation-delay:{at:.2f}s">')
        pieces += _drawn(Text(word, style=style), row, column)
        pieces.append("</g>")
        column += len(word)
    return pieces


def _drawn(line: Text, row: int, column: int = 0) -> list[str]:
    """Draw a line, every piece of one style where it belongs whatever the font."""
    pieces = []
    for text, style in _runs(line):
        for part in re.findall(r"[━╸]+|(?:(?!  |[━╸]).)+|  +", text):
            cells = cell_len(part)
            if part.strip():
                pieces.append(_piece(part, cells, style, row, column))
            column += cells
    return pieces


def _runs(line: Text) -> list[tuple[str, Style]]:
    """Split a line where its style changes."""
    plain = line.plain
    edges = sorted({0, len(plain), *(e for span in line.spans for e in (span.start, span.end))})
    runs = []
    for start, end in pairwise(edges):
        style = Style.parse(str(line.style)) if line.style else Style()
        for span in line.spans:
            if span.start <= start and end <= span.end:
                style += span.style if isinstance(span.style, Style) else Style.parse(span.style)
        runs.append((plain[start:end], style))
    return runs


def _piece(part: str, cells: int, style: Style, row: int, column: int) -> str:
    x, y = _MARGIN + column * _WIDTH, _MARGIN + row * _HEIGHT
    fill = _colour(style)
    if part[0] in _STROKES:
        length = sum(_STROKES[character] for character in part) * _WIDTH
        colour = fill or _INK
        return (
            f'<rect x="{x:.1f}" y="{y + _HEIGHT / 2 - 2:.1f}" width="{length:.1f}" height="5" '
            f'fill="{colour}"/>'
        )
    look = ' class="b"' if style.bold else ""
    look += f' style="fill:{fill}"' if fill else ""
    left = len(part) - len(part.lstrip())
    text = part.strip()
    return (
        f'<text x="{x + left * _WIDTH:.1f}" y="{y + 0.72 * _HEIGHT:.1f}" '
        f'textLength="{cell_len(text) * _WIDTH:.1f}"{look}>{escape(text)}</text>'
    )


def _colour(style: Style) -> str | None:
    if style.dim:
        return _DIM
    if style.color is None or style.color.type is ColorType.DEFAULT or style.color.number is None:
        return None
    return _COLOURS[style.color.number % 8]


def main(folder: Path) -> None:
    """Record the session and write its picture into a folder."""
    with tempfile.TemporaryDirectory() as home:
        write_demo(Path(home, "demo"))
        drawing = draw(record(COMMANDS, Path(home).resolve()))
    write_whole(folder / NAME, drawing.encode(), ANYTHING)
    sys.stdout.write(f"wrote {folder / NAME}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HOME)
