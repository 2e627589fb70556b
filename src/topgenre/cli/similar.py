"""Implement ``topgenre similar``: find songs of a library that sound like a song."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topgenre.cli import options

if TYPE_CHECKING:
    from topgenre.library.similarity import Neighbour
    from topgenre.library.song import Analysis

_SPECTROGRAMS = {
    "full": "full power",
    "harmonic": "harmonic power",
    "percussive": "percussive power",
    "onset": "onset strength",
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        short_help="Find songs of a scanned library that sound like a song.",
        epilog="Example: topgenre similar song.mp3 --m3u8 like-song.m3u8",
    )(similar)


def similar(
    song: Annotated[str, typer.Argument(metavar="SONG", help="A music file, scanned or not.")],
    catalog: options.Catalog = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Most songs to list.")] = 10,
    genre: Annotated[
        str | None, typer.Option(metavar="GENRE", help="Only songs with this top genre.")
    ] = None,
    folder: options.Folder = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Vary the list: each number gives another draw."),
    ] = None,
    as_json: options.AsJson = False,
    m3u8: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the songs as a playlist.")
    ] = None,
    why: Annotated[
        bool,
        typer.Option("--why", help="Say which spectrogram is closest; reads the songs again."),
    ] = False,
    model: options.Model = None,
) -> None:
    """Find songs of the scanned library that sound like a song, the nearest first.

    Each artist is listed once; songs without tags are grouped by folder. Songs that are too
    different are left out. Similarity is the cosine of the embeddings: 1 means the same sound.
    """
    from topgenre.errors import CatalogueError

    if m3u8:
        options.check_playlist_name(m3u8)
    from topgenre.library.catalogue import Catalogue
    from topgenre.library.similarity import similar_songs
    from topgenre.library.song import song_name

    with Catalogue(catalog, read_only=True) as catalogue:
        query, found, left_out = similar_songs(
            catalogue, song, model=model, limit=limit, genre=genre, folder=folder, seed=seed
        )
        genres = sorted(dict(query.result.genres))
        if genre is not None and genre not in genres:
            raise typer.BadParameter(
                f"{genre} is not one of {', '.join(genres)}", param_hint="--genre"
            )
        options.say_left_out(left_out)
        if not found and not as_json:
            raise CatalogueError(
                f"{catalogue.path}: no song sounds like this one; scan more music, or use fewer "
                "conditions"
            )
    if why:
        found = _explained(song, found)
    if m3u8:
        _write_playlist(m3u8, song_name(song, *query.tags[:2]), found)
    if as_json:
        _print_json(song, query, found, left_out)
    else:
        _print(song, query, found)


def _explained(song: str, found: list[Neighbour]) -> list[Neighbour]:
    """Add the closest spectrogram to each song whose file can be read."""
    from topgenre.classifier import analyse
    from topgenre.errors import TopgenreError
    from topgenre.library.likeness import compare, traits

    own = traits(analyse(song))
    explained = []
    for neighbour in found:
        with suppress(TopgenreError):
            likeness = compare(own, traits(analyse(neighbour.path)))
            neighbour = replace(neighbour, likeness=likeness)
        explained.append(neighbour)
    return explained


def _print_json(song: str, query: Analysis, found: list[Neighbour], left_out: int) -> None:
    from topgenre.text import json_safe

    record = {
        "path": json_safe(song),
        "genres": [genre.to_dict() for genre in query.result.genres],
        "uncertain": query.result.uncertain,
        "model": query.result.model,
        "neighbours": [json_safe(neighbour.to_dict()) for neighbour in found],
        "left_out": {"other_model": left_out},
    }
    typer.echo(json.dumps(record))


def _print(song: str, query: Analysis, found: list[Neighbour]) -> None:
    from rich.console import Console
    from rich.text import Text

    from topgenre.charts.wording import percent
    from topgenre.result import spoken
    from topgenre.text import printable

    console = Console(soft_wrap=True, highlight=False)

    def plain(text: str) -> str:
        return printable(text, console.encoding)

    ranked = ", ".join(f"{spoken(genre)} {percent(share)}" for genre, share in query.result.top(2))
    console.print(Text(plain(f"{song}: {query.result.verdict} ({ranked})"), style="bold"))
    for neighbour in found:
        line = Text(f"{neighbour.similarity:6.3f}  ", style="cyan")
        line.append(plain(neighbour.name), style="bold")
        line.append(f"  {_reason(neighbour)}", style="default")
        console.print(line)
        console.print(Text(f"        {plain(neighbour.path)}", style="dim"))


def _reason(neighbour: Neighbour) -> str:
    """Return why two songs match, in words."""
    from topgenre.result import spoken

    if neighbour.shared_genres:
        reason = f"both {', '.join(map(spoken, neighbour.shared_genres))}"
    else:
        reason = f"near in sound, though {spoken(neighbour.analysis.result.genres[0].genre)}"
    if neighbour.likeness and neighbour.likeness.closest:
        reason += f"; closest in {_SPECTROGRAMS[neighbour.likeness.closest]}"
    return reason


def _write_playlist(path: Path, title: str, found: list[Neighbour]) -> None:
    from topgenre import playlist

    entries = (
        playlist.Entry(playlist.address(one.path), one.name, one.analysis.result.duration)
        for one in found
    )
    count = playlist.save(entries, path, title=f"Like {title}")
    typer.echo(f"{count} songs written to {path}", err=True)
