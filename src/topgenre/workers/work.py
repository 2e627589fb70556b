"""Process one file in this process; choose the number of processes for many."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from topgenre.errors import CrashedError, InternalError, TopgenreError, one_line
from topgenre.result import Failure

if TYPE_CHECKING:
    from topgenre.classifier import Classifier

T = TypeVar("T")
Work = Callable[["Classifier", str], T]

TIME_LIMIT = 600.0  # s for one file; a hundred times what a slow disk needs for a long one

_A_HANDFUL = 20  # files that are done before more processes have started


def default_jobs(n_files: int) -> int:
    """Return a suitable number of worker processes for a number of files."""
    return 1 if n_files <= _A_HANDFUL else processors()


def processors() -> int:
    """Return the number of processors that this process may use."""
    # Python 3.13 counts the processors that this process may use, earlier versions all.
    count = getattr(os, "process_cpu_count", os.cpu_count)
    return max(1, count() or 1)


def attempt(work: Work[T], classifier: Classifier, path: str) -> T | Failure:
    """Process one file in this process, and turn exceptions into a failure."""
    try:
        return work(classifier, path)
    except TopgenreError as error:
        return Failure.of(path, error)
    except MemoryError:
        return Failure.of(
            path,
            CrashedError(
                f"{path}: it needs more memory than is available; "
                "close other programs, or the file may be malicious"
            ),
        )
    except Exception as error:
        return Failure.of(
            path,
            InternalError(f"{path}: a bug in topgenre ({one_line(error)}); please report it"),
            traceback.format_exc(),
        )
