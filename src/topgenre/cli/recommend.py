"""Implement ``topgenre recommend``: find music like a song, or for given genres."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topgenre.cli import options, printing, suggestions
from topgenre.library.batch import classify_files
from topgenre.library.find import STANDARD_INPUT
from topgenre.result import Failure, GenreProbability
from topgenre.text import counted

if TYPE_CHECKING:
    from topgenre.recommend import Provider

_HIGHEST_LIMIT = 50
_LIBRARY = "library"  # the only provider that uses a catalogue and a model


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Find music like a song, or for genres.",
        epilog="Examples: topgenre recommend song.mp3 --provider deezer   |   "
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
    artist: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The song's artist.  [default: from the file's tags]"),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The song's title.  [default: from the file's tags]"),
    ] = None,
    playlists: Annotated[
        bool, typer.Option("--playlists", help="Prefer playlists, and list them first.")
    ] = False,
    limit: Annotated[
        int,
        typer.Option(min=1, max=_HIGHEST_LIMIT, metavar="N", help="Items per provider."),
    ] = suggestions.DEFAULT_LIMIT,
    top: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="How many of the song's genres to mix."),
    ] = suggestions.DEFAULT_TOP,
    as_json: options.AsJson = False,
    links: Annotated[bool, typer.Option("--links", help="Print the links alone.")] = False,
    m3u8: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tracks as a playlist.")
    ] = None,
    catalog: options.Catalog = None,
    model: options.Model = None,
) -> None:
    """Find music like a song, or for the genres given.

    Each provider has its own section. Without an account, links to a search on Spotify are
    printed. With TOPGENRE_SPOTIFY_CLIENT_ID and TOPGENRE_SPOTIFY_CLIENT_SECRET, Spotify gives
    tracks and playlists. --provider deezer gives tracks by artists like the song's, or charts if
    the artist is unknown; with --playlists, playlists too. --provider library gives similar songs
    from a catalogue that `topgenre scan` made.
    """
    if (song is None) is (not genre):
        raise typer.BadParameter("give a song or genres, not both", param_hint="SONG, --genre")
    if as_json and links:
        raise typer.BadParameter("Use --json or --links, not both")
    weights = [_weight(text) for text in genre or ()]
    _check(provider, m3u8)
    if catalog and _LIBRARY not in (provider or ()):
        raise typer.BadParameter("this needs --provider library", param_hint="--catalogue")
    result = None
    if song is not None:
        options.check_standard_input([song])
        [outcome] = classify_files([song], model=model)
        if isinstance(outcome, Failure):
            show = printing.json_printer(None) if as_json else printing.human_printer([song])
            show(outcome)
            printing.show_details(outcome)
            raise typer.Exit(1)
        result, weights = outcome, suggestions.mixture([outcome], top)

    from topgenre.recommend import recommend as find

    sections = find(
        weights,
        limit=limit,
        providers=provider and [_provider(name, catalog, model) for name in provider],
        # A pipe cannot be read twice.
        source=None if song == STANDARD_INPUT else song,
        artist=artist,
        title=title,
        playlists_first=playlists,
    )
    if as_json:
        record = result.to_dict() if result else {"genres": suggestions.shares(weights)}
        suggestions.print_json(record, sections)
    elif links:
        suggestions.print_links(sections)
    else:
        if result:
            printing.human_printer([result.path], top)(result)
            typer.echo()
        suggestions.print_sections(sections)
    if m3u8:
        from topgenre.recommend.playlist import save

        count = save(sections, m3u8)
        printing.say_written(f"{m3u8} ({counted(count, 'track')})")
    raise typer.Exit(0 if any(section.items for section in sections) else 1)


def _provider(name: str, catalog: Path | None, model: Path | None) -> str | Provider:
    if name != _LIBRARY or not (catalog or model):
        return name
    from topgenre.recommend.library_provider import Library
    from topgenre.recommend.settings import load

    return Library(catalog or load().catalog, model)


def _check(providers: list[str] | None, m3u8: Path | None) -> None:
    """Refuse invalid options before a song is analysed or a service is asked."""
    from topgenre.recommend.registry import KNOWN

    known = [info.name for info in KNOWN]
    for name in providers or ():
        if name not in known:
            raise typer.BadParameter(
                f"unknown provider {name!r}; choose from {', '.join(known)}",
                param_hint="--provider",
            )
    if m3u8:
        options.check_playlist_name(m3u8)


def _weight(text: str) -> GenreProbability:
    from topgenre.recommend.items import parse_weight

    try:
        return parse_weight(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--genre") from error
