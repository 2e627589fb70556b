"""Write genres into a library's files, and take them back."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from topgenre.errors import SourceNotFoundError, TagError
from topgenre.head import GenreHead
from topgenre.library.analysis import file_hash
from topgenre.library.batch import classify_files
from topgenre.library.catalogue import Catalogue
from topgenre.library.find import size_and_time
from topgenre.result import Failure, GenreProbability, Result
from topgenre.tagging.formats import GenreTag
from topgenre.tagging.journal import Entry, Journal
from topgenre.tagging.policy import Policy
from topgenre.tagging.process import read_genre, read_tags, restore_genre, write_genre

What = Literal["to write", "written", "kept", "unchanged", "not sure", "unlikely"]


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


def tag_files(
    paths: Sequence[str | Failure],
    policy: Policy,
    *,
    journal: Journal | None = None,
    catalogue: Catalogue | None = None,
    model_hash: bytes = b"",
    model: str | os.PathLike[str] | None = None,
    genres: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    preserve_mtime: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Generator[Tagging | Failure, None, None]:
    """Write genres into files, or say what would be written.

    Files that need not be judged come first: those that keep their genre, those whose genre the
    user has corrected, and those that are in the catalogue and have not changed since.

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
    genres : path-like, optional
        File of taught genres, in the place of the model's own.
    model, jobs
        As `topgenre.library.batch.classify_files` has them.
    preserve_mtime : bool
        Whether files keep their modification times.
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
    head = None if genres is None else GenreHead.load(genres)
    if head is not None and catalogue is not None:
        head.check_network(model_hash.hex(), os.fspath(genres or ""))
    writer = None if journal is None else _Writer(journal, catalogue, preserve_mtime)
    known = _Known(paths, catalogue, model_hash, head)
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
        elif (result := known.take(path)) is not None:
            yield _settle(path, result, policy, writer)
        else:
            to_judge.append(path)
    if not to_judge:
        return
    with closing(classify_files(to_judge, model=model, genres=genres, jobs=jobs)) as outcomes:
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
) -> Generator[Undone | Failure, None, None]:
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
        Whether files keep their modification times.
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
            before, after = _undo_all(path, entries, journal, catalogue, preserve_mtime)
        except TagError as error:
            yield Failure.of(path, error)
        else:
            yield Undone(path, before, after)


def _undo_all(
    path: str,
    entries: Sequence[Entry],
    journal: Journal,
    catalogue: Catalogue | None,
    preserve_mtime: bool,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take changes of a file back one by one, and return its genres before and after that."""
    tag = read_genre(path)
    genres = now = tag.genres if _values(tag) else ()
    for entry in entries:
        if now == entry.new.genres:
            with _followed(catalogue, path):
                restored = restore_genre(
                    path, (entry.old, entry.new), preserve_mtime=preserve_mtime
                )
            now = restored.genres
        # Otherwise the change was noted, and then kept from happening.
        elif now != entry.old.genres:
            raise TagError(f"{path}: another program has changed its genre since; left as it is")
        journal.forget(entry)
    return genres, now


class _Known:
    """What the catalogue says of files that have not changed since, and what the user says."""

    def __init__(
        self,
        paths: Sequence[str | Failure],
        catalogue: Catalogue | None,
        model_hash: bytes,
        head: GenreHead | None,
    ) -> None:
        self._results: dict[str, Result] = {}
        self._by_path: dict[str, str] = {}
        self._by_content: dict[bytes, str] = {}
        self._hashes: dict[str, bytes] = {}
        if catalogue is None:
            return
        self._by_path, self._by_content = catalogue.corrected()
        wanted = {_place(path) for path in paths if isinstance(path, str)}
        for song in catalogue.songs():
            found = song.analysis
            if song.path not in wanted or song.model_hash != model_hash or found is None:
                continue
            if _size_and_time(song.path) != (song.size, song.mtime_ns):
                continue
            result = found.result
            if head is not None:
                [row] = head.probabilities(found.embedding[None])
                result = head.result(row, song.path)
            self._results[song.path] = result
            self._hashes[song.path] = found.hash

    def take(self, path: str) -> Result | None:
        """Return what is known of a file; a correction is certain."""
        place = _place(path)
        result = self._results.pop(place, None)
        genre = self._by_path.get(place)
        if genre is None and self._by_content:
            with suppress(SourceNotFoundError):
                content = self._hashes.get(place) or file_hash(place)
                genre = self._by_content.get(content)
        if genre is None:
            return result
        return Result(path, (GenreProbability(genre, 1.0),), False, 0.0, 0.0, "you")


def _settle(path: str, result: Result, policy: Policy, writer: _Writer | None) -> Tagging | Failure:
    """Decide on a file by what its tags say now, and write if that is wanted."""
    try:
        seen = read_genre(path)
        tagging = _decide(path, seen, result, policy)
        if writer is not None and tagging.what == "to write":
            writer.write(path, seen, tagging.new)
            return replace(tagging, what="written")
    except TagError as error:
        return Failure.of(path, error)
    return tagging


def _decide(path: str, tag: GenreTag, result: Result, policy: Policy) -> Tagging:
    ranked = policy.named(result)
    chosen = policy.choose(result)
    old, new = tag.genres, tuple(genre.genre for genre in chosen)
    what: What = "to write"
    if policy.existing == "keep" and old:
        what = "kept"
    elif not chosen:
        what = "not sure" if result.uncertain and not policy.include_uncertain else "unlikely"
    elif policy.existing == "append":
        there = list(old)
        for name in (*(_values(tag) if not tag.agreed else ()), *new):
            if name.casefold() not in {other.casefold() for other in there}:
                there.append(name)
        new = tuple(there)
    if what == "to write" and new == old and (tag.agreed or policy.existing == "append"):
        what = "unchanged"
    return Tagging(path, what, old, new if what == "to write" else old, ranked, result.uncertain)


def _values(tag: GenreTag) -> list[str]:
    """Return the genres in all tags of a file; that of ID3v1 is one of few, and so the last."""
    tags = sorted(tag.raw["tags"].items(), key=lambda item: item[0] == "id3v1")
    return [value for _, said in tags for value in said["values"]]


class _Writer:
    """Writes genres, notes them in the journal, and lets the catalogue know."""

    def __init__(self, journal: Journal, catalogue: Catalogue | None, preserve_mtime: bool) -> None:
        self._journal = journal
        self._catalogue = catalogue
        self._preserve_mtime = preserve_mtime

    def write(self, path: str, seen: GenreTag, genres: Sequence[str]) -> None:
        target = os.path.realpath(path)

        def note(old: GenreTag, new: GenreTag) -> None:
            if old.raw != seen.raw:
                raise TagError(f"{path}: another program has just changed its genre; left as it is")
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
        with suppress(SourceNotFoundError, TagError):
            changed = replace(analysis, hash=file_hash(place), tags=read_tags(place))
            catalogue.add(place, *now, stamp.model_hash, changed)
            catalogue.follow_content(analysis.hash, changed.hash)


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
