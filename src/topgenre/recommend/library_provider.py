"""Recommend the user's own songs from a catalogue."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from topgenre.errors import RecommendationError, TopgenreError
from topgenre.recommend.items import LIBRARY, Item, ProviderInfo, Section, Wish
from topgenre.recommend.mixture import Picker, interleave, quotas

if TYPE_CHECKING:
    from topgenre.library.catalogue import Catalogue
    from topgenre.library.similarity import Neighbour
    from topgenre.library.song import Listed


class Library:
    """Songs that sound like a song or, without one, the surest ones of each genre.

    Parameters
    ----------
    catalog : path-like, optional
        By default the user's catalogue.
    model : path-like, optional
        Model whose results are used; by default the bundled model.
    """

    info: ProviderInfo = LIBRARY

    def __init__(
        self,
        catalog: str | os.PathLike[str] | None = None,
        model: str | os.PathLike[str] | None = None,
    ) -> None:
        self._catalog, self._model = catalog, model

    def find(self, wish: Wish) -> Section:
        """Find at most one song per artist."""
        from topgenre.library.catalogue import Catalogue

        try:
            with Catalogue(self._catalog, read_only=True) as catalogue:
                found = self._like if wish.source else self._of_genres
                items = found(catalogue, wish)
                if not items:
                    raise RecommendationError(f"{catalogue.path}: no song matches; scan more music")
        except RecommendationError:
            raise
        except TopgenreError as error:
            raise RecommendationError(str(error)) from error
        return Section.of(self.info, items)

    def _like(self, catalogue: Catalogue, wish: Wish) -> list[Item]:
        from topgenre.library.similarity import similar_songs

        assert wish.source is not None
        found = similar_songs(catalogue, wish.source, model=self._model, limit=wish.limit)
        return [
            _item(
                like.path,
                *like.analysis.tags[:2],
                like.analysis.result.genres[0].genre,
                _reason(like),
            )
            for like in found.neighbours
        ]

    def _of_genres(self, catalogue: Catalogue, wish: Wish) -> list[Item]:
        from topgenre.library.catalogue import model_hash

        fingerprint = model_hash(self._model)
        picker = Picker()
        return interleave(
            [
                picker.pick([_items(catalogue.surest(genre, fingerprint))], count)
                for genre, count in quotas(wish.weights, wish.limit).items()
            ]
        )


def _items(songs: Iterator[Listed]) -> Iterator[Item]:
    for song in songs:
        genre = song.genres[0].genre
        yield _item(song.path, song.artist, song.title, genre, f"surely {genre}")


def _item(path: str, artist: str | None, title: str | None, genre: str, query: str) -> Item:
    return Item(
        kind="track",
        name=title or Path(path).stem,
        artists=(artist,) if artist else (),
        url=Path(path).as_uri(),
        artwork_url=None,
        genre=genre,
        query=query,
    )


def _reason(like: Neighbour) -> str:
    shared = f", both {', '.join(like.shared_genres)}" if like.shared_genres else ""
    return f"similarity {like.similarity:.3f}{shared}"
