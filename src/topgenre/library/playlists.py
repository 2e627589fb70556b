"""Write the songs of a catalogue as playlists, one for each genre."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from topgenre import playlist
from topgenre.files import make_folder
from topgenre.library.catalogue import Catalogue
from topgenre.library.song import song_name
from topgenre.result import display_name

_FORBIDDEN = '<>:"/\\|?*'  # in file names on some system


class Entry(NamedTuple):
    """A song as a playlist lists it; the attributes are fields of the catalogue."""

    path: str
    artist: str | None
    title: str | None
    duration: float | None
    genre_1: str
    probability_1: float


class GenreList(NamedTuple):
    """The songs of a genre.

    Attributes
    ----------
    genre : str
    songs : tuple of Entry
        The most confident first.
    fitting : int
        Number of songs without a limit.
    """

    genre: str
    songs: tuple[Entry, ...]
    fitting: int


def choose(
    catalogue: Catalogue,
    *,
    model: bytes,
    threshold: float | None = None,
    folder: str | os.PathLike[str] | None = None,
    limit: int | None = None,
) -> list[GenreList]:
    """Choose the songs of each genre by their top genre, each content once.

    Parameters
    ----------
    catalogue : Catalogue
    model : bytes
        `topgenre.library.catalogue.model_hash` of the model to use the results of.
    threshold : float, optional
        Least probability of the top genre; by default, songs of the tier "sure" are chosen.
    folder : path-like, optional
        Only songs below this folder.
    limit : int, optional
        Most songs per genre: those of the highest confidence.

    Returns
    -------
    list of GenreList
        One for each genre that the model knows, in alphabetical order.

    Raises
    ------
    CatalogueError
        If the catalogue cannot be read.
    """
    inside = None if folder is None else os.path.abspath(folder)  # noqa: PTH100 - follows no links
    contents: set[bytes] = set()
    fitting: dict[str, list[Entry]] = {genre: [] for genre in catalogue.genres(model)}
    names = ("hash", *Entry._fields)
    for content, *values in catalogue.rows(names, model=model, threshold=threshold, folder=inside):
        if content not in contents:
            contents.add(content)
            song = Entry._make(values)
            fitting.setdefault(song.genre_1, []).append(song)
    # Stable: songs of equal confidence stay in the order of their paths.
    for songs in fitting.values():
        songs.sort(key=attrgetter("probability_1"), reverse=True)
    return [GenreList(genre, tuple(s[:limit]), len(s)) for genre, s in sorted(fitting.items())]


def save(lists: Sequence[GenreList], folder: Path) -> Iterator[tuple[GenreList, Path]]:
    """Write a playlist per genre with songs; empty those that no longer have any.

    Parameters
    ----------
    lists : sequence of GenreList
    folder : Path
        Created if missing.

    Yields
    ------
    GenreList, Path
        Each list that was written, and its file.

    Raises
    ------
    OutputError
        If the folder cannot be made or a file cannot be written; or, before anything is written,
        if a file of that name is not a playlist of topgenre.
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
        playlist.check_owner(path)
    address = playlist.addresses(folder)
    for target, found in wanted.items():
        entries = (
            playlist.Entry(address(path), song_name(path, artist, title), duration)
            for path, artist, title, duration, *_ in found.songs
        )
        playlist.save(entries, target, title=display_name(found.genre))
        yield found, target


def _names(genres: Sequence[str]) -> Iterator[str]:
    """Yield a distinct file name for each genre that every system allows."""
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
