"""Draw results in the terminal, and as plain text for files and pipes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import PurePath

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from topgenre.charts.wording import HINT, percent, sections_line, span, tags_line, tone
from topgenre.result import Result, Window, display_name, spoken
from topgenre.text import printable

_LONGEST_BAR = 60  # characters; a longer one is not easier to read
_LONGEST_GENRE = 20
_MINI_BAR = 8  # characters
_NARROWEST_PATH = 12
_USUAL_NAME = 32  # characters of song and path, where there is room
_WORTH_SAYING = 0.01  # probability of a further genre in a row
_TINTS = {"sure": "cyan", "probable": "cyan", "close": "yellow", "unsure": "magenta"}
# The web page's genre colours, which are distinct on dark and light backgrounds.
_STRIP = (
    *("#1c65c8", "#a1790c", "#97571c", "#c72da2", "#733fbf"),
    *("#07858a", "#8a91a0", "#de5778", "#128537", "#c51f17"),
)


def render_bars(
    result: Result, *, top: int = 3, song: str = "", tags: bool = False
) -> RenderableType:
    """Return a result as a Rich renderable.

    A terminal shows coloured bars. Files, pipes, and terminals without the characters get ASCII
    bars without colours, and the complete path.

    Parameters
    ----------
    result : Result
    top : int
        Number of genres.
    song : str
        Artist and title, shown beside the path.
    tags : bool
        Whether to name styles, instruments and moods too.

    Raises
    ------
    ValueError
        If `top` is below 1.
    """
    result.top(top)  # an invalid number is the caller's error, not the printer's
    return _Bars(result, top, song, tags)


def print_bars(
    results: Iterable[Result],
    console: Console,
    *,
    top: int = 3,
    song: str = "",
    tags: bool = False,
) -> None:
    """Print results one below the other, as they arrive.

    Parameters
    ----------
    results : iterable of Result
    console : rich.console.Console
    top, song, tags
        See `render_bars`.

    Raises
    ------
    ValueError
        If `top` is below 1.
    """
    for index, result in enumerate(results):
        if index:
            console.print()
        # Paths in a log must be searchable, so they are not cropped.
        bars = render_bars(result, top=top, song=song, tags=tags)
        console.print(bars, crop=console.is_terminal)


def print_row(
    result: Result,
    console: Console,
    *,
    column: int,
    top: int = 3,
    song: str = "",
    tags: bool = False,
) -> None:
    """Print a result on one line: song, path, small bar, verdict, further genres.

    Parameters
    ----------
    result : Result
    console : rich.console.Console
    column : int
        Width of the longest path, which is cropped if the terminal is too narrow. 0 prints plain
        text, as for a pipe.
    top : int
        Number of genres; in a terminal, as many as fit.
    song : str
        Artist and title; a terminal shows them with the file name instead of the path.
    tags : bool
        Whether to name styles, instruments and moods too.
    """
    plain = _is_plain(console)
    encoding = console.encoding
    verdict = _spelt(result.verdict, encoding, plain)
    genres = result.top(top)
    if not (column and console.is_terminal):
        ranked = ", ".join(
            f"{_spelt(spoken(name), encoding, plain)} {percent(p)}" for name, p in genres
        )
        path = printable(result.path, encoding)
        known = f" ({printable(song, encoding)})" if song else ""
        _print_plain(console, f"{path}{known}: {verdict} ({ranked})")
    else:
        fixed = 2 + _MINI_BAR + 8
        room = console.width - fixed - cell_len(verdict)
        column = min(max(column, _USUAL_NAME), max(room, _NARROWEST_PATH))
        tint = _TINTS[result.tier or "sure"]
        line = _name(result.path, song, column, encoding, "~" if plain else "…")
        bar = _block(genres[0].probability, _MINI_BAR, plain)
        line.append(f"  {bar:{_MINI_BAR}}", style=tint)
        line.append(f"{percent(genres[0].probability):>6}  ", style="bold")
        line.append(verdict, style=f"bold {tint}")
        for name, probability in genres[1:]:
            more = f"  {_spelt(spoken(name), encoding, plain)} {percent(probability)}"
            if probability < _WORTH_SAYING or line.cell_len + cell_len(more) > console.width:
                break
            line.append(more, style="dim")
        line.truncate(console.width, overflow="crop")
        console.print(line)
    if tags and result.tags:
        _print_plain(console, f"  also: {printable(tags_line(result), encoding)}")
    for notice in result.notices:
        _print_plain(console, f"  note: {printable(notice, encoding)}", "dim")


def print_summary(counts: Mapping[str, int], console: Console, *, unsure: int = 0) -> None:
    """Print the number of files per genre as bars, most frequent first.

    Parameters
    ----------
    counts : mapping of str to int
        Files by genre.
    console : rich.console.Console
    unsure : int
        Files that are not sure, which are listed last.
    """
    ranked = [*Counter(counts).most_common(), *[("not sure", unsure)] * bool(unsure)]
    if not ranked:
        return
    most = max(count for _, count in ranked)
    names = [printable(display_name(name), console.encoding) for name, _ in ranked]
    column = max(map(cell_len, names))
    digits = len(str(most))
    room = min(max(console.width - column - digits - 5, 1), _LONGEST_BAR)
    scale = min(1.0, room / most)
    for name, (_, count) in zip(names, ranked, strict=True):
        bar = ("#" if _is_plain(console) else "▇") * max(1, round(count * scale))
        line = Text(f"{set_cell_size(name, column)}  {count:>{digits}} ", no_wrap=True)
        console.print(line.append(bar, style="cyan"), crop=True)


class _Bars:
    """One result; its form depends on the console that Rich prints it to."""

    def __init__(self, result: Result, top: int, song: str, tags: bool) -> None:
        self._result = result
        self._top = top
        self._song = song
        self._tags = tags

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._lines(_is_plain(console), options)

    def _lines(self, plain: bool, options: ConsoleOptions) -> Iterator[Text]:
        result = self._result
        width = max(options.max_width, 20)
        encoding = options.encoding
        tint = _TINTS[result.tier or "sure"]

        segment = span(result.start, result.end)
        path = printable(result.path, encoding)
        song = printable(self._song, encoding)
        if options.is_terminal:
            path = _end_of(path, width - cell_len(segment) - 2, "~" if plain else "…")
            if cell_len(path) + cell_len(segment) + cell_len(song) + 6 > width and song:
                yield _text(song[:width], "bold")
                song = ""
        heading = _text(path, "bold")
        heading.append(f"  {segment}", style="not bold dim")
        if song:
            heading.append(f"  {song}", style="not bold")
        yield heading
        yield from _wrapped(_spelt(result.verdict, encoding, plain), width, f"bold {tint}")

        genres = result.top(self._top)
        names = [_spelt(spoken(genre), encoding, plain) for genre, _ in genres]
        column = min(max(map(cell_len, names)), _LONGEST_GENRE, width // 3)
        room = min(max(width - column - 11, 1), _LONGEST_BAR)
        for index, (name, (_, probability)) in enumerate(zip(names, genres, strict=True)):
            best = "bold" if index == 0 and result.tier != "unsure" else ""
            line = _text("  ")
            line.append(set_cell_size(name, column), style=best)
            line.append(f" {percent(probability):>6} ", style=best)
            line.append(_bar(probability, room, plain), style=tint)
            line.rstrip()
            yield line

        yield from self._over_time(plain, width, encoding)
        if self._tags and result.tags:
            yield from _wrapped(f"also: {printable(tags_line(result), encoding)}", width, "")
        if result.tier == "unsure":
            yield from _wrapped(HINT, width, tint)
        for notice in result.notices:
            yield from _wrapped(f"note: {printable(notice, encoding)}", width, "")

    def _over_time(self, plain: bool, width: int, encoding: str) -> Iterator[Text]:
        """Yield a strip of the most probable genre over time, and the sections."""
        result = self._result
        if result.timeline and not plain:
            room = min(width - 2, _LONGEST_BAR)
            times = [
                result.start + (column + 0.5) / room * (result.end - result.start)
                for column in range(room)
            ]
            best = [_window_at(result, at).genres[0].genre for at in times]
            strip = _text("  ")
            for genre, run in groupby(best):
                strip.append("▇" * len(list(run)), style=_STRIP[tone(result, genre)])
            yield strip
            legend = _text(" ")
            for genre in dict.fromkeys(best):
                name = _spelt(spoken(genre), encoding, plain)
                if legend.cell_len + cell_len(name) + 3 > width:
                    break
                legend.append(" ▇", style=_STRIP[tone(result, genre)]).append(f" {name}")
            yield legend
        if result.sections:
            yield from _wrapped(_spelt(sections_line(result.sections), encoding, plain), width, "")


def _name(path: str, song: str, column: int, encoding: str, mark: str) -> Text:
    """Return song and file name in a column, or else the path, cropped."""
    path, song = printable(path, encoding), printable(song, encoding)
    if song:
        path = PurePath(path).name  # the song tells more than the folders
        room = column - min(cell_len(path), column // 3) - 2
        if cell_len(song) > room:
            song = f"{set_cell_size(song, max(room - 1, 0)).rstrip()}{mark}"
    line = _text("")
    line.append(song, style="bold").append("  " * bool(song))
    line.append(_end_of(path, column - line.cell_len, mark), style="dim" if song else "")
    line.pad_right(column - line.cell_len)
    return line


def _window_at(result: Result, at: float) -> Window:
    return min(result.timeline, key=lambda one: abs((one.start + one.end) / 2 - at))


def _is_plain(console: Console) -> bool:
    """Return whether to avoid colours and non-ASCII characters."""
    return not console.is_terminal or console.options.ascii_only or console.legacy_windows


def _spelt(text: str, encoding: str, plain: bool) -> str:
    """Return a text that the console can show; plain text has ASCII arrows."""
    return printable(text.replace("→", "->") if plain else text, encoding)


def _bar(share: float, room: int, plain: bool) -> str:
    """Return a bar of `share` of the room; it is empty only for 0."""
    if plain:
        return _block(share, room, plain)
    halves = max(round(2 * share * room), 1 if share > 0 else 0)
    return "━" * (halves // 2) + "╸" * (halves % 2)


def _block(share: float, room: int, plain: bool) -> str:
    return ("#" if plain else "▇") * max(round(share * room), 1 if share > 0 else 0)


def _text(words: str, style: str = "") -> Text:
    return Text(words, style=style, no_wrap=True, overflow="ignore")


def _wrapped(words: str, width: int, style: str) -> Iterator[Text]:
    """Yield the lines of a text, indented and wrapped between words."""
    line = ""
    for word in words.split():
        if line and cell_len(line) + 1 + cell_len(word) > width - 2:
            yield _text(f"  {line}", style)
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield _text(f"  {line}", style)


def _print_plain(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True, highlight=False)


def _end_of(text: str, width: int, mark: str) -> str:
    """Crop a text that is too wide at its start: the end of a path matters more."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > max(width - 1, 1):
        text = text[1:]
    return f"{mark}{text}"
