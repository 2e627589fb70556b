"""Classify many files, in this process or in several, with outcomes in order."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from topgenre.library.find import STANDARD_INPUT
from topgenre.result import Failure, Result
from topgenre.workers.work import Work, attempt, default_jobs, processors

if TYPE_CHECKING:
    from topgenre.classifier import Classifier
    from topgenre.workers.processes import Pool

_LOOK_AHEAD = 16  # files per worker that may be finished before an earlier one
Outcome = Result | Failure


def classify_files(
    paths: Sequence[str | Failure],
    *,
    model: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    whole: bool = False,
    genres: str | os.PathLike[str] | None = None,
    progress: Callable[[float], object] | None = None,
) -> Generator[Outcome, None, None]:
    """Classify files, in this process or in several.

    Parameters
    ----------
    paths : sequence of str or Failure
        Files, ``-`` for standard input, and failures, which are passed on.
    model : path-like, optional
        Model file; by default the bundled model.
    jobs : int, optional
        Worker processes; with 1, or with standard input, this process does the work. By default 1
        for a few files and otherwise one per processor. A script that uses several must guard its
        start with ``if __name__ == "__main__":``, as `multiprocessing` demands.
    whole : bool
        Analyse whole tracks instead of their middle 10 s.
    genres : path-like, optional
        File of taught genres, which replace the model's own.
    progress : callable, optional
        Called with the fraction of a whole track that is done, if this process does the work.

    Yields
    ------
    Result or Failure
        One for each path, in the order of the paths. To leave early, close the iterator.

    Raises
    ------
    ModelError
        If the model file is missing, damaged, or not a topgenre model.
    TopgenreError
        If worker processes cannot be started.
    ValueError
        If `jobs` is below 1.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    threads = processors() if jobs is None and whole else 1
    jobs = min(default_jobs(len(paths)) if jobs is None else jobs, max(1, len(paths)))
    work = partial(classify_file, whole=whole)
    if jobs == 1 or STANDARD_INPUT in paths:
        from topgenre.classifier import load

        work = partial(work, progress=progress) if progress else work
        yield from _one_by_one(paths, load(model, genres=genres, threads=threads), work)
    else:
        from topgenre.workers.processes import Pool  # not needed for one process

        yield from _side_by_side(paths, Pool(model, jobs, work, genres=genres), jobs)


def classify_file(
    classifier: Classifier,
    path: str,
    *,
    whole: bool = False,
    progress: Callable[[float], object] = lambda fraction: None,
) -> Result:
    """Classify a file, or standard input if it is called ``-``.

    Raises
    ------
    TopgenreError
        As `topgenre.classifier.Classifier.classify` does.
    """
    if path == STANDARD_INPUT:
        result = classifier.classify(
            sys.stdin.buffer, whole=whole, name="standard input", progress=progress
        )
    else:
        result = classifier.classify(path, whole=whole, progress=progress)
    # A preprocessed file names the file it was made from.
    return replace(result, path=path)


def _one_by_one(
    paths: Sequence[str | Failure], classifier: Classifier, work: Work[Result]
) -> Iterator[Outcome]:
    for path in paths:
        yield path if isinstance(path, Failure) else attempt(work, classifier, path)


def _side_by_side(paths: Sequence[str | Failure], pool: Pool, jobs: int) -> Iterator[Outcome]:
    waiting = deque(enumerate(paths))
    finished: dict[int, Outcome] = {}
    try:
        for turn in range(len(paths)):
            while turn not in finished:
                # Assign work, but not too far ahead of the file whose turn it is.
                while waiting and waiting[0][0] < turn + _LOOK_AHEAD * jobs:
                    number, path = waiting[0]
                    if isinstance(path, Failure):
                        finished[number] = path
                    elif not pool.assign(number, path):
                        break
                    waiting.popleft()
                if turn not in finished:
                    finished.update(pool.outcomes())
            yield finished.pop(turn)
    finally:
        pool.stop()
