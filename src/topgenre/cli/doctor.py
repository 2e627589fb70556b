"""Implement ``topgenre doctor``: check an installation, and describe it."""

from __future__ import annotations

import io
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from topgenre import __version__
from topgenre.errors import TopgenreError

_PACKAGES = ("numpy", "av", "soxr", "onnxruntime", "fastapi", "httpx", "matplotlib")
_FORMATS = {
    "mp3": "mp3float",
    "aac, m4a": "aac",
    "flac": "flac",
    "ogg": "vorbis",
    "opus": "opus",
    "wma": "wmav2",
    "alac": "alac",
    "ape": "ape",
}  # formats, and the decoders they need


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Check that this installation works.")(doctor)


def doctor(
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Model to check.  [default: the bundled model]"),
    ] = None,
) -> None:
    """Print versions, codecs and the model's card, and classify a synthetic song.

    The exit code is 1 if anything is wrong. Paste the output into bug reports.
    """
    checks: dict[str, Callable[[], Iterator[str]]] = {
        "versions": _versions,
        "decoders": _decoders,
        "model": lambda: _model(model),
        "self-test": lambda: _self_test(model),
    }
    failed = 0
    for name, check in checks.items():
        try:
            lines = list(check())
            mark = "ok"
        # A failed check does not stop the others.
        except Exception as error:
            kind = "" if isinstance(error, TopgenreError) else f"{type(error).__name__}: "
            lines, mark = [f"{kind}{error}"], "WRONG"
            failed += 1
        typer.echo(f"{name}: {mark}")
        for line in lines:
            typer.echo(f"  {line}")
    raise typer.Exit(1 if failed else 0)


def _versions() -> Iterator[str]:
    from importlib.metadata import version  # slow to import, and no other command needs it

    yield f"topgenre {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    yield f"{os.cpu_count()} processors"


def _decoders() -> Iterator[str]:
    import av

    missing = [name for name, codec in _FORMATS.items() if codec not in av.codecs_available]
    yield "available: " + ", ".join(name for name in _FORMATS if name not in missing)
    if missing:
        yield "missing: " + ", ".join(missing)


def _model(path: Path | None) -> Iterator[str]:
    from topgenre.classifier import load

    info = load(path).info
    yield f"{info.name}: {', '.join(info.genres)}"
    measured = info.card.get("measured")
    if measured:
        value, low, high = measured["figures"]["accuracy"]
        yield f"accuracy {value:.3f} [{low:.3f}, {high:.3f}], n = {measured['n']}"
        yield f"measured on {measured['split']}"


def _self_test(path: Path | None) -> Iterator[str]:
    from topgenre.classifier import load
    from topgenre.demo import STYLES, synthesise
    from topgenre.demo.encode import encode

    classifier = load(path)
    file = io.BytesIO(encode(synthesise(STYLES[0], seconds=12.0), ".flac"))
    classifier.classify(file, name="synthetic song")
    begin = time.perf_counter()
    result = classifier.classify(file, name="synthetic song")
    seconds = time.perf_counter() - begin
    total = sum(probability for _, probability in result.genres)
    if abs(total - 1) > 1e-4:
        raise TopgenreError(f"the probabilities sum to {total:.4f}; the model file is damaged")
    yield f"decoded and classified 10 s of a synthetic song in {1e3 * seconds:.0f} ms"
