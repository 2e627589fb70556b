"""Open a scanned catalogue with taught genres, without scanning again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from topgenre.head import GenreHead
from topgenre.library.catalogue import Catalogue, model_hash


def open_catalogue(
    path: str | os.PathLike[str] | None = None,
    genres: str | os.PathLike[str] | GenreHead | None = None,
    model: str | os.PathLike[str] | None = None,
) -> Catalogue:
    """Open a catalogue for reading, with taught genres instead of the model's own.

    Results are computed from the stored embeddings; 100,000 songs take seconds.

    Parameters
    ----------
    path : path-like, optional
        By default the user's catalogue.
    genres : path-like or GenreHead, optional
        Taught genres; without them, the catalogue is opened unchanged.
    model : path-like, optional
        By default the bundled model.

    Raises
    ------
    CatalogueError
        If the catalogue cannot be read.
    TeachingError
        If the taught genres cannot be read, or belong to another model.
    """
    catalogue = Catalogue(path, read_only=True)
    if genres is None:
        return catalogue
    try:
        head = genres if isinstance(genres, GenreHead) else GenreHead.load(genres)
        network = model_hash(model)
        label = genres.name if isinstance(genres, GenreHead) else os.fspath(genres)
        head.check_network(network.hex(), label)
        catalogue.overlay(_COLUMNS, _rows(catalogue, head, network))
    except BaseException:
        catalogue.close()
        raise
    return catalogue


_COLUMNS = (
    *("genre_1", "probability_1", "genre_2", "probability_2", "genre_3", "probability_3"),
    *("verdict", "tier", "uncertain", "probabilities"),
)


def _rows(catalogue: Catalogue, head: GenreHead, network: bytes) -> Iterator[list[Any]]:
    for block in list(catalogue.embeddings(network)):
        for number, row in zip(block.ids, head.probabilities(block.vectors), strict=True):
            result = head.result(row)
            columns: list[Any] = [part for genre in result.genres[:3] for part in genre]
            columns += [None] * (6 - len(columns))
            shares = {genre: round(share, 6) for genre, share in result.genres}
            yield [
                *(int(number), *columns),
                *(result.verdict, result.tier, int(result.uncertain), json.dumps(shares)),
            ]
