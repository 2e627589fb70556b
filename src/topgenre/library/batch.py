"""Many files in one go: find them, classify them side by side, and lose none to a bad one.

With several jobs, every worker process has one file in hand at a time. So when a hostile file ends
its worker, it is known which one it was, and it costs no other file anything.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from topgenre.errors import (
    CrashedError,
    InternalError,
    OverrunError,
    SourceNotFoundError,
    TopgenreError,
)
from topgenre.result import Result

if TYPE_CHECKING:
    from topgenre.classifier import Classifier

STANDARD_INPUT = "-"

# What is looked for in folders; a file that is named is tried whatever its suffix.
SUFFIXES = frozenset(
    (
        *(".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi"),
        *(".caf", ".eac3", ".flac", ".flv", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2"),
        *(".mp3", ".mp4", ".mpc", ".mpeg", ".mpg", ".npz", ".oga", ".ogg", ".ogv", ".opus", ".snd"),
        *(".spx", ".tak", ".ts", ".tta", ".voc", ".w64", ".wav", ".weba", ".webm", ".wma", ".wmv"),
        ".wv",
    )
)

_A_HANDFUL = 20  # files that are done before further processes would be up
_LOOK_AHEAD = 16  # files a worker that may be finished while an earlier one is not
_ENDING = 5.0  # s that a process whose pipe is closed may take to end by itself


@dataclass(frozen=True, slots=True)
class Failure:
    """A file of a batch that has no result.

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
        from topgenre.audio.source import printable

        # A new error has no traceback, which would keep the sound of every failed file in memory;
        # and its message is one line, whatever characters the file's name is made of.
        return cls(path, type(error)(printable(str(error))), details)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "path": self.path,
            "error": {"type": self.error.code, "message": str(self.error)},
        }


Outcome = Result | Failure

T = TypeVar("T")
Work = Callable[["Classifier", str], T]


def find_audio(paths: Iterable[str | os.PathLike[str]]) -> list[str | Failure]:
    """Find the music files in folders, and keep the files that are named.

    Folders are searched with all folders in them, in the order of names. Hidden files and folders
    are left out. Links are followed, but no folder is searched twice.

    Parameters
    ----------
    paths : iterable of path-like
        Files and folders.

    Returns
    -------
    list of str or Failure
        Files, whether they exist or not, and a failure for each folder that holds no music or
        cannot be read. `classify_files` takes both.
    """
    found: list[str | Failure] = []
    for path in [os.fspath(path) for path in paths]:
        # Not `os.path.isdir`: a null character in a name is for the one who opens it to report.
        if path == STANDARD_INPUT or not is_folder(path):
            found.append(path)
            continue
        found += list(search_folder(path, set())) or [no_music(path)]
    return found


def is_folder(path: str) -> bool:
    """Tell whether there is a folder of this name, and never raise."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def no_music(folder: str) -> Failure:
    """Return what is said of a folder without any music."""
    return Failure.of(
        folder,
        SourceNotFoundError(f"{folder}: there is no music file in this folder; name another one"),
    )


def default_jobs(n_files: int) -> int:
    """Return how many worker processes are worth their start for this number of files."""
    if n_files <= _A_HANDFUL:
        return 1
    # Python 3.13 knows how many processors this process may use; earlier ones how many there are.
    count = getattr(os, "process_cpu_count", os.cpu_count)
    return max(1, count() or 1)


def classify_files(
    paths: Sequence[str | Failure],
    *,
    model: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    whole: bool = False,
) -> Generator[Outcome, None, None]:
    """Classify files one by one, or side by side; each outcome comes as soon as its turn has come.

    Parameters
    ----------
    paths : sequence of str or Failure
        Files, ``-`` for standard input, and failures, which are passed on in their place.
    model : path-like, optional
        Model file; by default the model that comes with the package.
    jobs : int, optional
        Worker processes; 1 does all in this process, as does standard input. By default 1 for a
        handful of files and else one for each processor. A script that asks for more than one must
        guard its own start with ``if __name__ == "__main__":``, as `multiprocessing` demands.
    whole : bool
        Classify whole tracks over time instead of their middle 10 s.

    Yields
    ------
    Result or Failure
        One for each path, in the order of the paths. To leave early, close the iterator.

    Raises
    ------
    ModelError
        If the model file is missing, damaged, or no topgenre model.
    TopgenreError
        If worker processes cannot be started.
    ValueError
        If `jobs` is below 1.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    jobs = min(default_jobs(len(paths)) if jobs is None else jobs, max(1, len(paths)))
    work = classify_whole_file if whole else classify_file
    if jobs == 1 or STANDARD_INPUT in paths:
        yield from _one_by_one(paths, model, work)
    else:
        yield from _side_by_side(paths, model, jobs, work)


