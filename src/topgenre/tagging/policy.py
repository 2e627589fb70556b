"""Which genres are written, by which names, and into which files."""

from __future__ import annotations

import csv
import io
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from topgenre.errors import TagError
from topgenre.result import GenreProbability, Result, rank

_CERTAIN = 0.5  # probability from which a genre is more likely right than wrong

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Existing = Literal["keep", "append", "replace"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Which genres are written, and into which files.

    Attributes
    ----------
    existing : {"keep", "append", "replace"}
        What becomes of the genres that a file has: with "keep", such a file is left alone.
    count : int
        How many genres at most.
    threshold : float, optional
        Least probability of a genre; by default 0.5, shared by as many genres as are wanted, and
        0 if uncertain results are.
    include_uncertain : bool
        Whether results that are uncertain are written as well.
    names : mapping of str to str
        The user's names of topgenre's genres; an empty one keeps a genre from being written.
    verbatim : bool
        Whether genres without such a name are written as they are: taught ones are the user's own.
    """

    existing: Existing = "keep"
    count: int = 1
    threshold: float | None = None
    include_uncertain: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    verbatim: bool = False

    @property
    def least(self) -> float:
        """The probability that a genre must have."""
        if self.threshold is not None:
            return self.threshold
        return 0.0 if self.include_uncertain else _CERTAIN / self.count

    def named(self, result: Result) -> tuple[GenreProbability, ...]:
        """Rank the names that the genres of a result are written by.

        Genres that have the same name count as one, with the sum of their probabilities.
        """
        shares: dict[str, float] = {}
        for genre, probability in result.genres:
            name = self.names.get(genre, genre if self.verbatim else common_name(genre))
            if name:
                shares[name] = shares.get(name, 0.0) + probability
        return rank(shares)

    def choose(self, result: Result) -> tuple[GenreProbability, ...]:
        """Return the genres of a result that are fit to be written, most probable first."""
        if result.uncertain and not self.include_uncertain:
            return ()
        return tuple(
            genre for genre in self.named(result)[: self.count] if genre.probability >= self.least
        )


def common_name(genre: str) -> str:
    """Return the name that tags have for a genre since ID3v1, such as Hip-Hop, or else its own."""
    from mutagen.id3 import TCON

    common = {_plain(name): name for name in TCON.GENRES}
    return common.get(_plain(genre), genre)


def read_names(path: str | os.PathLike[str], genres: Iterable[str] | None) -> dict[str, str]:
    """Read the user's names of genres from a TOML file or a CSV table.

    Parameters
    ----------
    path : path-like
        ``hiphop = "Hip-Hop"`` a line, or with the suffix ``.csv`` ``hiphop,Hip-Hop``.
    genres : iterable of str, optional
        The genres that may be named; by default any.

    Raises
    ------
    TagError
        If the file cannot be read, or speaks of other genres.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix.lower() == ".csv":
            rows = [row for row in csv.reader(io.StringIO(text), strict=True) if any(row)]
            if any(len(row) != 2 for row in rows):
                raise ValueError("a row must have two columns, topgenre's name and yours")
            names: Mapping[str, Any] = {key.strip(): name for key, name in rows}
        else:
            names = tomllib.loads(text)
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise TagError(
            f"{path}: the names of genres cannot be read ({reason}); "
            'write lines such as: hiphop = "Hip-Hop"'
        ) from error
    return check_names(names, genres, str(path))


def check_names(
    names: Mapping[str, Any], genres: Iterable[str] | None, where: str
) -> dict[str, str]:
    """Return a mapping of genres to names, if it makes sense.

    Raises
    ------
    TagError
        If it speaks of other genres, or of names that tags would read as something else.
    """
    from mutagen.id3 import TCON

    known = None if genres is None else sorted(genres)
    checked = {}
    for genre, name in names.items():
        if known is not None and genre not in known:
            raise TagError(f"{where}: {genre!r} is none of topgenre's genres: {', '.join(known)}")
        text = name.strip() if isinstance(name, str) else "\0"
        # A tag reads some names, such as numbers, as other genres.
        if _CONTROL.search(text) or TCON(text=[text]).genres != [text] * bool(text):
            raise TagError(f"{where}: {name!r} cannot be the name of {genre}; give it another one")
        checked[genre] = text
    return checked


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
