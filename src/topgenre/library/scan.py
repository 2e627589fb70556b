"""Scan a library into a catalogue: classify new and changed songs.

First all folders are searched. New and changed files go to a list on disk, so that memory does not
grow with the library. Then worker processes classify them, and every outcome is stored at once. A
scan may be killed at any time: the next one continues with the rest.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from topgenre.errors import CatalogueError, NotAudioError
from topgenre.library.analysis import analyse_song, file_hash
from topgenre.library.catalogue import Catalogue, model_hash
from topgenre.library.find import (
    PREPROCESSED,
    is_folder,
    is_gone,
    no_music,
    search_folder,
    size_and_time,
    unreadable,
)
from topgenre.library.song import Analysis
from topgenre.result import Failure
from topgenre.workers.processes import in_processes
from topgenre.workers.work import TIME_LIMIT, default_jobs

if TYPE_CHECKING:
    from topgenre.classifier import Classifier

_ROWS_AT_ONCE = 500

What = Literal[
    "found",
    "classified",
    "unchanged",
    "moved",
    "copied",
    "failed",
    "failed before",
    "missing",
    "vanished",
    "skipped",
    "empty",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a scan.

    Attributes
    ----------
    what : str
        "found" as new or changed, so another step follows; "classified"; "unchanged"; "moved" from
        another path; "copied" from a classified file; "failed" now; "failed before" and unchanged;
        "missing" since an earlier scan; "vanished" during this scan; "skipped" as a recycle bin, a
        snapshot or a helper file; "empty": a folder without music.
    path : str
        Absolute path of the file, or of a folder that failed or was skipped.
    failure : Failure, optional
        Why it failed in this scan.
    to_do : int, optional
        Number of files to classify, once that is known.
    """

    what: What
    path: str
    failure: Failure | None = None
    to_do: int | None = None


def scan(
    catalogue: Catalogue,
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    retry_errors: bool = False,
) -> Generator[Step, None, None]:
    """Bring a catalogue up to date with files and folders.

    Parameters
    ----------
    catalogue : Catalogue
    paths : iterable of path-like
        Files and folders, which are searched as `topgenre.library.find.find_audio` does.
        Preprocessed files in folders are left out.
    model : path-like, optional
        Model file; by default the bundled model.
    jobs : int, optional
        Worker processes; by default one per processor if there is enough to do. A script must guard
        its start with ``if __name__ == "__main__":``, as `multiprocessing` demands.
    retry_errors : bool
        Whether to try files again that failed before; without paths, all of the catalogue.

    Yields
    ------
    Step
        One or two per file. To leave early, close the iterator; steps that were yielded are stored.

    Raises
    ------
    CatalogueError
        If the catalogue can no longer be read or written.
    ModelError
        If the model file is missing, damaged, or not a topgenre model.
    TopgenreError
        If worker processes cannot be started.
    """
    roots = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - which follows no links
    fingerprint = model_hash(model)
    with closing(_Plan()) as plan:
        if not roots and retry_errors:
            for song in catalogue.failures():
                yield from _look_at(song.path, plan, catalogue, fingerprint, retry_errors)
        for path in _found(roots):
            if isinstance(path, Step):
                yield path
            else:
                yield from _look_at(path, plan, catalogue, fingerprint, retry_errors)
        yield from _classify(plan, catalogue, model, fingerprint, jobs)
        # Last: until then, a file may turn out to have moved.
        for root in roots:
            yield from _missing(root, plan, catalogue)


def _found(roots: Iterable[str]) -> Iterator[str | Step]:
    """Yield the files in folders, and a step for everything else."""
    seen: set[tuple[int, int]] = set()  # shared, as roots may be nested
    for root in roots:
        if not is_folder(root):
            yield root
            continue
        nothing = not seen
        skipped: list[str] = []
        for path in search_folder(root, seen, skipped.append):
            nothing = False
            if isinstance(path, Failure):
                yield Step("failed", path.path, path)
            elif not path.lower().endswith(PREPROCESSED):
                yield path
        yield from (Step("skipped", path) for path in skipped)
        if nothing:
            yield Step("empty", root, no_music(root))


