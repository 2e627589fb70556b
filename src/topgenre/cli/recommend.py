"""``topgenre recommend``: music to listen to for a song, or for genres that are named."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topgenre.cli import options, output
from topgenre.cli.classify import check_standard_input
from topgenre.library.batch import Outcome, classify_files
from topgenre.library.find import STANDARD_INPUT
from topgenre.result import Failure, GenreProbability

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from topgenre.recommend import Item, Provider, Section

_DEFAULT_TOP = 3  # genres of a song that make the mixture

_DEFAULT_LIMIT = 10
_HIGHEST_LIMIT = 50
_LIBRARY = "library"  # the provider that the options for catalogue and model are for
_HEADINGS = {"track": "Tracks", "playlist": "Playlists", "search": "Searches"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Find music to listen to, for a song or for genres.",
        epilog="Examples: topgenre recommend song.mp3   |   "
        "topgenre recommend --genre rock --genre jazz:0.3",
    )(recommend)


def recommend(
    song: Annotated[
        str | None,
        typer.Argument(
            metavar="SONG", help="A music file, or - for standard input.", show_default=False
        ),
    ] = None,
    genre: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GENRE[:WEIGHT]", help="A genre instead of a song; repeat it for a mixture."
        ),
    ] = None,
    provider: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="spotify, search-links, deezer or library; repeat it for several.  "
            "[default: spotify if its credentials are set, else search-links]",
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(min=1, max=_HIGHEST_LIMIT, metavar="N", help="Items of each provider."),
    ] = _DEFAULT_LIMIT,
    top: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="How many of the song's genres make the mixture."),
    ] = _DEFAULT_TOP,
    as_json: options.AsJson = False,
    m3u8: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tracks as a playlist.")
    ] = None,
    catalog: options.Catalog = None,
    model: options.Model = None,
) -> None:
    """Find music to listen to, in proportion to the genres of a song or to those named.

    Each provider has a section of its own. Without an account there are links to a search on
    Spotify; TOPGENRE_SPOTIFY_CLIENT_ID and TOPGENRE_SPOTIFY_CLIENT_SECRET bring tracks and
    playlists; --provider deezer brings charts, --provider library what is like it among the
    songs that `topgenre scan` has found.
    """
    if (song is None) is (not genre):
        raise typer.BadParameter("name either a song or genres", param_hint="SONG, --genre")
    weights = [_weight(text) for text in genre or ()]
    _check(provider, m3u8)
    if catalog and _LIBRARY not in (provider or ()):
        raise typer.BadParameter("it is for --provider library", param_hint="--catalog")
    result = None
    if song is not None:
        check_standard_input([song])
        [outcome] = classify_files([song], model=model)
        if isinstance(outcome, Failure):
            show = output.json_printer(None) if as_json else output.human_printer([song], top)
            show(outcome)
            output.show_details(outcome)
            raise typer.Exit(1)
        result, weights = outcome, list(outcome.top(top))

    from topgenre.recommend import recommend as find

    sections = find(
        weights,
        limit=limit,
        providers=provider and [_provider(name, catalog, model) for name in provider],
        # What came through a pipe is gone.
        source=None if song == STANDARD_INPUT else song,
    )
    if as_json:
        record = result.to_dict() if result else {"genres": _shares(weights)}
        _print_json(record, sections)
    else:
        if result:
            output.human_printer([result.path], top)(result)
            typer.echo()
        print_sections(sections)
    if m3u8:
        from topgenre.recommend.playlist import save

        typer.echo(f"{save(sections, m3u8)} tracks written to {m3u8}", err=True)
    raise typer.Exit(0 if any(section.items for section in sections) else 1)


def _provider(name: str, catalog: Path | None, model: Path | None) -> str | Provider:
    if name != _LIBRARY or not (catalog or model):
        return name
    from topgenre.recommend.library_provider import Library
    from topgenre.recommend.settings import load

    return Library(catalog or load().catalog, model)


def recommending(show: output.Printer, top: int | None, *, as_json: bool) -> output.Printer:
    """Print recommendations of the default provider with each result.

    Parameters
    ----------
    show : callable
        Prints what comes without recommendations.
    top : int or None
        How many genres a result names; None leaves it to the form of output.
    as_json : bool
        Whether the recommendations become a part of the result's JSON object.
    """
    from topgenre.recommend import recommend as find

    def show_both(outcome: Outcome) -> None:
        if isinstance(outcome, Failure) or not as_json:
            show(outcome)
        if isinstance(outcome, Failure):
            return
        mixture = outcome.top(top or _DEFAULT_TOP)
        sections = find(mixture, limit=_DEFAULT_LIMIT, source=outcome.path)
        if as_json:
            _print_json(outcome.to_dict(top), sections)
        else:
            typer.echo()
            print_sections(sections)

    return show_both


def print_sections(sections: Sequence[Section]) -> None:
    """Print sections for people, one below the other."""
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    for number, section in enumerate(sections):
        if number:
            console.print()
        console.print(Text(_plain(section.label, console), style="bold"))
        for line in _lines(section.items, console):
            console.print(line)
        for notice in section.notices:
            words = _plain(f"note: {notice}", console)
            width = max(console.width - 2, 20) if console.is_terminal else len(words)
            for part in textwrap.wrap(words, width, break_long_words=False):
                console.print(Text(f"  {part}"))


def _print_json(record: dict[str, Any], sections: Iterable[Section]) -> None:
    from topgenre.text import json_safe

    found = [section.to_dict() for section in sections]
    typer.echo(json.dumps(json_safe({**record, "recommendations": found})))


def _check(providers: list[str] | None, m3u8: Path | None) -> None:
    """Refuse what cannot work before a song is analysed and services are asked."""
    from topgenre.recommend.registry import KNOWN

    known = [info.name for info in KNOWN]
    for name in providers or ():
        if name not in known:
            raise typer.BadParameter(
                f"there is no {name!r}; choose {', '.join(known)}", param_hint="--provider"
            )
    if m3u8:
        options.check_playlist_name(m3u8)


def _weight(text: str) -> GenreProbability:
    from topgenre.recommend.items import parse_weight

    try:
        return parse_weight(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--genre") from error


def _shares(weights: Sequence[GenreProbability]) -> list[dict[str, Any]]:
    from topgenre.recommend import Wish

    return [share.to_dict() for share in Wish.of(weights, 1).weights]


def _lines(items: Sequence[Item], console: Console) -> Iterator[Text]:
    """Yield a line for each item, or two in a terminal that is too narrow for one of them."""
    from rich.cells import cell_len
    from rich.style import Style
    from rich.text import Text

    from topgenre.recommend.playlist import title

    kinds = list(dict.fromkeys(item.kind for item in items))
    indent = " " * (4 if len(kinds) > 1 else 2)
    genres = [_plain(item.genre, console) for item in items]
    titles = [_plain(title(item), console) for item in items]
    column = max(map(cell_len, genres), default=0) + 2
    widest = max(map(cell_len, titles), default=0) + 2
    needed = len(indent) + column + widest + max((cell_len(item.url) for item in items), default=0)
    for kind in kinds:
        if len(kinds) > 1:
            yield Text(f"  {_HEADINGS[kind]}", style="dim")
        for item, genre, words in zip(items, genres, titles, strict=True):
            if item.kind != kind:
                continue
            line = Text(indent).append(genre + " " * (column - cell_len(genre)), style="cyan")
            line.append(words, style="bold")
            url = Text(_plain(item.url, console), style=Style(dim=True, link=item.url))
            if needed <= console.width or not console.is_terminal:
                # Columns help eyes, and are in the way of programs.
                gap = widest - cell_len(words) if console.is_terminal else 2
                yield line.append(" " * gap).append_text(url)
            else:
                yield line
                yield Text(indent + " " * column).append_text(url)


def _plain(text: str, console: Console) -> str:
    from topgenre.text import printable

    return printable(text, console.encoding)
