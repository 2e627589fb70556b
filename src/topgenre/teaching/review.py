"""Find songs whose sound contradicts their genre tag."""

from __future__ import annotations

from typing import Any, NamedTuple

from topgenre.errors import TeachingError
from topgenre.library.catalogue import Catalogue
from topgenre.teaching.examples import Examples, gather
from topgenre.teaching.measure import Measured, cross_validate
from topgenre.teaching.sources import from_catalogue
from topgenre.teaching.teach import Taught

_MOST_IN_REPORT = 4_000  # songs, so that a report takes seconds
_PENALTIES = (0.3,)
_SURE = 0.6  # least probability of the other genre for a tag to be in doubt
_UNLIKELY = 0.1  # most probability of the tagged genres for that


class DoubtfulTag(NamedTuple):
    """A song that sounds like another genre than its tag says.

    Attributes
    ----------
    path : str
    tagged : tuple of str
    suggested : str
    probability : float
        Probability of the suggested genre, by a classifier that has not learnt from the artist.
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
    """Find songs whose sound contradicts their tag, the surest first.

    Parameters
    ----------
    taught : Taught

    Returns
    -------
    list of DoubtfulTag
        Empty if nothing could be measured.
    """
    return _doubts(taught.examples, taught.measured)


def doubtful_in(
    catalogue: Catalogue, model: bytes, *, folder: str | None = None, most: int = 200
) -> tuple[DoubtfulTag, ...]:
    """Find the doubtful tags of a catalogue, except of corrected songs.

    Of more than 4,000 tagged songs, 4,000 are drawn at random, always the same ones;
    `doubtful_tags` checks all.

    Parameters
    ----------
    catalogue : Catalogue
    model : bytes
        `topgenre.library.catalogue.model_hash`.
    folder : str, optional
        Only songs below this folder.
    most : int

    Returns
    -------
    tuple of DoubtfulTag
        Empty unless two genres have three songs each.
    """
    songs = list(from_catalogue(catalogue, model, folder=folder, most=_MOST_IN_REPORT))
    settled = {song.path for song in songs if song.corrected}
    try:
        examples = gather(songs)
    except TeachingError:
        return ()
    doubts = _doubts(examples, cross_validate(examples, _PENALTIES))
    return tuple(doubt for doubt in doubts if doubt.path not in settled)[:most]


def _doubts(examples: Examples, measured: Measured | None) -> list[DoubtfulTag]:
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
