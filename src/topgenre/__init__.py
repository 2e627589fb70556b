"""Identify the genre of music: genres ranked by calibrated confidence.

>>> import topgenre
>>> result = topgenre.load().classify("song.mp3")  # doctest: +SKIP
>>> result.top(3)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from topgenre._version import __version__ as __version__
except ModuleNotFoundError:  # sources that have been neither built nor installed
    __version__ = "1.0.1.dev0"

if TYPE_CHECKING:
    from topgenre.classifier import Classifier as Classifier
    from topgenre.classifier import load as load
    from topgenre.errors import AudioError as AudioError
    from topgenre.errors import ModelError as ModelError
    from topgenre.errors import PreprocessedFileError as PreprocessedFileError
    from topgenre.errors import TopgenreError as TopgenreError
    from topgenre.head import GenreHead as GenreHead
    from topgenre.library.batch import classify_files as classify_files
    from topgenre.result import Failure as Failure
    from topgenre.result import GenreProbability as GenreProbability
    from topgenre.result import Result as Result
    from topgenre.teaching.teach import teach as teach

_HOME = {
    "Classifier": "classifier",
    "load": "classifier",
    "AudioError": "errors",
    "ModelError": "errors",
    "PreprocessedFileError": "errors",
    "TopgenreError": "errors",
    "GenreHead": "head",
    "classify_files": "library.batch",
    "teach": "teaching.teach",
    "Failure": "result",
    "GenreProbability": "result",
    "Result": "result",
}

__all__ = [
    "AudioError",
    "Classifier",
    "Failure",
    "GenreHead",
    "GenreProbability",
    "ModelError",
    "PreprocessedFileError",
    "Result",
    "TopgenreError",
    "__version__",
    "classify_files",
    "load",
    "teach",
]


def __getattr__(name: str) -> Any:
    # Importing topgenre stays cheap: a name brings its module in when it is first used.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
