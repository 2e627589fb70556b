"""Work with one file in this process, and how many processes are worth their start for many."""

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

_A_HANDFUL = 20  # files that are done before further processes would be up


def default_jobs(n_files: int) -> int:
    """Return how many worker processes are worth their start for this number of files."""
    if n_files <= _A_HANDFUL:
        return 1
    # Python 3.13 knows how many processors this process may use; earlier ones how many there are.
    count = getattr(os, "process_cpu_count", os.cpu_count)
    return max(1, count() or 1)


def attempt(work: Work[T], classifier: Classifier, path: str) -> T | Failure:
    """Do the work with one file in this process, and turn what is raised into a failure."""
    try:
        return work(classifier, path)
    except TopgenreError as error:
        return Failure.of(path, error)
    except MemoryError:
        return Failure.of(
            path,
            CrashedError(
                f"{path}: it takes more memory than there is for it; "
                "close other programs, or the file may be made to do harm"
            ),
        )
    except Exception as error:
        return Failure.of(
            path,
            InternalError(f"{path}: a fault in topgenre ({one_line(error)}); please report it"),
            traceback.format_exc(),
        )
