"""Format the words, numbers and genre names that all charts share."""

from __future__ import annotations

from collections.abc import Sequence

from topgenre.result import Result, Section, spoken
from topgenre.text import clock

HINT = "Treat the ranking as a hint."
TONES = 10  # colours for genres, in the order in which a model lists them


def percent(probability: float) -> str:
    """Return a probability in percent with one decimal, never rounded to 0 or 100."""
    if 0 < probability < 0.0005:
        return "<0.1%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    return f"{probability:.1%}"


def span(start: float, end: float) -> str:
    """Return a time span; one under 10 s has decimals, as in notices.

    Examples
    --------
    >>> span(95.2, 105.2), span(0, 2.7)
    ('1:35-1:45', '0.0-2.7 s')
    """
    if end - start < 9.95:
        return f"{start:.1f}-{end:.1f} s"
    return f"{clock(start)}-{clock(end)}"


def sections_line(sections: Sequence[Section]) -> str:
    """Return where a track changes its genre.

    Examples
    --------
    >>> sections_line([Section(0, 80, "jazz"), Section(80, 200, "hiphop")])
    '0:00 jazz → 1:20 hip-hop'
    """
    return " → ".join(f"{clock(section.start)} {spoken(section.genre)}" for section in sections)


def tags_line(result: Result) -> str:
    """Return the styles, instruments and moods of a result, most probable first."""
    return ", ".join(f"{spoken(tag.name)} {percent(tag.probability)}" for tag in result.tags)


def tone(result: Result, genre: str) -> int:
    """Return the number of a genre's colour, the same as on the web page."""
    return sorted(name for name, _ in result.genres).index(genre) % TONES