def _look_at(
    path: str, plan: _Plan, catalogue: Catalogue, fingerprint: bytes, retry: bool
) -> Iterator[Step]:
    """Add a file to the plan, and yield its step."""
    if plan.knows(path):
        return
    try:
        status = _status(path)
    except (OSError, ValueError) as error:
        yield Step("failed", path, unreadable(path, error))
        return
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        no_file = NotAudioError(f"{path}: this is a device or a pipe; name a file")
        yield Step("failed", path, Failure.of(path, no_file))
        return
    stamp = catalogue.stamp(path)
    fresh = stamp is not None and stamp[:3] == (*size_and_time(status), fingerprint)
    if stamp and stamp.missing:
        catalogue.mark(path, missing=False)
    to_do = not fresh or (stamp is not None and stamp.failed and retry)
    plan.note(path, status, to_do=to_do)
    if to_do:
        yield Step("found", path)
    else:
        yield Step("failed before" if stamp and stamp.failed else "unchanged", path)


def _status(path: str) -> os.stat_result:
    try:
        return Path(path).stat()
    except FileNotFoundError:
        return Path(path).lstat()  # a broken link counts as an unreadable file


def _missing(root: str, plan: _Plan, catalogue: Catalogue) -> Iterator[Step]:
    for path, known in catalogue.below(root):
        if not known and not plan.knows(path) and is_gone(path):
            catalogue.mark(path, missing=True)
            yield Step("missing", path)


def _classify(
    plan: _Plan,
    catalogue: Catalogue,
    model: str | os.PathLike[str] | None,
    fingerprint: bytes,
    jobs: int | None,
) -> Iterator[Step]:
    to_do = plan.count()
    if not to_do:
        return
    work = partial(_examine, catalogue=os.fspath(catalogue.path), fingerprint=fingerprint)
    jobs = min(default_jobs(to_do) if jobs is None else jobs, to_do)
    # Even with one job, another process does the work: a file may crash it.
    outcomes = in_processes(work, plan.paths(), jobs=jobs, model=model, time_limit=TIME_LIMIT)
    with closing(outcomes):
        for path, outcome in outcomes:
            what: What
            failure = None
            if isinstance(outcome, Failure) and is_gone(path):
                catalogue.mark(path, missing=True)
                what, failure = "vanished", None
            else:
                what = catalogue.add(path, *plan.stamp(path), fingerprint, outcome)
                if isinstance(outcome, Failure):
                    what, failure = "failed", outcome
            yield Step(what, path, failure, to_do)


def _examine(classifier: Classifier, path: str, *, catalogue: str, fingerprint: bytes) -> Analysis:
    """Analyse a file, unless the catalogue knows its content under another name."""
    # An unreadable catalogue is not the fault of this file; the parent process will report it.
    content = file_hash(path)
    with suppress(CatalogueError):
        known = _reader(catalogue).find(content, fingerprint)
        if known:
            return known
    return analyse_song(classifier, path, content=content)


@cache
def _reader(catalogue: str) -> Catalogue:
    return Catalogue(catalogue, read_only=True)


class _Plan:
    """The files that a scan has found and those to classify, as a table on disk."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._run(
            "CREATE TABLE met (path BLOB NOT NULL UNIQUE, size INTEGER, mtime_ns INTEGER, "
            "to_do INTEGER)"
        )
        self._run("BEGIN")  # never committed: nobody else reads it

    def close(self) -> None:
        self._database.close()

    def note(self, path: str, status: os.stat_result, *, to_do: bool) -> None:
        values = os.fsencode(path), *size_and_time(status), to_do
        self._run("INSERT INTO met VALUES (?, ?, ?, ?)", *values)

    def knows(self, path: str) -> bool:
        return bool(self._run("SELECT 1 FROM met WHERE path = ?", os.fsencode(path)))

    def stamp(self, path: str) -> tuple[int, int]:
        ((size, mtime_ns),) = self._run(
            "SELECT size, mtime_ns FROM met WHERE path = ?", os.fsencode(path)
        )
        return size, mtime_ns

    def count(self) -> int:
        ((number,),) = self._run("SELECT count(*) FROM met WHERE to_do")
        return int(number)

    def paths(self) -> Iterator[str]:
        """Yield the files to classify, in the order in which they were found."""
        last = 0
        while rows := self._run(
            "SELECT rowid, path FROM met WHERE to_do AND rowid > ? ORDER BY rowid LIMIT ?",
            last,
            _ROWS_AT_ONCE,
        ):
            yield from (os.fsdecode(path) for _, path in rows)
            last = rows[-1][0]

    def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise CatalogueError(
                f"the list of files does not fit into the temporary folder ({error}); "
                "free some space there, or name another one in SQLITE_TMPDIR"
            ) from error
