"""Find songs whose genre tag the sound contradicts."""

from __future__ import annotations

from typing import Any, NamedTuple

from topgenre.teaching.teach import Taught

_SURE = 0.6  # probability of the other genre from which a tag is in doubt
_UNLIKELY = 0.1  # probability of the tag's own genres up to which it is


class DoubtfulTag(NamedTuple):
    """A song that sounds like another genre than its tag says.

    Attributes
    ----------
    path : str
    tagged : tuple of str
    suggested : str
    probability : float
        Of the suggested genre, by a classifier that has learnt nothing of the song's artist.
    """

    path: str
    tagged: tuple[str, ...]
    suggested: str
    probability: float

    @property
    def share(self) -> str:
        """The probability in percent."""
        return f"{self.probability:.0%}"

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return self._asdict() | {
            "tagged": list(self.tagged),
            "probability": round(self.probability, 6),
        }


def doubtful_tags(taught: Taught) -> list[DoubtfulTag]:
    """Find songs whose tag the sound contradicts, the surest first.

    Parameters
    ----------
    taught : Taught

    Returns
    -------
    list of DoubtfulTag
        Empty if nothing could be measured.
    """
    examples, measured = taught.examples, taught.measured
    if measured is None:
        return []
    own = examples.targets > 0
    of_tag = (measured.probabilities * own).sum(axis=1)
    best = measured.probabilities.argmax(axis=1)
    doubts = [
        DoubtfulTag(
            path=path,
            tagged=tuple(examples.genres[n] for n in own[row].nonzero()[0]),
            suggested=examples.genres[best[row]],
            probability=float(measured.probabilities[row, best[row]]),
        )
        for row, path in enumerate(examples.paths)
        if measured.probabilities[row, best[row]] >= _SURE and of_tag[row] <= _UNLIKELY
    ]
    return sorted(doubts, key=lambda doubt: (-doubt.probability, doubt.path))
