"""Teach genres: fit a head to examples, calibrated by cross-validation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from topgenre.evaluation.calibration import uncertain_below
from topgenre.head import GenreHead
from topgenre.library.catalogue import Catalogue, model_hash
from topgenre.teaching.examples import Examples, gather
from topgenre.teaching.linear import fit_linear
from topgenre.teaching.measure import Measured, cross_validate
from topgenre.teaching.sources import embed_songs, from_catalogue, songs_below

_UNMEASURED_PENALTY = 0.3
_UNMEASURED_TEMPERATURE = 1.5  # cautious: a classifier is too sure on its training data


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A head, its examples and its figures.

    Attributes
    ----------
    head : GenreHead
    examples : Examples
    measured : Measured or None
        None if all songs are by one artist, so that nothing can be measured.
    """

    head: GenreHead
    examples: Examples
    measured: Measured | None


def teach_examples(examples: Examples, network: str, name: str = "my genres") -> Taught:
    """Fit a head to examples.

    Parameters
    ----------
    examples : Examples
    network : str
        Hexadecimal SHA-256 of the model file that the embeddings come from.
    name : str
        Name of the genres in results.

    Returns
    -------
    Taught
    """
    measured = cross_validate(examples)
    penalty = measured.penalty if measured else _UNMEASURED_PENALTY
    linear = fit_linear(
        examples.embeddings, examples.targets[examples.song], examples.weights, penalty
    )
    chance = 1.5 / len(examples.genres)
    head = GenreHead(
        name=name,
        genres=examples.genres,
        weights=linear.weights,
        offsets=linear.offsets,
        temperature=measured.temperature if measured else _UNMEASURED_TEMPERATURE,
        uncertain_below=float(
            np.float32(uncertain_below(measured.probabilities) if measured else min(0.5, chance))
        ),
        network=network,
        figures=measured.to_dict() if measured else {"n_songs": examples.n_songs},
    )
    return Taught(head, examples, measured)


def teach(
    source: str | os.PathLike[str] | Iterable[tuple[str | os.PathLike[str], str]],
    *,
    model: str | os.PathLike[str] | None = None,
    min_songs: int = 3,
    names: Mapping[str, str] | None = None,
    name: str = "my genres",
    jobs: int | None = None,
) -> GenreHead:
    """Teach genres from songs.

    Parameters
    ----------
    source : path-like, or iterable of (path, genre)
        A catalogue of `topgenre scan`, a folder with a subfolder per genre, or songs with genres.
    model : path-like, optional
        By default the bundled model.
    min_songs : int
        A genre with fewer songs is dropped.
    names : mapping of str to str, optional
        Other names for genres; an empty name drops the genre.
    name : str
        Name of the genres in results.
    jobs : int, optional
        Worker processes. A script that uses several must guard its start with
        ``if __name__ == "__main__":``, as `multiprocessing` demands.

    Returns
    -------
    GenreHead

    Raises
    ------
    TeachingError
        If the songs are unusable as examples, for instance all of one genre.
    CatalogueError
        If the catalogue cannot be read.

    Examples
    --------
    >>> import topgenre
    >>> head = topgenre.teach([("a.mp3", "shoegaze"), ("b.mp3", "cumbia")])  # doctest: +SKIP
    >>> topgenre.load(genres=head).classify("song.mp3").verdict  # doctest: +SKIP
    'Shoegaze'
    """
    network = model_hash(model)
    if not isinstance(source, str | os.PathLike):
        genre_of: dict[str, tuple[str, ...]] = {}
        for path, genre in source:
            genre_of[os.fspath(path)] = (*genre_of.get(os.fspath(path), ()), genre)
        songs = list(embed_songs(genre_of, model=model, jobs=jobs))
    elif Path(source).is_dir():
        songs = list(embed_songs(songs_below(Path(source)), model=model, jobs=jobs))
    else:
        with Catalogue(Path(source), read_only=True) as catalogue:
            songs = list(from_catalogue(catalogue, network))
    examples = gather(songs, min_songs=min_songs, names=names)
    return teach_examples(examples, network.hex(), name).head
