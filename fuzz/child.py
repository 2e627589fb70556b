"""One process of the fuzzer: ``python fuzz/child.py TARGET [libFuzzer's flags] CORPUS...``.

``python fuzz/child.py TARGET FILE`` tries a single input again. Atheris sees which lines of Python
an input reaches, in topgenre and in the libraries below that are Python. It sees nothing of
libav and ONNX Runtime; their crashes, hangs and hunger for memory are found all the same.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module

import atheris

with atheris.instrument_imports(include=["topgenre", "mutagen", "zipfile", "numpy.lib"]):
    import_module("mutagen.wave")  # with all that topgenre imports later, within functions
    from targets import TARGETS


def _abort(report: sys.UnraisableHookArgs) -> None:
    """End with a crash what Python would merely print: an error in one of libav's callbacks."""
    traceback.print_exception(report.exc_type, report.exc_value, report.exc_traceback)
    os.abort()


if __name__ == "__main__":
    sys.unraisablehook = _abort
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
