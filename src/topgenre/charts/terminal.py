"""Ranked bars in the terminal, and the same in plain text for files and pipes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from topgenre.charts.wording import UNCERTAIN, percent
from topgenre.result import Result
from topgenre.text import printable

_LONGEST_BAR = 60  # characters: a longer one is no easier to read
_LONGEST_GENRE = 20


def render_bars(result: Result, *, top: int = 3) -> RenderableType:
    """Return a result as something that Rich can print.

    A terminal gets coloured bars. Whatever is no terminal, or cannot show the characters, gets
    plain ASCII bars without colours, and the path in full however long it is.

    Parameters
    ----------
    result : Result
        What to show.
    top : int
        How many genres.

    Raises
    ------
    ValueError
        If `top` is below 1.
    """
    result.top(top)  # a number that makes no sense is the caller's error, not the printer's
    return _Bars(result, top)


def print_bars(results: Iterable[Result], console: Console, *, top: int = 3) -> None:
    """Print results one below the other, each as soon as it is there.

    Parameters
    ----------
    results : iterable of Result
        What to print.
    console : rich.console.Console
        Where to.
    top : int
        How many genres of each.

    Raises
    ------
    ValueError
        If `top` is below 1.
    """
    for index, result in enumerate(results):
        if index:
            console.print()
        # Paths in a log are there to be searched for: they are not cropped to a width.
        console.print(render_bars(result, top=top), crop=console.is_terminal)


class _Bars:
    """One result; how it looks is decided when it is known where it is printed."""

    def __init__(self, result: Result, top: int) -> None:
        self._result = result
        self._top = top

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        plain = not console.is_terminal or options.ascii_only or console.legacy_windows
        yield from self._lines(plain, options)

    def _lines(self, plain: bool, options: ConsoleOptions) -> Iterator[Text]:
        result = self._result
        width = max(options.max_width, 20)
        encoding = options.encoding
        tint = "magenta" if result.uncertain else "cyan"

        segment = f"{result.start:.1f}-{result.end:.1f} s"
        path = printable(result.path, encoding)
        if not plain:
            path = _end_of(path, width - cell_len(segment) - 2)
        heading = Text(path, style="bold", no_wrap=True, overflow="ignore")
        heading.append(f"  {segment}", style="not bold dim")
        yield heading

        genres = result.top(self._top)
        names = [printable(genre, encoding) for genre, _ in genres]
        column = min(max(map(cell_len, names)), _LONGEST_GENRE, width // 3)
        room = min(max(width - column - 11, 1), _LONGEST_BAR)
        for place, (name, (_, probability)) in enumerate(zip(names, genres, strict=True)):
            best = place == 0 and not result.uncertain
            line = Text("  ", no_wrap=True, overflow="ignore")
            line.append(set_cell_size(name, column), style="bold" if best else "")
            line.append(f" {percent(probability):>6} ", style="bold" if best else "")
            line.append(_bar(probability, room, plain), style=tint)
            line.rstrip()
            yield line

        if result.uncertain:
            yield from _wrapped(UNCERTAIN, width, "bold magenta")
        for notice in result.notices:
            yield from _wrapped(f"note: {printable(notice, encoding)}", width, "")


def _bar(share: float, room: int, plain: bool) -> str:
    """Return a bar of `share` of the room; nothing but zero has no bar at all."""
    if plain:
        return "#" * max(round(share * room), 1 if share > 0 else 0)
    halves = max(round(2 * share * room), 1 if share > 0 else 0)
    return "━" * (halves // 2) + "╸" * (halves % 2)


def _wrapped(words: str, width: int, style: str) -> Iterator[Text]:
    """Yield the lines of a text, the later ones as far indented as the first."""
    line = ""
    for word in words.split():
        if line and cell_len(line) + 1 + cell_len(word) > width - 2:
            yield Text(f"  {line}", style=style, no_wrap=True, overflow="ignore")
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield Text(f"  {line}", style=style, no_wrap=True, overflow="ignore")


def _end_of(text: str, width: int) -> str:
    """Return the end of a text that is too wide: of a path, that is the part that tells."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > max(width - 1, 1):
        text = text[1:]
    return f"…{text}"
