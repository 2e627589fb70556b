"""Define the result of a classification: ranking, confidence, JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, NamedTuple

from topgenre.errors import TopgenreError
from topgenre.text import printable

Tier = Literal["sure", "probable", "close", "unsure"]

_SPELLINGS = {"hiphop": "hip-hop", "rnb": "R&B", "r&b": "R&B"}
_NUMBERS = {10: "ten"}
_SHORTEST_SECTION = 20.0  # s; shorter stretches of another genre are breaks and endings


class Borders(NamedTuple):
    """Borders between the tiers of confidence, from a model's calibration.

    Attributes
    ----------
    sure_above : float
        From this probability on, the verdict is the top genre alone.
    probable_above : float
        Below this probability, the verdict may include the second genre.
    close_within : float
        Least ratio of the second probability to the first for the second genre to be included.
    """

    sure_above: float = 0.8
    probable_above: float = 0.6
    close_within: float = 0.5

    def tier(self, genres: Sequence[GenreProbability], uncertain: bool) -> Tier:
        """Return the tier of a ranking."""
        if uncertain:
            return "unsure"
        first, *others = (probability for _, probability in genres)
        if first >= self.sure_above:
            return "sure"
        if first < self.probable_above and others and others[0] >= self.close_within * first:
            return "close"
        return "probable"


class GenreProbability(NamedTuple):
    """One genre and its calibrated probability."""

    genre: str
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {"genre": self.genre, "probability": round(self.probability, 6)}


class Tag(NamedTuple):
    """A style, an instrument or a mood that the model hears beside the genres.

    Attributes
    ----------
    name : str
    probability : float
    outside : bool
        Whether it is a style outside the model's genres.
    """

    name: str
    probability: float
    outside: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "name": self.name,
            "probability": round(self.probability, 6),
            "outside": self.outside,
        }


class Section(NamedTuple):
    """A section of a track that changes its genre; times in seconds."""

    start: float
    end: float
    genre: str

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {"start": round(self.start, 3), "end": round(self.end, 3), "genre": self.genre}


class Window(NamedTuple):
    """The genres of one window of a whole track.

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
        Whether the model is not sure; treat the ranking as a hint.
    start, end : float
        The analysed segment in seconds from the beginning of the source.
    model : str
        Name and version of the model that answered.
    notices : tuple of str
        Remarks on how the answer was reached, such as damage that was skipped.
    duration : float, optional
        Seconds of the whole source, if known.
    timeline : tuple of Window
        The genres over time of a whole track; `genres` is their mean.
    tier : {"sure", "probable", "close", "unsure"}
        Confidence of the verdict.
    tags : tuple of Tag
        Styles, instruments and moods, most probable first.
    sections : tuple of Section
        The sections of a whole track that changes its genre, in order.
    music : float
        Probability that the sound is music.
    base_genres : tuple of GenreProbability
        The ranking of the model's own genres if `genres` ranks taught ones; otherwise empty.

    Examples
    --------
    >>> ranking = rank({"jazz": 0.7, "blues": 0.2, "rock": 0.1})
    >>> Result("song.mp3", ranking, False, 0.0, 10.0, "topgenre").verdict
    'Probably jazz'
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
    tier: Tier | None = None
    tags: tuple[Tag, ...] = ()
    sections: tuple[Section, ...] = ()
    music: float = 1.0
    base_genres: tuple[GenreProbability, ...] = ()

    def __post_init__(self) -> None:
        if self.tier is None:
            object.__setattr__(self, "tier", Borders().tier(self.genres, self.uncertain))

    @property
    def verdict(self) -> str:
        """The answer in one phrase, worded according to `tier`."""
        first, *others = (spoken(genre) for genre, _ in self.genres)
        if self.sections:
            return f"Changes: {' → '.join(spoken(section.genre) for section in self.sections)}"
        if self.music < 0.5:
            return "Does not sound like music"
        outside = [tag.name for tag in self.tags if tag.outside]
        if self.uncertain and outside:
            n_genres = _NUMBERS.get(len(self.genres), str(len(self.genres)))
            return f"None of the {n_genres}; sounds like {spoken(outside[0])}"
        if self.tier == "unsure":
            closest = f"are {first} and {others[0]}" if others else f"is {first}"
            return f"Not sure: closest {closest}"
        if self.tier == "close":
            return _capitalised(f"{first} or {others[0]}")
        return _capitalised(first) if self.tier == "sure" else f"Probably {first}"

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
            "verdict": self.verdict,
            "tier": self.tier,
            "uncertain": self.uncertain,
            "music": round(self.music, 6),
            "tags": [tag.to_dict() for tag in self.tags],
            "segment": {"start": round(self.start, 3), "end": round(self.end, 3)},
            "duration": None if self.duration is None else round(self.duration, 3),
            "model": self.model,
            "notices": list(self.notices),
        }
        if self.base_genres:
            record["base_genres"] = [genre.to_dict() for genre in self.base_genres]
        if self.timeline:
            record["timeline"] = [window.to_dict() for window in self.timeline]
            record["sections"] = [section.to_dict() for section in self.sections]
        return record


@dataclass(frozen=True, slots=True)
class Failure:
    """A file without a result, and the reason.

    Attributes
    ----------
    path : str
        The source as the caller named it, or its path.
    error : TopgenreError
        The reason; its message names the source.
    details : str
        The traceback of a fault inside topgenre, otherwise empty.
    """

    path: str
    error: TopgenreError
    details: str = ""

    @classmethod
    def of(cls, path: str, error: TopgenreError, details: str = "") -> Failure:
        """Return a failure whose error is small and has a one-line message."""
        # A new error has no traceback, which would keep the sound of every failed file in memory.
        return cls(path, type(error)(printable(str(error))), details)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "path": self.path,
            "error": {"type": self.error.code, "message": str(self.error)},
        }


def rank(probabilities: Mapping[str, float]) -> tuple[GenreProbability, ...]:
    """Rank genres by probability, equal ones in alphabetical order."""
    return tuple(
        GenreProbability(genre, float(probability))
        for genre, probability in sorted(
            probabilities.items(), key=lambda item: (-item[1], item[0])
        )
    )


def spoken(genre: str) -> str:
    """Return a genre's name for use within a sentence.

    Examples
    --------
    >>> spoken("hiphop")
    'hip-hop'
    """
    return _SPELLINGS.get(genre.lower(), genre)


def display_name(genre: str) -> str:
    """Return a genre's name for use alone, as in a heading.

    Examples
    --------
    >>> display_name("hiphop")
    'Hip-hop'
    """
    return _capitalised(spoken(genre))


def find_sections(timeline: Sequence[Window], sure_above: float) -> tuple[Section, ...]:
    """Find the sections of a track that changes its genre.

    Windows whose top genre is less probable than `sure_above`, and sections shorter than 20 s, are
    left out.

    Parameters
    ----------
    timeline : sequence of Window
    sure_above : float

    Returns
    -------
    tuple of Section
        Adjacent sections differ in genre. Empty if fewer than two are left.
    """
    sure = [window for window in timeline if window.genres[0].probability >= sure_above]
    runs = [list(run) for _, run in groupby(sure, key=lambda window: window.genres[0].genre)]
    long = [run for run in runs if run[-1].end - run[0].start >= _SHORTEST_SECTION]
    sections: list[Section] = []
    for run in long:
        genre = run[0].genres[0].genre
        if sections and sections[-1].genre == genre:
            sections[-1] = sections[-1]._replace(end=run[-1].end)
        else:
            sections.append(Section(run[0].start, run[-1].end, genre))
    return tuple(sections) if len(sections) > 1 else ()


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
