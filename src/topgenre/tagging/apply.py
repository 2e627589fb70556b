"""Write genres into the files of a library, and undo that."""

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
    """What was done, or would be done, to one file.

    Attributes
    ----------
    path : str
    what : str
        "to write" and "written"; "kept", since it has a genre; "unchanged", since it has the same
        one; "not sure", since the result is uncertain; "unlikely", since all genres are below the
        threshold.
    old, new : tuple of str
        The genres before and after.
    ranked : tuple of GenreProbability
        The ranking by the names to write; empty if the file was not classified.
    uncertain : bool
        Whether the result is uncertain.
    verdict : str
        That of the result; "" if the file was not classified.
    """

    path: str
    what: What
    old: tuple[str, ...]
    new: tuple[str, ...]
    ranked: tuple[GenreProbability, ...] = ()
    uncertain: bool = False
    verdict: str = ""

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
    """A file whose former genre was restored.

    Attributes
    ----------
    path : str
    old, new : tuple of str
        The genres before and after the undo.
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
    """Write genres into files, or report what would be written.

    Files that need no classification come first: those that keep their genre, those whose genre the
    user has corrected, and those that are unchanged since they were scanned.

    Parameters
    ----------
    paths : sequence of str or Failure
        Files, and failures, which are passed on.
    policy : Policy
    journal : Journal, optional
        Records the changes; without a journal, nothing is changed.
    catalogue : Catalogue, optional
        Source of known results. With a journal, the rows of changed files are updated, so the
        catalogue must not be read-only.
    model_hash : bytes
        Hash of the model whose results are used from the catalogue.
    genres : path-like, optional
        File of taught genres, which replace the model's own.
    model, jobs
        See `topgenre.library.batch.classify_files`.
    preserve_mtime : bool
        Whether files keep their modification times.
    stopped : callable
        Called between files; a true value ends the run.

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
    unknown: list[str] = []
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
            unknown.append(path)
    if not unknown:
        return
    with closing(classify_files(unknown, model=model, genres=genres, jobs=jobs)) as outcomes:
        for path, outcome in zip(unknown, outcomes, strict=True):
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
    """Restore the genres that files had before.

    Parameters
    ----------
    journal : Journal
    paths : iterable of path-like
        Files and folders in which all changes are undone. Without paths, the changes of the latest
        run that are not undone yet.
    catalogue : Catalogue, optional
        The rows of changed files are updated.
    preserve_mtime : bool
        Whether files keep their modification times.
    stopped : callable
        Called between files; a true value ends the run.

    Yields
    ------
    Undone or Failure
        One for each file, the latest change first.
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
    """Undo the changes of a file one by one; return its genres before and after."""
    tag = read_genre(path)
    genres = now = tag.genres if _values(tag) else ()
    for entry in entries:
        if now == entry.new.genres:
            with _followed(catalogue, path):
                restored = restore_genre(
                    path, (entry.old, entry.new), preserve_mtime=preserve_mtime
                )
            now = restored.genres
        # Otherwise the change was recorded but never happened.
        elif now != entry.old.genres:
            raise TagError(
                f"{path}: another program has changed its genre since; it was not changed"
            )
        journal.forget(entry)
    return genres, now


class _Known:
    """Known results: of unchanged files in the catalogue, and corrections."""

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
        wanted = {_catalogued(path) for path in paths if isinstance(path, str)}
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
        """Return the known result of a file, or None; a correction is certain."""
        location = _catalogued(path)
        result = self._results.pop(location, None)
        genre = self._by_path.get(location)
        if genre is None and self._by_content:
            with suppress(SourceNotFoundError):
                content = self._hashes.get(location) or file_hash(location)
                genre = self._by_content.get(content)
        if genre is None:
            return result
        return Result(path, (GenreProbability(genre, 1.0),), False, 0.0, 0.0, "you")


def _settle(path: str, result: Result, policy: Policy, writer: _Writer | None) -> Tagging | Failure:
    """Decide what to write into a file, and write it if there is a writer."""
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
        names = list(old)
        for name in (*(_values(tag) if not tag.agreed else ()), *new):
            if name.casefold() not in {other.casefold() for other in names}:
                names.append(name)
        new = tuple(names)
    if what == "to write" and new == old and (tag.agreed or policy.existing == "append"):
        what = "unchanged"
    if what != "to write":
        new = old
    return Tagging(path, what, old, new, ranked, result.uncertain, result.verdict)


def _values(tag: GenreTag) -> list[str]:
    """Return the genres in all tags of a file, that of ID3v1 last, as it knows few."""
    tags = sorted(tag.raw["tags"].items(), key=lambda item: item[0] == "id3v1")
    return [value for _, said in tags for value in said["values"]]


class _Writer:
    """Writes genres, records them in the journal, and updates the catalogue."""

    def __init__(self, journal: Journal, catalogue: Catalogue | None, preserve_mtime: bool) -> None:
        self._journal = journal
        self._catalogue = catalogue
        self._preserve_mtime = preserve_mtime

    def write(self, path: str, seen: GenreTag, genres: Sequence[str]) -> None:
        target = os.path.realpath(path)

        def note(old: GenreTag, new: GenreTag) -> None:
            if old.raw != seen.raw:
                raise TagError(
                    f"{path}: another program has just changed its genre; it was not changed"
                )
            self._journal.note(target, old, new)

        with _followed(self._catalogue, path):
            write_genre(path, genres, preserve_mtime=self._preserve_mtime, commit=note)


@contextmanager
def _followed(catalogue: Catalogue | None, path: str) -> Iterator[None]:
    """Update the file's catalogue row after a tag change in the block."""
    location = _catalogued(path)
    analysis = None
    stamp = catalogue.stamp(location) if catalogue else None
    if catalogue and stamp and not stamp.failed and stamp[:2] == _size_and_time(location):
        with suppress(SourceNotFoundError):
            analysis = catalogue.find(file_hash(location), stamp.model_hash)
    yield
    now = _size_and_time(location)
    if catalogue and stamp and analysis and now:
        with suppress(SourceNotFoundError, TagError):
            changed = replace(analysis, hash=file_hash(location), tags=read_tags(location))
            catalogue.add(location, *now, stamp.model_hash, changed)
            catalogue.follow_content(analysis.hash, changed.hash)


def _catalogued(path: str) -> str:
    """Return the path of a file as the catalogue stores it."""
    return os.path.abspath(path)  # noqa: PTH100 - which follows no links


def _size_and_time(path: str) -> tuple[int, int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return size_and_time(status)


def _to_undo(journal: Journal, paths: Sequence[str]) -> dict[str, list[Entry]]:
    """Group the changes to undo by file, the latest first."""
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