def search_folder(folder: str, seen: set[tuple[int, int]]) -> Iterator[str | Failure]:
    """Find the music files in a folder one by one, as `find_audio` does.

    Parameters
    ----------
    folder : str
    seen : set
        Identities of folders that have been searched; those are left out, and others added.

    Yields
    ------
    str or Failure
        Files, and a failure for each folder that cannot be read.
    """
    try:
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            return
        seen.add(identity)
        with os.scandir(folder) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        yield Failure.of(
            folder,
            SourceNotFoundError(
                f"{folder}: the folder cannot be read ({reason}); check its permissions"
            ),
        )
        return
    for entry in listing:
        if entry.name.startswith("."):
            continue
        if is_folder(entry.path):
            yield from search_folder(entry.path, seen)
        # A pipe or a device in a folder might keep the whole batch waiting for ever.
        elif Path(entry.name).suffix.lower() in SUFFIXES and _may_be_file(entry):
            yield entry.path


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    try:
        # A link to nowhere is kept: that a piece of music is gone is worth a word.
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True


def _one_by_one(
    paths: Sequence[str | Failure],
    model: str | os.PathLike[str] | None,
    work: Work[Result],
) -> Iterator[Outcome]:
    from topgenre.classifier import load

    classifier = load(model)
    for path in paths:
        yield path if isinstance(path, Failure) else _attempt(work, classifier, path)


def classify_file(classifier: Classifier, path: str) -> Result:
    """Classify a file, or ``-`` for standard input, under the name that it was called by.

    Raises
    ------
    TopgenreError
        As `topgenre.classifier.Classifier.classify` does.
    """
    return _classified(classifier.classify, path)


def classify_whole_file(classifier: Classifier, path: str) -> Result:
    """Classify a whole track over time, as `classify_file` does the middle of one."""
    return _classified(classifier.classify_whole, path)


def _classified(classify: Callable[..., Result], path: str) -> Result:
    if path == STANDARD_INPUT:
        result = classify(sys.stdin.buffer, name="standard input")
    else:
        result = classify(path)
    # Not what a preprocessed file says it was made from.
    return replace(result, path=path)


def in_processes(
    work: Work[T],
    paths: Iterable[str],
    *,
    jobs: int,
    model: str | os.PathLike[str] | None = None,
    time_limit: float | None = None,
) -> Generator[tuple[str, T | Failure], None, None]:
    """Do any work with files in worker processes, and give each outcome as soon as it is there.

    Nothing that a file does to the process that reads it does anything to this one.

    Parameters
    ----------
    work : callable
        Takes a classifier and a path; both it and what it returns must be fit for `pickle`. A
        `TopgenreError` that it raises is the failure of that file alone.
    paths : iterable of str
        Files; taken one by one, when there is a process that is free for the next.
    jobs : int
        Worker processes, at least 1. As with `classify_files`, a script must guard its own start.
    model : path-like, optional
        Model file; by default the model that comes with the package.
    time_limit : float, optional
        Seconds after which a process is ended, and its file counts as failed.

    Yields
    ------
    tuple of str and (what `work` returns or Failure)
        In the order in which they are done. To leave early, close the iterator.

    Raises
    ------
    ModelError
        If the model file is missing, damaged, or no topgenre model.
    TopgenreError
        If worker processes cannot be started.
    """
    numbered = enumerate(paths)
    in_hand: dict[int, str] = {}
    pool = _Pool(model, jobs, work, time_limit)
    try:
        waiting = next(numbered, None)
        while waiting or in_hand:
            while waiting and pool.assign(*waiting):
                in_hand.update([waiting])
                waiting = next(numbered, None)
            for number, outcome in pool.outcomes().items():
                yield in_hand.pop(number), outcome
    finally:
        pool.stop()


def _attempt(work: Work[T], classifier: Classifier, path: str) -> T | Failure:
    try:
        return work(classifier, path)
    except TopgenreError as error:
        return Failure.of(path, error)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        return Failure.of(
            path,
            InternalError(f"{path}: a fault in topgenre ({reason}); please report it"),
            traceback.format_exc(),
        )


