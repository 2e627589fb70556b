"""Decide which genres are written, by which names, and into which files."""

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

_CERTAIN = 0.5  # probability above which a genre is more likely right than wrong

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Existing = Literal["keep", "append", "replace"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules that decide which genres are written, and into which files.

    Attributes
    ----------
    existing : {"keep", "append", "replace"}
        What to do if a file has a genre; with "keep", it is not changed.
    count : int
        Most genres per file.
    threshold : float, optional
        Least probability of a genre; by default 0.5 divided by `count`, or 0 if
        `include_uncertain` is set.
    include_uncertain : bool
        Whether to write uncertain results too.
    names : mapping of str to str
        The user's names of topgenre's genres; a genre with an empty name is not written.
    verbatim : bool
        Whether genres without such a name are written unchanged, as taught genres are.
    """

    existing: Existing = "keep"
    count: int = 1
    threshold: float | None = None
    include_uncertain: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    verbatim: bool = False

    @property
    def least(self) -> float:
        """Least probability of a genre."""
        if self.threshold is not None:
            return self.threshold
        return 0.0 if self.include_uncertain else _CERTAIN / self.count

    def named(self, result: Result) -> tuple[GenreProbability, ...]:
        """Rank the genres of a result by the names to write.

        Genres with the same name count as one, with the sum of their probabilities.
        """
        shares: dict[str, float] = {}
        for genre, probability in result.genres:
            name = self.names.get(genre, genre if self.verbatim else common_name(genre))
            if name:
                shares[name] = shares.get(name, 0.0) + probability
        return rank(shares)

    def choose(self, result: Result) -> tuple[GenreProbability, ...]:
        """Return the genres of a result to write, most probable first."""
        if result.uncertain and not self.include_uncertain:
            return ()
        return tuple(
            genre for genre in self.named(result)[: self.count] if genre.probability >= self.least
        )


def common_name(genre: str) -> str:
    """Return the usual spelling of a genre in tags (that of ID3v1), such as Hip-Hop."""
    from mutagen.id3 import TCON

    common = {letters(name): name for name in TCON.GENRES}
    return common.get(letters(genre), genre)


def read_names(path: str | os.PathLike[str], genres: Iterable[str] | None) -> dict[str, str]:
    """Read the user's names of genres from a TOML file or a CSV table.

    Parameters
    ----------
    path : path-like
        Lines such as ``hiphop = "Hip-Hop"``, or ``hiphop,Hip-Hop`` if the suffix is ``.csv``.
    genres : iterable of str, optional
        The genres that may be named; by default any.

    Raises
    ------
    TagError
        If the file cannot be read, or names unknown genres.
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
    """Check a mapping of genres to names, and return it with names stripped.

    Raises
    ------
    TagError
        If it names unknown genres, or has names that tags would read as another genre.
    """
    from mutagen.id3 import TCON

    known = None if genres is None else sorted(genres)
    checked = {}
    for genre, name in names.items():
        if known is not None and genre not in known:
            raise TagError(
                f"{where}: {genre!r} is not one of topgenre's genres: {', '.join(known)}"
            )
        text = name.strip() if isinstance(name, str) else "\0"
        # A tag reads some names, such as numbers, as other genres.
        if _CONTROL.search(text) or TCON(text=[text]).genres != [text] * bool(text):
            raise TagError(f"{where}: {name!r} cannot be the name of {genre}; give it another one")
        checked[genre] = text
    return checked


def letters(name: str) -> str:
    """Return the letters and digits of a name, without case."""
    return "".join(filter(str.isalnum, name)).casefold()
