"""Print recommendations for the commands that make them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import typer

from topgenre.library.find import STANDARD_INPUT
from topgenre.result import GenreProbability, Result
from topgenre.text import json_safe, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from topgenre.recommend import Item, Section

DEFAULT_LIMIT = 10
DEFAULT_TOP = 3  # genres of a song in the mixture

_HEADINGS = {"track": "Tracks", "playlist": "Playlists", "search": "Searches"}


def mixture(results: Sequence[Result], top: int | None = None) -> list[GenreProbability]:
    """Join the top genres of several songs."""
    return [genre for result in results for genre in result.top(top or DEFAULT_TOP)]


def for_results(
    results: Sequence[Result],
    top: int | None = None,
    providers: Sequence[str] | None = None,
) -> list[Section]:
    """Recommend music like a song, or one mixed list for several songs."""
    from topgenre.recommend import recommend

    source = results[0].path if len(results) == 1 and results[0].path != STANDARD_INPUT else None
    return recommend(mixture(results, top), limit=DEFAULT_LIMIT, providers=providers, source=source)


def print_json(record: dict[str, Any], sections: Iterable[Section]) -> None:
    """Print a result, or the genres asked for, with its recommendations."""
    found = [section.to_dict() for section in sections]
    typer.echo(json.dumps(json_safe({**record, "recommendations": found})))


def shares(weights: Sequence[GenreProbability]) -> list[dict[str, Any]]:
    """Return the JSON objects of a mixture of genres."""
    from topgenre.recommend import Wish

    return [share.to_dict() for share in Wish.of(weights, 1).weights]


def print_links(sections: Iterable[Section]) -> None:
    """Print only the links, one per line."""
    for section in sections:
        for item in section.items:
            typer.echo(_address(item))


def print_sections(sections: Sequence[Section]) -> None:
    """Print sections for people, one below the other."""
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    for number, section in enumerate(sections):
        if number:
            console.print()
        console.print(Text(printable(section.label, console.encoding), style="bold"))
        for line in _lines(section.items, console):
            console.print(line)
        for notice in section.notices:
            words = printable(f"note: {notice}", console.encoding)
            width = max(console.width - 2, 20) if console.is_terminal else len(words)
            for part in textwrap.wrap(words, width, break_long_words=False):
                console.print(Text(f"  {part}"))


def _lines(items: Sequence[Item], console: Console) -> Iterator[Text]:
    """Yield one line per item, or two in a narrow terminal."""
    from rich.cells import cell_len
    from rich.style import Style
    from rich.text import Text

    from topgenre.recommend.playlist import title

    kinds = list(dict.fromkeys(item.kind for item in items))
    indent = " " * (4 if len(kinds) > 1 else 2)
    genres = [printable(item.genre, console.encoding) for item in items]
    titles = [printable(title(item), console.encoding) for item in items]
    links = [printable(_address(item), console.encoding) for item in items]
    column = max(map(cell_len, genres), default=0)
    column += 2 if column else 0
    widest = max(map(cell_len, titles), default=0) + 2
    needed = len(indent) + column + widest + max(map(cell_len, links), default=0)
    for kind in kinds:
        if len(kinds) > 1:
            yield Text(f"  {_HEADINGS[kind]}", style="dim")
        for item, genre, words, link in zip(items, genres, titles, links, strict=True):
            if item.kind != kind:
                continue
            line = Text(indent).append(genre + " " * (column - cell_len(genre)), style="cyan")
            line.append(words, style="bold")
            url = Text(link, style=Style(dim=True, link=item.url))
            if needed <= console.width or not console.is_terminal:
                # Columns help people but hinder programs.
                gap = widest - cell_len(words) if console.is_terminal else 2
                yield line.append(" " * gap).append_text(url)
            else:
                yield line
                yield Text(indent + " " * column).append_text(url)


def _address(item: Item) -> str:
    """Return the best link of an item: a path, a page on Spotify, or the provider's."""
    if item.url.startswith("file://"):
        return unquote(urlsplit(item.url).path, errors="surrogateescape")
    if item.spotify_url and "/search/" not in item.spotify_url:
        return item.spotify_url
    return item.url