def _side_by_side(
    paths: Sequence[str | Failure],
    model: str | os.PathLike[str] | None,
    jobs: int,
    work: Work[Result],
) -> Iterator[Outcome]:
    waiting = deque(enumerate(paths))
    finished: dict[int, Outcome] = {}
    pool = _Pool(model, jobs, work)
    try:
        for turn in range(len(paths)):
            while turn not in finished:
                # Hand out work, though not too far ahead of the file whose turn it is.
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


class _Pool:
    """Worker processes, each with at most one file in hand; one that ends is replaced."""

    def __init__(
        self,
        model: str | os.PathLike[str] | None,
        jobs: int,
        work: Work[Any],
        time_limit: float | None = None,
    ) -> None:
        self._model = model
        self._jobs = jobs
        self._work = work
        self._time_limit = time_limit
        self._workers: list[_Worker] = []

    def assign(self, number: int, path: str) -> bool:
        """Give a file to an idle worker, if there is one."""
        while len(self._workers) < self._jobs:
            self._workers.append(_Worker(self._model, self._work))
        for worker in [worker for worker in self._workers if worker.task is None]:
            if worker.assign(number, path):
                return True
            self._discard(worker)  # it was killed while it had nothing to do
        return False

    def outcomes(self) -> dict[int, Any]:
        """Wait for workers to report, or to end, and return what came of the files in hand."""
        busy = [worker for worker in self._workers if worker.task]
        limit = self._time_limit
        patience = None
        if limit is not None:
            patience = max(0.0, min(worker.since for worker in busy) + limit - time.monotonic())
        reporting = wait([worker.connection for worker in busy], patience)
        outcomes: dict[int, Any] = {}
        for worker in busy:
            if worker.connection not in reporting:
                if limit is not None and time.monotonic() - worker.since >= limit:
                    number, outcomes[number] = worker.overrun(limit)
                    self._discard(worker)
                continue
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                number, outcomes[number] = worker.crash()
                self._discard(worker)
                continue
            if worker.ready:
                outcomes[worker.finish()] = message
            elif message is None:
                worker.ready = True
            else:
                raise message
        return outcomes

    def stop(self) -> None:
        """End all workers at once."""
        for worker in self._workers[:]:
            self._discard(worker)

    def _discard(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.stop()


class _Worker:
    """A process that does its work with one file after the other.

    Its first message is None, or the error that keeps it from working; each later one is an
    outcome. Its pipe is at an end when the process is.
    """

    def __init__(self, model: str | os.PathLike[str] | None, work: Work[Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, model, work), daemon=True)
        with _interrupts_held():
            self._process.start()
        theirs.close()
        self.ready = False
        self.task: tuple[int, str] | None = None
        self.since = 0.0  # when the file in hand was given, on the monotonic clock

    def assign(self, number: int, path: str) -> bool:
        """Give the process its next file; tell whether it was there to take it."""
        try:
            self.connection.send(path)
        except OSError:
            # One that ended before it was ready is not idle but unusable: `crash` says so.
            if self.ready:
                return False
        self.task = (number, path)
        self.since = time.monotonic()
        return True

    def finish(self) -> int:
        """Return the number of the file in hand, which is in hand no longer."""
        assert self.task is not None
        number, self.task = self.task[0], None
        return number

    def crash(self) -> tuple[int, Failure]:
        """Blame the file in hand for the end of the process."""
        self._process.join(_ENDING)
        status = self._process.exitcode or 0
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if not self.ready or self.task is None:
            raise TopgenreError(
                f"a worker process ended before it could work ({how}); do without: use one job"
            )
        number, path = self.task
        return number, Failure.of(
            path,
            CrashedError(
                f"{path}: it ended the process that decoded it ({how}); "
                "memory may be short, or the file may be made to do harm"
            ),
        )

    def overrun(self, limit: float) -> tuple[int, Failure]:
        """Blame the file in hand for taking too long."""
        assert self.task is not None
        number, path = self.task
        return number, Failure.of(
            path,
            OverrunError(
                f"{path}: not done after {limit:g} s, and given up; "
                "the disk may be slow, or the file made to do harm"
            ),
        )

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _work(connection: Connection, model: str | os.PathLike[str] | None, work: Work[Any]) -> None:
    # Where it is not held off already: what to do about Ctrl-C is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from topgenre.classifier import load

    # When the parent is gone, so is the reason to say anything.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            classifier = load(model)
        except TopgenreError as error:
            connection.send(error)
            return
        connection.send(None)
        while True:
            connection.send(_attempt(work, classifier, connection.recv()))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach; one that comes meanwhile is not lost."""
    if sys.platform == "win32":
        yield
        return
    # The first process starts a helper of multiprocessing, which would lift the block.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
