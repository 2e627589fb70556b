"""Turn a mixture of genres into a list: how many of each, which, in which order."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from typing import TypeVar

from topgenre.errors import RecommendationError
from topgenre.recommend.items import Item
from topgenre.result import GenreProbability

T = TypeVar("T")


def quotas(weights: Sequence[GenreProbability], limit: int) -> dict[str, int]:
    """Divide `limit` places in proportion, by largest remainders (Hamilton).

    Parameters
    ----------
    weights : sequence of GenreProbability
        Each genre once, with a positive weight.
    limit : int

    Returns
    -------
    dict of str to int
        Places of each genre that has some, in the order of `weights`. They sum to `limit`, and
        each is the exact share rounded up or down. Of equal remainders the earlier one wins.
    """
    # Fractions: rounding errors must not change the number of places.
    exact = {genre: Fraction(weight) for genre, weight in weights}
    total = sum(exact.values())
    shares = {genre: limit * weight / total for genre, weight in exact.items()}
    places = {genre: math.floor(share) for genre, share in shares.items()}
    by_remainder = sorted(places, key=lambda genre: places[genre] - shares[genre])
    for genre in by_remainder[: limit - sum(places.values())]:
        places[genre] += 1
    return {genre: n for genre, n in places.items() if n}


def interleave(lists: Iterable[Sequence[T]]) -> list[T]:
    """Interleave lists evenly, so that every prefix has about the same mixture."""
    placed = (
        ((position + 0.5) / len(items), number, item)
        for number, items in enumerate(lists)
        for position, item in enumerate(items)
    )
    return [item for _, _, item in sorted(placed, key=lambda entry: entry[:2])]


class Picker:
    """Picks each item once, and one track of each artist.

    Attributes
    ----------
    failure : RecommendationError or None
        What ended the supply; after that, nothing more is asked for.
    """

    def __init__(self) -> None:
        self.failure: RecommendationError | None = None
        self._taken: set[str] = set()

    def pick(self, pages: Iterable[Iterable[Item]], count: int) -> list[Item]:
        """Pick `count` new items, reading no more pages than that takes."""
        picked: list[Item] = []
        if self.failure or count < 1:
            return picked
        try:
            for item in chain.from_iterable(pages):
                marks = {item.url, *(f"artist {name.casefold()}" for name in item.artists)}
                if self._taken.isdisjoint(marks):
                    self._taken |= marks
                    picked.append(item)
                    if len(picked) == count:
                        break
        except RecommendationError as error:
            self.failure = error  # what came before it is kept
        return picked

    def reasons(self, items: Sequence[Item]) -> list[str]:
        """Return a notice about the failure, if there was one.

        Raises
        ------
        RecommendationError
            The failure, if it left no items at all.
        """
        if self.failure and not items:
            raise self.failure
        return [f"The list is incomplete: {self.failure}"] if self.failure else []


def spoken(genre: str) -> str:
    """Return a genre as people type it into a search box, without quotation marks."""
    return {"hiphop": "hip hop"}.get(genre, " ".join(genre.replace('"', " ").split()))


def same_name(name: str) -> str:
    """Return what different spellings of a genre, an artist or a title have in common."""
    return re.sub(r"[\W_]+", "", name.casefold()) or name.casefold()


def shortage(service: str, found: int, wanted: int, what: str) -> str:
    """Return a notice that a service found too little."""
    return f"{service} found {f'only {found} of {wanted}' if found else 'nothing'} for {what}"


def by_word(genre: str) -> str:
    """Return a notice that the genre's name was searched for as a word."""
    return f'Some tracks were found by the word "{spoken(genre)}" and may not fit'
