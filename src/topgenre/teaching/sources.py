"""Find tagged songs in a scanned catalogue, or in folders named after genres."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from topgenre.errors import TeachingError
from topgenre.library.catalogue import Catalogue
from topgenre.library.find import find_audio
from topgenre.result import Failure
from topgenre.teaching.examples import Floats, TaggedSong
from topgenre.teaching.labels import split_genres
from topgenre.workers.processes import in_processes
from topgenre.workers.work import default_jobs

if TYPE_CHECKING:
    from topgenre.classifier import Classifier

_N_WINDOWS = 5  # windows of 10 s per song in a folder: more than its middle
_TIME_LIMIT = 120.0  # s for one song

Shown = Callable[[str, Failure | None], object]


class _Embedded(NamedTuple):
    """Embeddings and group of a song, from a worker process."""

    windows: Floats
    group: str


def from_catalogue(
    catalogue: Catalogue, model: bytes, *, folder: str | None = None, most: int | None = None
) -> Iterator[TaggedSong]:
    """Find the songs of a catalogue with genre tags or corrections.

    Parameters
    ----------
    catalogue : Catalogue
    model : bytes
        SHA-256 of the model; songs of other models, and missing ones, are left out.
    folder : str, optional
        Only songs below this folder.
    most : int, optional
        Most songs, drawn at random; always the same ones.

    Yields
    ------
    TaggedSong
        With the embedding of the scan.
    """
    by_path, by_content = catalogue.corrected()
    names = ("path", "hash", "genre_tag", "artist", "album", "embedding")
    rows = (
        catalogue.rows(names, model=model, folder=folder)
        if most is None
        else catalogue.sample(names, model, most, tagged=True, folder=folder)
    )
    for path, content, tag, artist, album, embedding in rows:
        correction = by_path.get(path) or by_content.get(content)
        genres = (correction,) if correction else split_genres(tag or "")
        if genres:
            yield TaggedSong(
                path=path,
                embeddings=embedding[None],
                genres=genres,
                group=_group(artist, album, path),
                corrected=correction is not None,
            )


def songs_below(root: Path) -> dict[str, tuple[str, ...]]:
    """Find the songs in the subfolders of a folder; each is named after a genre.

    Raises
    ------
    TeachingError
        If the folder cannot be read, or its subfolders have no songs.
    """
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir())
    except OSError as error:
        raise TeachingError(
            f"{root}: cannot be read ({error.strerror}); name a folder with a sub-folder per genre"
        ) from error
    genre_of: dict[str, tuple[str, ...]] = {
        song: (folder.name,)
        for folder in folders
        if not folder.name.startswith(".")
        for song in find_audio([folder])
        if isinstance(song, str)
    }
    if not genre_of:
        raise TeachingError(
            f"{root}: no music found; "
            "make a sub-folder of music for each genre, such as shoegaze/, with three songs or more"
        )
    return genre_of


def embed_songs(
    genre_of: dict[str, tuple[str, ...]],
    *,
    model: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    show: Shown = lambda path, failure: None,
) -> Iterator[TaggedSong]:
    """Embed songs whose genres are known, in worker processes.

    Parameters
    ----------
    genre_of : dict of str to tuple of str
        Genres by path.
    model : path-like, optional
        By default the bundled model.
    jobs : int, optional
        Worker processes.
    show : callable, optional
        Called with the path of each finished song, and its failure or None.

    Yields
    ------
    TaggedSong
        With the embeddings of five windows around the middle; songs that fail are left out.
    """
    jobs = default_jobs(len(genre_of)) if jobs is None else jobs
    for path, found in in_processes(
        _embed, genre_of, jobs=jobs, model=model, time_limit=_TIME_LIMIT
    ):
        show(path, found if isinstance(found, Failure) else None)
        if isinstance(found, _Embedded):
            yield TaggedSong(path, found.windows, genre_of[path], found.group)


def _embed(classifier: Classifier, path: str) -> _Embedded:
    from topgenre.library.tags import read_tags

    tags = read_tags(path)
    # Songs in a genre's folder have different artists: without tags, each is its own group.
    group = _group(tags.artist, tags.album, "") if tags.artist or tags.album else path
    return _Embedded(classifier.embed_windows(path, _N_WINDOWS), group)


def _group(artist: str | None, album: str | None, path: str) -> str:
    """Return the group of a song: its artist, else its album, else its folder."""
    if artist:
        return f"artist:{artist.casefold()}"
    return f"album:{album.casefold()}" if album else f"folder:{Path(path).parent}"
