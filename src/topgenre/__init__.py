"""topgenre: the genres of a piece of music, ranked by calibrated confidence.

>>> import topgenre
>>> result = topgenre.load().classify("song.mp3")  # doctest: +SKIP
>>> result.top(3)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from topgenre._version import __version__ as __version__
except ModuleNotFoundError:  # sources that have been neither built nor installed
    __version__ = "0.1.dev0"

if TYPE_CHECKING:
    from topgenre.classifier import Classifier as Classifier
    from topgenre.classifier import load as load
    from topgenre.errors import TopgenreError as TopgenreError
    from topgenre.result import GenreProbability as GenreProbability
    from topgenre.result import Result as Result

_HOME = {
    "Classifier": "classifier",
    "load": "classifier",
    "TopgenreError": "errors",
    "GenreProbability": "result",
    "Result": "result",
}

__all__ = ["Classifier", "GenreProbability", "Result", "TopgenreError", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # Importing topgenre stays cheap: a name brings its module in when it is first used.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
