"""What a classification answers, and how it is written as JSON and CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from topgenre.errors import TopgenreError
from topgenre.text import printable


class GenreProbability(NamedTuple):
    """One genre and its calibrated probability."""

    genre: str
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {"genre": self.genre, "probability": round(self.probability, 6)}


class Window(NamedTuple):
    """What one stretch of a whole track was taken for.

    Attributes
    ----------
    start, end : float
        Seconds from the beginning of the source.
    genres : tuple of GenreProbability
        Every genre, most probable first.
    """

    start: float
    end: float
    genres: tuple[GenreProbability, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "probabilities": {genre: round(share, 6) for genre, share in self.genres},
        }


@dataclass(frozen=True, slots=True)
class Result:
    """Genres of one piece of music.

    Attributes
    ----------
    path : str
        The source as the caller named it.
    genres : tuple of GenreProbability
        Every genre, most probable first. The probabilities sum to 1.
    uncertain : bool
        Whether the evidence is too thin to name a genre; the ranking is then only a hint.
    start, end : float
        The analysed segment in seconds from the beginning of the source.
    model : str
        Name and version of the model that answered.
    notices : tuple of str
        What the user should know about how the answer came about.
    duration : float, optional
        Seconds of the whole source, where it is known.
    timeline : tuple of Window
        The genres over time, where the whole track was asked for; `genres` is their mean.
    """

    path: str
    genres: tuple[GenreProbability, ...]
    uncertain: bool
    start: float
    end: float
    model: str
    notices: tuple[str, ...] = ()
    duration: float | None = None
    timeline: tuple[Window, ...] = ()

    def top(self, n: int = 3) -> tuple[GenreProbability, ...]:
        """Return the `n` most probable genres, best first.

        Raises
        ------
        ValueError
            If `n` is below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, not {n}")
        return self.genres[:n]

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """Return the documented JSON object, with all genres or the `top` best."""
        genres = self.genres if top is None else self.top(top)
        record = {
            "path": self.path,
            "genres": [genre.to_dict() for genre in genres],
            "uncertain": self.uncertain,
            "segment": {"start": round(self.start, 3), "end": round(self.end, 3)},
            "duration": None if self.duration is None else round(self.duration, 3),
            "model": self.model,
            "notices": list(self.notices),
        }
        if self.timeline:
            record["timeline"] = [window.to_dict() for window in self.timeline]
        return record


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that has no result, and why.

    Attributes
    ----------
    path : str
        The source as the caller named it, or where it was found.
    error : TopgenreError
        Why; its message names the source.
    details : str
        The traceback of a fault inside topgenre, otherwise empty.
    """

    path: str
    error: TopgenreError
    details: str = ""

    @classmethod
    def of(cls, path: str, error: TopgenreError, details: str = "") -> Failure:
        """Return a failure whose error takes little room, and one line."""
        # A new error has no traceback, which would keep the sound of every failed file in memory;
        # and its message is one line, whatever characters the file's name is made of.
        return cls(path, type(error)(printable(str(error))), details)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "path": self.path,
            "error": {"type": self.error.code, "message": str(self.error)},
        }


def rank(probabilities: Mapping[str, float]) -> tuple[GenreProbability, ...]:
    """Rank genres by probability; equal ones stay in alphabetical order."""
    return tuple(
        GenreProbability(genre, float(probability))
        for genre, probability in sorted(
            probabilities.items(), key=lambda item: (-item[1], item[0])
        )
    )
