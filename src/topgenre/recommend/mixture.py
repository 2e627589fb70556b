"""A mixture of genres as a list: how many of each, which ones, in which order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from typing import TypeVar

from topgenre.errors import RecommendationError
from topgenre.recommend.items import Item
from topgenre.result import GenreProbability

T = TypeVar("T")


def quotas(weights: Sequence[GenreProbability], limit: int) -> dict[str, int]:
    """Share `limit` places out in proportion, by largest remainders (Hamilton's method).

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
    # Fractions, as 0.1 + 0.2 must not cost anybody a place.
    exact = {genre: Fraction(weight) for genre, weight in weights}
    total = sum(exact.values())
    shares = {genre: limit * weight / total for genre, weight in exact.items()}
    places = {genre: math.floor(share) for genre, share in shares.items()}
    by_remainder = sorted(places, key=lambda genre: places[genre] - shares[genre])
    for genre in by_remainder[: limit - sum(places.values())]:
        places[genre] += 1
    return {genre: n for genre, n in places.items() if n}


def interleave(lists: Iterable[Sequence[T]]) -> list[T]:
    """Mix lists evenly: every beginning of the whole has about the mixture of the whole."""
    placed = (
        ((position + 0.5) / len(items), number, item)
        for number, items in enumerate(lists)
        for position, item in enumerate(items)
    )
    return [item for _, _, item in sorted(placed, key=lambda entry: entry[:2])]


class Picker:
    """Takes every item once, and of each artist one track, for as long as there are any.

    Attributes
    ----------
    failure : RecommendationError or None
        Why there are no more; from then on nothing is asked for any more.
    """

    def __init__(self) -> None:
        self.failure: RecommendationError | None = None
        self._taken: set[str] = set()

    def pick(self, pages: Iterable[Iterable[Item]], count: int) -> list[Item]:
        """Take `count` items that are new, and read no more pages than needed for that."""
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
            # What came before it is as good as ever.
            self.failure = error
        return picked

    def reasons(self, items: Sequence[Item]) -> list[str]:
        """Return what to say of the failure, if there was one.

        Raises
        ------
        RecommendationError
            The failure, if it left no items at all.
        """
        if self.failure and not items:
            raise self.failure
        return [f"this list is not complete: {self.failure}"] if self.failure else []


def spoken(genre: str) -> str:
    """Return a genre as people type it into a search box, and safe inside quotes."""
    return {"hiphop": "hip hop"}.get(genre, " ".join(genre.replace('"', " ").split()))
