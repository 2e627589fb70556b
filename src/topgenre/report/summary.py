"""What there is to say of a whole catalogue: numbers, lists of what wants a look, and a map.

The catalogue is gone through once, song by song. What is kept of it has an upper bound, so that the
report of a huge library takes no more memory, and no larger a page, than that of a large one.
"""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.errors import CatalogueError
from topgenre.library.catalogue import Catalogue
from topgenre.library.similarity import unit
from topgenre.library.song import LISTED, Array, Listed

MOST_POINTS = 4000  # on the map: more would hide one another
MOST_REVIEWED = 1000
MOST_FAILURES = 200  # listed for each reason
CONFIDENCE_BINS = 10

# Fields of a song beside those of `LISTED`.
_BESIDE = ("missing", "error_code", "error", "model_hash", "model", "embedding")
_ROWS_AT_ONCE = 1000


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
    tally = _Tally(model, catalogue.genres(model))
    for values in catalogue.rows((*LISTED, *_BESIDE), folder=inside):
        try:
            tally.add(Listed.of(values[: len(LISTED)]), *values[len(LISTED) :])
        except (ValueError, TypeError, LookupError) as error:
            raise catalogue.damaged() from error
    if not tally.songs and not tally.failed:
        other = f", but {tally.other_model} that another model judged" if tally.other_model else ""
        raise CatalogueError(
            f"{inside or catalogue.path}: the catalogue holds no song here{other}; "
            "scan this music first, with the same model"
        )
    return tally.report(inside)


class _Tally:
    """What has been gathered so far."""

    def __init__(self, model: bytes, genres: Iterable[str]) -> None:
        self.songs = self.failed = self.other_model = 0
        self._model = model
        self._name = ""
        self._missing = self._unknown_length = 0
        self._seconds = self._confidence = 0.0
        self._genres: Counter[str] = Counter(dict.fromkeys(genres, 0))
        self._uncertain: Counter[str] = Counter()
        self._bins = np.zeros((CONFIDENCE_BINS, 2), int)
        self._to_review: list[tuple[float, int, Listed]] = []
        self._failures: dict[str, list[tuple[str, str]]] = {}
        self._failed: Counter[str] = Counter()
        self._points: list[tuple[int, int, Listed, Array]] = []
        self._moments = _Moments()
        self._ends: list[str] = []  # the first path and the last one

    def add(
        self,
        song: Listed,
        missing: bool,
        error_code: str | None,
        error: str | None,
        model_hash: bytes,
        model: str,
        embedding: Array,
    ) -> None:
        """Take a song into account."""
        if missing:
            self._missing += 1
            return
        if error_code is not None:
            self.failed += 1
            self._failed[error_code] += 1
            listed = self._failures.setdefault(error_code, [])
            if len(listed) < MOST_FAILURES:
                listed.append((song.path, error or ""))
        elif model_hash != self._model:
            self.other_model += 1
            return
        else:
            self._name = model
            self._add_classified(song, embedding)
        self._ends[1:] = [song.path]

    def _add_classified(self, song: Listed, embedding: Array) -> None:
        genre, confidence = song.genres[0]
        self.songs += 1
        if song.duration is None:
            self._unknown_length += 1
        else:
            self._seconds += song.duration
        self._confidence += confidence
        self._genres[genre] += 1
        self._uncertain[genre] += song.uncertain
        place = min(int(confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)
        self._bins[place, int(song.uncertain)] += 1
        if self._points and len(embedding) != len(self._points[0][-1]):
            raise ValueError("embeddings of one model differ in length")
        self._moments.add(embedding)
        # The numbers of songs keep equal keys apart, so that nothing else is ever compared.
        if song.uncertain:
            _keep(self._to_review, (-confidence, -self.songs, song), MOST_REVIEWED)
        # A digest is as good as a random number, and the same tomorrow.
        key = int.from_bytes(song.hash)
        _keep(self._points, (-key, -self.songs, song, embedding), MOST_POINTS)

    def report(self, folder: str | None) -> Report:
        """Return what has been gathered."""
        ranked = sorted(self._genres, key=lambda genre: (-self._genres[genre], genre))
        width = 1 / CONFIDENCE_BINS
        return Report(
            place=folder or _common_folder(self._ends),
            model=self._name,
            songs=self.songs,
            seconds=self._seconds,
            unknown_length=self._unknown_length,
            uncertain=self._uncertain.total(),
            mean_confidence=self._confidence / self.songs if self.songs else 0.0,
            genres=tuple(
                GenreCount(genre, self._genres[genre], self._uncertain[genre]) for genre in ranked
            ),
            confidence=tuple(
                ConfidenceBin(place * width, (place + 1) * width, int(sum(counts)), int(counts[1]))
                for place, counts in enumerate(self._bins)
            ),
            to_review=tuple(listed for *_, listed in sorted(self._to_review, reverse=True)),
            failures=tuple(
                Failures(code, count, tuple(self._failures[code]))
                for code, count in self._failed.most_common()
            ),
            missing=self._missing,
            other_model=self.other_model,
            map=self._map(),
        )

    def _map(self) -> SongMap:
        self._points.sort(key=lambda point: point[:2])
        axes, mean, kept = self._moments.principal_axes()
        points = np.empty((0, 2))
        if self._points:
            vectors = unit(np.array([vector for *_, vector in self._points]))
            points = (vectors.astype(np.float64) - mean) @ axes
            points -= points.min(axis=0)
            points /= points.max() or 1.0
        return SongMap(tuple(listed for *_, listed, _ in self._points), points, kept)


def _keep(heap: list[Any], entry: tuple[Any, ...], most: int) -> None:
    """Keep the largest entries."""
    if len(heap) < most:
        heapq.heappush(heap, entry)
    else:
        heapq.heappushpop(heap, entry)


class _Moments:
    """Sums from which the principal axes of vectors follow, whatever the number of vectors."""

    def __init__(self) -> None:
        self._block: list[Array] = []
        self._count = 0
        self._sum = np.zeros(1)
        self._products = np.zeros((1, 1))

    def add(self, vector: Array) -> None:
        """Take a vector into account."""
        self._block.append(vector)
        if len(self._block) == _ROWS_AT_ONCE:
            self._take_in()

    def _take_in(self) -> None:
        if not self._block:
            return
        block = unit(np.array(self._block)).astype(np.float64)
        self._block.clear()
        self._count += len(block)
        self._sum = self._sum + block.sum(axis=0)
        self._products = self._products + block.T @ block

    def principal_axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64], float | None]:
        """Return the first two axes as columns, the mean, and the share of variance they keep."""
        self._take_in()
        count = max(self._count, 1)
        mean = self._sum / count
        variances, axes = np.linalg.eigh(self._products / count - np.outer(mean, mean))
        variances, axes = variances[::-1].clip(0), axes[:, ::-1][:, :2]
        # An axis has no direction of its own; this one is the same on every machine.
        axes = axes * np.where((axes**3).sum(axis=0) < 0, -1.0, 1.0)
        total = float(variances.sum())
        # What rounding leaves of songs that are all the same is no variance.
        kept = float(variances[:2].sum()) / total if total > 1e-9 else None
        return axes, mean, kept


def _common_folder(ends: list[str]) -> str:
    """Return the folder of all paths between the first and the last one in their order."""
    if not ends:
        return ""
    try:
        return os.path.commonpath([os.path.dirname(path) for path in ends])  # noqa: PTH120 - quick
    except ValueError:  # drives that have nothing in common
        return ""
