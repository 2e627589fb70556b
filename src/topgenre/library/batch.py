"""Many files in one go: find them, classify them side by side, and lose none to a bad one.

With several jobs, every worker process has one file in hand at a time. So when a hostile file ends
its worker, it is known which one it was, and it costs no other file anything.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topgenre.errors import CrashedError, InternalError, SourceNotFoundError, TopgenreError
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

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "path": self.path,
            "error": {"type": self.error.code, "message": str(self.error)},
        }


Outcome = Result | Failure


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
        if path == STANDARD_INPUT or not _is_folder(path):
            found.append(path)
            continue
        inside = list(_search(path, set()))
        found += inside or [
            _failure(
                path,
                SourceNotFoundError(
                    f"{path}: there is no music file in this folder; name another one"
                ),
            )
        ]
    return found


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
    if jobs == 1 or STANDARD_INPUT in paths:
        yield from _one_by_one(paths, model)
    else:
        yield from _side_by_side(paths, model, jobs)


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def _search(folder: str, seen: set[tuple[int, int]]) -> Iterator[str | Failure]:
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
        yield _failure(
            folder,
            SourceNotFoundError(
                f"{folder}: the folder cannot be read ({reason}); check its permissions"
            ),
        )
        return
    for entry in listing:
        if entry.name.startswith("."):
            continue
        if _is_folder(entry.path):
            yield from _search(entry.path, seen)
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
    paths: Sequence[str | Failure], model: str | os.PathLike[str] | None
) -> Iterator[Outcome]:
    from topgenre.classifier import load

    classifier = load(model)
    for path in paths:
        yield path if isinstance(path, Failure) else _outcome(classifier, path)


def _outcome(classifier: Classifier, path: str) -> Outcome:
    try:
        if path == STANDARD_INPUT:
            result = classifier.classify(sys.stdin.buffer, name="standard input")
        else:
            result = classifier.classify(path)
        # Not what a preprocessed file says it was made from.
        return replace(result, path=path)
    except TopgenreError as error:
        return _failure(path, error)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        return _failure(
            path,
            InternalError(f"{path}: a fault in topgenre ({reason}); please report it"),
            traceback.format_exc(),
        )


def _side_by_side(
    paths: Sequence[str | Failure], model: str | os.PathLike[str] | None, jobs: int
) -> Iterator[Outcome]:
    waiting = deque(enumerate(paths))
    finished: dict[int, Outcome] = {}
    pool = _Pool(model, jobs)
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


def _failure(path: str, error: TopgenreError, details: str = "") -> Failure:
    from topgenre.audio.source import printable

    # A new error has no traceback, which would keep the sound of every failed file in memory; and
    # its message is one line, whatever characters the file's name is made of.
    return Failure(path, type(error)(printable(str(error))), details)


class _Pool:
    """Worker processes, each with at most one file in hand; one that ends is replaced."""

    def __init__(self, model: str | os.PathLike[str] | None, jobs: int) -> None:
        self._model = model
        self._jobs = jobs
        self._workers: list[_Worker] = []

    def assign(self, number: int, path: str) -> bool:
        """Give a file to an idle worker, if there is one."""
        while len(self._workers) < self._jobs:
            self._workers.append(_Worker(self._model))
        for worker in [worker for worker in self._workers if worker.task is None]:
            if worker.assign(number, path):
                return True
            self._discard(worker)  # it was killed while it had nothing to do
        return False

    def outcomes(self) -> dict[int, Outcome]:
        """Wait for workers to report, or to end, and return what came of the files in hand."""
        busy = [worker for worker in self._workers if worker.task]
        reporting = wait([worker.connection for worker in busy])
        outcomes: dict[int, Outcome] = {}
        for worker in busy:
            if worker.connection not in reporting:
                continue
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                number, failure = worker.crash()
                outcomes[number] = failure
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
    """A process that classifies one file after the other.

    Its first message is None, or the error that keeps it from working; each later one is an
    outcome. Its pipe is at an end when the process is.
    """

    def __init__(self, model: str | os.PathLike[str] | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, model), daemon=True)
        with _interrupts_held():
            self._process.start()
        theirs.close()
        self.ready = False
        self.task: tuple[int, str] | None = None

    def assign(self, number: int, path: str) -> bool:
        """Give the process its next file; tell whether it was there to take it."""
        try:
            self.connection.send(path)
        except OSError:
            # One that ended before it was ready is not idle but unusable: `crash` says so.
            if self.ready:
                return False
        self.task = (number, path)
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
        return number, _failure(
            path,
            CrashedError(
                f"{path}: it ended the process that decoded it ({how}); "
                "memory may be short, or the file may be made to do harm"
            ),
        )

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _work(connection: Connection, model: str | os.PathLike[str] | None) -> None:
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
            connection.send(_outcome(classifier, connection.recv()))


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
