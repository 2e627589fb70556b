"""Writing genres into a library's files: which names, where, and how to take it back."""

from __future__ import annotations

import csv
import io
import os
import re
import tomllib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from topgenre.errors import SourceNotFoundError, TagError
from topgenre.library.analysis import file_hash
from topgenre.library.batch import classify_files
from topgenre.library.catalogue import Catalogue
from topgenre.library.find import size_and_time
from topgenre.library.tags import read_tags
from topgenre.result import Failure, GenreProbability, Result, rank
from topgenre.tagging.formats import GenreTag
from topgenre.tagging.journal import Entry, Journal
from topgenre.tagging.process import read_genre, restore_genre, write_genre

_CERTAIN = 0.5  # probability from which a genre is more likely right than wrong

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Existing = Literal["keep", "append", "replace"]
What = Literal["to write", "written", "kept", "unchanged", "not sure", "unlikely"]


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
    """

    existing: Existing = "keep"
    count: int = 1
    threshold: float | None = None
    include_uncertain: bool = False
    names: Mapping[str, str] = field(default_factory=dict)

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
            name = self.names.get(genre, common_name(genre))
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


@dataclass(frozen=True, slots=True)
class Tagging:
    """What became of one file, or would.

    Attributes
    ----------
    path : str
    what : str
        "to write" and "written"; "kept", since it has a genre; "unchanged", since it has this one;
        "not sure", since the result is uncertain; "unlikely", since no probability suffices.
    old, new : tuple of str
        The genres before and after.
    ranked : tuple of GenreProbability
        What topgenre says, under the names that are written; empty if it was not asked.
    uncertain : bool
        Whether the result was.
    """

    path: str
    what: What
    old: tuple[str, ...]
    new: tuple[str, ...]
    ranked: tuple[GenreProbability, ...] = ()
    uncertain: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "path": self.path,
            "action": self.what.replace(" ", "_"),
            "old": list(self.old),
            "new": list(self.new),
            "genres": [genre.to_dict() for genre in self.ranked],
            "uncertain": self.uncertain,
        }


@dataclass(frozen=True, slots=True)
class Undone:
    """A file whose genre is again what it was.

    Attributes
    ----------
    path : str
    old, new : tuple of str
        The genres before and after this.
    """

    path: str
    old: tuple[str, ...]
    new: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "path": self.path,
            "action": "undone",
            "old": list(self.old),
            "new": list(self.new),
        }


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


def tag_files(
    paths: Sequence[str | Failure],
    policy: Policy,
    *,
    journal: Journal | None = None,
    catalogue: Catalogue | None = None,
    model_hash: bytes = b"",
    model: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    preserve_mtime: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Generator[Tagging | Failure, None, None]:
    """Write genres into files, or say what would be written.

    Files that need not be judged come first: those that keep their genre, and those that are in the
    catalogue and have not changed since.

    Parameters
    ----------
    paths : sequence of str or Failure
        Files, and failures, which are passed on.
    policy : Policy
    journal : Journal, optional
        Where changes are noted; without one, nothing is changed.
    catalogue : Catalogue, optional
        Results to use again. If there is a journal, its rows follow the files that are changed; it
        must not be read-only then.
    model_hash : bytes
        Of the model whose results are used from the catalogue.
    model, jobs
        As `topgenre.library.batch.classify_files` has them.
    preserve_mtime : bool
        Whether files keep their time of change.
    stopped : callable
        Asked between any two files whether to leave it at that.

    Yields
    ------
    Tagging or Failure
        One for each path. To leave early, close the iterator.

    Raises
    ------
    TopgenreError
        As `topgenre.library.batch.classify_files` and `Catalogue` do.
    """
    writer = None if journal is None else _Writer(journal, catalogue, preserve_mtime)
    known = _known_results(paths, catalogue, model_hash)
    to_judge: list[str] = []
    for path in paths:
        if stopped():
            return
        if isinstance(path, Failure):
            yield path
            continue
        try:
            tag = read_genre(path)
        except TagError as error:
            yield Failure.of(path, error)
            continue
        if policy.existing == "keep" and tag.genres:
            yield Tagging(path, "kept", tag.genres, tag.genres)
        elif (result := known.pop(_place(path), None)) is not None:
            yield _settle(path, result, policy, writer)
        else:
            to_judge.append(path)
    if not to_judge:
        return
    with closing(classify_files(to_judge, model=model, jobs=jobs)) as outcomes:
        for path, outcome in zip(to_judge, outcomes, strict=True):
            if stopped():
                return
            if isinstance(outcome, Failure):
                yield outcome
            else:
                yield _settle(path, outcome, policy, writer)


def undo(
    journal: Journal,
    paths: Iterable[str | os.PathLike[str]] = (),
    *,
    catalogue: Catalogue | None = None,
    preserve_mtime: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Undone | Failure]:
    """Put back the genres that files had.

    Parameters
    ----------
    journal : Journal
    paths : iterable of path-like
        Files, and folders in which all that was ever written is undone. Without any, what the
        latest run has written that left anything to undo.
    catalogue : Catalogue, optional
        Its rows follow the files that are changed.
    preserve_mtime : bool
        Whether files keep their time of change.
    stopped : callable
        Asked between any two files whether to leave it at that.

    Yields
    ------
    Undone or Failure
        One for each file, the one that was changed last being the first.
    """
    for path, entries in _to_undo(journal, [os.path.realpath(path) for path in paths]).items():
        if stopped():
            return
        try:
            tag = read_genre(path)
            target = _before(path, tag, entries)
            if target.raw != tag.raw:
                with _followed(catalogue, path):
                    restore_genre(path, target.raw, preserve_mtime=preserve_mtime)
            for entry in entries:
                journal.forget(entry)
        except TagError as error:
            yield Failure.of(path, error)
        else:
            yield Undone(path, tag.genres, target.genres)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()


def _known_results(
    paths: Sequence[str | Failure], catalogue: Catalogue | None, model_hash: bytes
) -> dict[str, Result]:
    """Return what the catalogue says of files that have not changed since, by absolute path."""
    if catalogue is None:
        return {}
    wanted = {_place(path) for path in paths if isinstance(path, str)}
    found = {}
    for song in catalogue.songs():
        if song.path not in wanted or song.model_hash != model_hash or song.analysis is None:
            continue
        if _size_and_time(song.path) == (song.size, song.mtime_ns):
            found[song.path] = song.analysis.result
    return found


def _settle(path: str, result: Result, policy: Policy, writer: _Writer | None) -> Tagging | Failure:
    """Decide on a file by what its tags say now, and write if that is wanted."""
    try:
        tagging = _decide(path, read_genre(path).genres, result, policy)
        if writer is not None and tagging.what == "to write":
            writer.write(path, tagging.new)
            return replace(tagging, what="written")
    except TagError as error:
        return Failure.of(path, error)
    return tagging


def _decide(path: str, old: tuple[str, ...], result: Result, policy: Policy) -> Tagging:
    ranked = policy.named(result)
    chosen = policy.choose(result)
    new = tuple(genre.genre for genre in chosen)
    what: What = "to write"
    if policy.existing == "keep" and old:
        what = "kept"
    elif not chosen:
        what = "not sure" if result.uncertain and not policy.include_uncertain else "unlikely"
    elif policy.existing == "append":
        there = {genre.casefold() for genre in old}
        new = (*old, *(genre for genre in new if genre.casefold() not in there))
    if what == "to write" and new == old:
        what = "unchanged"
    return Tagging(path, what, old, new if what == "to write" else old, ranked, result.uncertain)


class _Writer:
    """Writes genres, notes them in the journal, and lets the catalogue know."""

    def __init__(self, journal: Journal, catalogue: Catalogue | None, preserve_mtime: bool) -> None:
        self._journal = journal
        self._catalogue = catalogue
        self._preserve_mtime = preserve_mtime

    def write(self, path: str, genres: Sequence[str]) -> None:
        target = os.path.realpath(path)

        def note(old: GenreTag, new: GenreTag) -> None:
            self._journal.note(target, old, new)

        with _followed(self._catalogue, path):
            write_genre(path, genres, preserve_mtime=self._preserve_mtime, commit=note)


@contextmanager
def _followed(catalogue: Catalogue | None, path: str) -> Iterator[None]:
    """Let the row of a file follow a change of its tags: what was found out of its sound holds."""
    place = _place(path)
    analysis = None
    stamp = catalogue.stamp(place) if catalogue else None
    if catalogue and stamp and not stamp.failed and stamp[:2] == _size_and_time(place):
        with suppress(SourceNotFoundError):
            analysis = catalogue.find(file_hash(place), stamp.model_hash)
    yield
    now = _size_and_time(place)
    if catalogue and stamp and analysis and now:
        with suppress(SourceNotFoundError):
            changed = replace(analysis, hash=file_hash(place), tags=read_tags(place))
            catalogue.add(place, *now, stamp.model_hash, changed)


def _place(path: str) -> str:
    """Return the name by which the catalogue knows a file."""
    return os.path.abspath(path)  # noqa: PTH100 - which follows no links


def _size_and_time(path: str) -> tuple[int, int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return size_and_time(status)


def _to_undo(journal: Journal, paths: Sequence[str]) -> dict[str, list[Entry]]:
    """Group the changes to undo by their file, the latest first."""
    entries = journal.entries()
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if paths:
            wanted = any(_is_in(entry.path, path) for path in paths)
        else:
            wanted = entry.run == entries[0].run
        if wanted:
            found.setdefault(entry.path, []).append(entry)
    return found


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _before(path: str, tag: GenreTag, entries: Sequence[Entry]) -> GenreTag:
    """Go back from what a file says now, change by change."""
    for entry in entries:
        if tag.raw == entry.new.raw:
            tag = entry.old
        # A change that was noted, and then kept from happening.
        elif tag.raw != entry.old.raw:
            raise TagError(
                f"{path}: its genre has been changed since by another program; left as it is"
            )
    return tag
