"""Summarise a catalogue: counts, songs to review, failures, and a map of its sound.

SQLite adds the songs up, and the lists and the map have an upper bound, so a report stays small
however large the library is.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from topgenre.errors import CatalogueError
from topgenre.library.catalogue import Catalogue, Totals
from topgenre.library.similarity import unit
from topgenre.library.song import LISTED, Listed

MOST_POINTS = 4000  # on the map: more would hide one another
MOST_REVIEWED = 1000
MOST_FAILURES = 200  # listed for each reason
CONFIDENCE_BINS = 10


class GenreCount(NamedTuple):
    """How many songs have a genre as their first.

    Attributes
    ----------
    genre : str
    songs : int
        All of them.
    uncertain : int
        Those among them that are not sure.
    """

    genre: str
    songs: int
    uncertain: int


class ConfidenceBin(NamedTuple):
    """How many songs have a probability of their first genre that lies between two bounds."""

    low: float
    high: float
    songs: int
    uncertain: int


@dataclass(frozen=True, slots=True)
class Failures:
    """Files that cannot be judged for the same kind of reason.

    Attributes
    ----------
    code : str
        The kind, as `topgenre.errors` has it.
    count : int
        All of them.
    listed : tuple of (str, str)
        Path and reason of the first `MOST_FAILURES`, in the order of paths.
    """

    code: str
    count: int
    listed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class SongMap:
    """Songs in two dimensions: the principal axes of the embeddings, scaled to length 1 before.

    What lies close together sounds alike to the network, as far as two axes can show it.

    Attributes
    ----------
    songs : tuple of Listed
        All songs, or `MOST_POINTS` drawn by their content: the same songs in every report.
    points : ndarray of float64, shape (n, 2)
        From 0 to 1 along the wider axis, in the same units along the other one.
    kept : float or None
        Share of the variance of all songs that lies along the two axes; None where they do not
        differ.
    """

    songs: tuple[Listed, ...]
    points: NDArray[np.float64]
    kept: float | None


class Doubtful(Protocol):
    """A song whose tag the sound contradicts; see `topgenre.teaching.review.DoubtfulTag`."""

    @property
    def path(self) -> str:
        """Of the file."""

    @property
    def tagged(self) -> tuple[str, ...]:
        """The genres of its tag."""

    @property
    def suggested(self) -> str:
        """The genre that it sounds like."""

    @property
    def share(self) -> str:
        """The probability of that, in percent."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a catalogue says of a library. Files that are missing are not part of it.

    Attributes
    ----------
    place : str
        The folder in which all songs are.
    model : str
        Name and version of the model; empty if no song was judged.
    songs : int
        How many were judged by the model in question.
    seconds : float
        How long they are together, as far as that is known.
    unknown_length : int
        How many have no known length.
    uncertain : int
        How many are not sure.
    mean_confidence : float
        Mean probability of the first genre: the share of first genres that should be right.
    genres : tuple of GenreCount
        Every genre that the model knows, the most frequent first.
    confidence : tuple of ConfidenceBin
    to_review : tuple of Listed
        The `MOST_REVIEWED` songs that are least sure among those that are not, least sure first.
    failures : tuple of Failures
        By kind, the most frequent first.
    missing, other_model : int
        Songs that are left out.
    map : SongMap
    doubtful : tuple of Doubtful
        Songs whose tag the sound contradicts, the surest first.
    """

    place: str
    model: str
    songs: int
    seconds: float
    unknown_length: int
    uncertain: int
    mean_confidence: float
    genres: tuple[GenreCount, ...]
    confidence: tuple[ConfidenceBin, ...]
    to_review: tuple[Listed, ...]
    failures: tuple[Failures, ...]
    missing: int
    other_model: int
    map: SongMap
    doubtful: tuple[Doubtful, ...] = ()

    @property
    def failed(self) -> int:
        """How many files cannot be judged."""
        return sum(failures.count for failures in self.failures)


def summarise(
    catalogue: Catalogue, *, model: bytes, folder: str | os.PathLike[str] | None = None
) -> Report:
    """Gather what there is to say of a catalogue.

    Parameters
    ----------
    catalogue : Catalogue
    model : bytes
        `topgenre.library.catalogue.model_hash` of the model whose songs are meant. Songs of other
        models are counted, and left out.
    folder : path-like, optional
        Only songs in this folder, or in a folder in it.

    Returns
    -------
    Report

    Raises
    ------
    CatalogueError
        If the catalogue cannot be read, or holds nothing to report on.
    """
    inside = None if folder is None else os.path.abspath(folder)  # noqa: PTH100 - follows no links
    tally = _Tally(catalogue.genres(model))
    for totals in catalogue.totals(model, folder=inside):
        try:
            tally.add(totals)
        except (ValueError, TypeError) as error:
            raise catalogue.damaged() from error
    if not tally.songs and not tally.failed:
        other = f", but {tally.other_model} that another model judged" if tally.other_model else ""
        raise CatalogueError(
            f"{inside or catalogue.path}: the catalogue holds no song here{other}; "
            "scan this music first, with the same model"
        )
    listed: dict[str, list[tuple[str, str]]] = {code: [] for code in tally.failed}
    for song in catalogue.failures(folder=inside) if tally.failed else ():
        rows = listed.setdefault(song.error_code or "", [])
        if len(rows) < MOST_FAILURES:
            rows.append((song.path, song.error or ""))
    width = 1 / CONFIDENCE_BINS
    return Report(
        place=inside or _common_folder(catalogue.ends(model)),
        model=_name_of_model(catalogue, model, inside),
        songs=tally.songs,
        seconds=tally.seconds,
        unknown_length=tally.unknown_length,
        uncertain=tally.uncertain.total(),
        mean_confidence=tally.confidence / tally.songs if tally.songs else 0.0,
        genres=tuple(
            GenreCount(genre, tally.genres[genre], tally.uncertain[genre])
            for genre in sorted(tally.genres, key=lambda genre: (-tally.genres[genre], genre))
        ),
        confidence=tuple(
            ConfidenceBin(place * width, (place + 1) * width, sum(counts), counts[1])
            for place, counts in enumerate(tally.bins)
        ),
        to_review=tuple(catalogue.least_sure(model, MOST_REVIEWED, folder=inside)),
        failures=tuple(
            Failures(code, count, tuple(listed[code])) for code, count in tally.failed.most_common()
        ),
        missing=tally.missing,
        other_model=tally.other_model,
        map=_song_map(catalogue, model, inside),
    )


def _name_of_model(catalogue: Catalogue, model: bytes, folder: str | None) -> str:
    return next((name for (name,) in catalogue.sample(("model",), model, 1, folder=folder)), "")


class _Tally:
    """What has been added up so far."""

    def __init__(self, genres: Iterable[str]) -> None:
        self.songs = self.missing = self.other_model = self.unknown_length = 0
        self.seconds = self.confidence = 0.0
        self.failed: Counter[str] = Counter()
        self.genres: Counter[str] = Counter(dict.fromkeys(genres, 0))
        self.uncertain: Counter[str] = Counter()
        self.bins = [[0, 0] for _ in range(CONFIDENCE_BINS)]

    def add(self, totals: Totals) -> None:
        """Take some songs into account; raises ValueError or TypeError for impossible values."""
        if totals.missing:
            self.missing += totals.songs
        elif totals.error_code is not None:
            self.failed[totals.error_code] += totals.songs
        elif totals.other_model:
            self.other_model += totals.songs
        else:
            if totals.genre is None or totals.tenth is None or totals.uncertain not in (0, 1):
                raise ValueError("a value is missing")
            if totals.tenth < 0 or not isfinite(totals.seconds + totals.probability):
                raise ValueError("a number is impossible")
            self.songs += totals.songs
            self.unknown_length += totals.songs - totals.known_lengths
            self.seconds += totals.seconds
            self.confidence += totals.probability
            self.genres[totals.genre] += totals.songs
            self.uncertain[totals.genre] += totals.songs * totals.uncertain
            self.bins[totals.tenth][totals.uncertain] += totals.songs


def _song_map(catalogue: Catalogue, model: bytes, folder: str | None) -> SongMap:
    """Put a sample of the songs on its first two principal axes."""
    rows = list(catalogue.sample((*LISTED, "embedding"), model, MOST_POINTS, folder=folder))
    if not rows:
        return SongMap((), np.empty((0, 2)), None)
    rows.sort()
    songs = tuple(Listed.of(values[:-1]) for values in rows)
    vectors = unit(np.stack([values[-1] for values in rows])).astype(np.float64)
    vectors -= vectors.mean(axis=0)
    axes, kept = _principal_axes(vectors)
    places = vectors @ axes
    places -= places.min(axis=0)
    places /= places.max() or 1.0
    return SongMap(songs, places, kept)


def _principal_axes(
    vectors: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float | None]:
    """Return the first two axes as columns, and the share of variance they keep."""
    variances, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    variances, axes = variances[::-1].clip(0), axes[:, ::-1][:, :2]
    # An axis has no direction of its own; this one is the same on every machine.
    axes = axes * np.where((axes**3).sum(axis=0) < 0, -1.0, 1.0)
    variance = float(variances.sum())
    # What rounding leaves of songs that are all the same is no variance.
    kept = float(variances[:2].sum()) / variance if variance > 1e-6 else None
    return axes, kept


def _common_folder(ends: list[str]) -> str:
    """Return the folder of all paths between the first and the last one in their order."""
    if not ends:
        return ""
    try:
        return os.path.commonpath([os.path.dirname(path) for path in ends])  # noqa: PTH120 - quick
    except ValueError:  # drives that have nothing in common
        return ""
