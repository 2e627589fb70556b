"""A catalogue's songs as playlists, one for each genre."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from topgenre import playlist
from topgenre.files import make_folder, spare_others
from topgenre.library.catalogue import Catalogue
from topgenre.library.song import Song

_FORBIDDEN = '<>:"/\\|?*'  # in the names of files, by some system or other


class Pick(NamedTuple):
    """A song of a playlist.

    Attributes
    ----------
    path, name : str
    probability : float
        Of the genre.
    duration : float or None
        Seconds.
    """

    path: str
    name: str
    probability: float
    duration: float | None


class GenreList(NamedTuple):
    """The songs of a genre.

    Attributes
    ----------
    genre : str
    songs : tuple of Pick
        The most confident first.
    fitting : int
        How many there would be without a limit.
    """

    genre: str
    songs: tuple[Pick, ...]
    fitting: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen of a catalogue.

    Attributes
    ----------
    lists : tuple of GenreList
        One for each genre that the model knows, in alphabetical order.
    unwritable : int
        Songs that fit but have a line break in their paths, which no playlist can hold.
    other_model : int
        Songs that were left out as another model judged them.
    """

    lists: tuple[GenreList, ...]
    unwritable: int
    other_model: int


def choose(
    catalogue: Catalogue,
    *,
    model: bytes,
    threshold: float | None = None,
    folder: str | os.PathLike[str] | None = None,
    limit: int | None = None,
) -> Choice:
    """Choose the songs of each genre by their first genre, the same content once.

    Parameters
    ----------
    catalogue : Catalogue
    model : bytes
        `topgenre.library.catalogue.model_hash` of the model whose songs are meant.
    threshold : float, optional
        Songs whose first genre is at least this probable; by default those that are sure.
    folder : path-like, optional
        Only songs in this folder, or in a folder in it.
    limit : int, optional
        How many songs of a genre at most: those of the highest confidence.

    Raises
    ------
    CatalogueError
        If the catalogue cannot be read.
    """
    inside = None if folder is None else os.path.abspath(folder)  # noqa: PTH100 - follows no links
    genres: dict[str, list[Pick]] = {}
    fitting: Counter[str] = Counter()
    contents: set[bytes] = set()
    unwritable = other_model = 0
    for song in catalogue.songs(folder=inside):
        if song.missing or song.analysis is None:
            continue
        if song.model_hash != model:
            other_model += 1
            continue
        for genre, _ in song.analysis.result.genres:
            genres.setdefault(genre, [])
        if not _fits(song, threshold) or song.analysis.hash in contents:
            continue
        if "\n" in song.path or "\r" in song.path:
            unwritable += 1
            continue
        contents.add(song.analysis.hash)
        (genre, probability), *_ = song.analysis.result.genres
        name, duration = song.analysis.tags.name(song.path), song.analysis.result.duration
        genres[genre].append(Pick(song.path, name, probability, duration))
        fitting[genre] += 1
    lists = [
        GenreList(genre, tuple(_best(picks, limit)), fitting[genre])
        for genre, picks in sorted(genres.items())
    ]
    return Choice(tuple(lists), unwritable, other_model)


def _fits(song: Song, threshold: float | None) -> bool:
    assert song.analysis is not None
    result = song.analysis.result
    if threshold is None:
        return not result.uncertain
    return result.genres[0].probability >= threshold


def _best(picks: list[Pick], limit: int | None) -> list[Pick]:
    # Stable: songs of equal confidence stay in the order of their paths.
    ranked = sorted(picks, key=lambda pick: -pick.probability)
    return ranked[:limit]


def save(lists: Sequence[GenreList], folder: Path) -> Iterator[tuple[GenreList, Path]]:
    """Write a playlist for each genre that has songs, and empty those that no longer have any.

    Parameters
    ----------
    lists : sequence of GenreList
    folder : Path
        Made, if it is not there.

    Yields
    ------
    GenreList, Path
        Each list that was written, and where.

    Raises
    ------
    OutputError
        If the folder cannot be made, a file cannot be written, or has a name that is wanted and is
        no playlist of topgenre's; nothing is written then.
    """
    make_folder(folder, "playlists")
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - follows no links
    files = dict(zip(_names([found.genre for found in lists]), lists, strict=True))
    wanted = {
        folder / name: found
        for name, found in files.items()
        if found.songs or (folder / name).exists()
    }
    for path in wanted:
        spare_others(path, playlist.HEAD)
    place = playlist.places(folder)
    for path, found in wanted.items():
        entries = (
            playlist.Entry(place(song.path), song.name, song.duration) for song in found.songs
        )
        playlist.save(entries, path)
        yield found, path


def _names(genres: Sequence[str]) -> Iterator[str]:
    """Give each genre a name for its file that every system allows, and no other genre has."""
    taken: set[str] = set()
    for genre in genres:
        stem = "".join("_" if c in _FORBIDDEN or not c.isprintable() else c for c in genre)
        stem = stem.strip(". ") or "_"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem} {number}"
        taken.add(name.casefold())
        yield f"{name}{playlist.SUFFIX}"
