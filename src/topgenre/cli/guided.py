"""``topgenre`` alone in a terminal: a few questions instead of options."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.request import url2pathname

import typer

from topgenre.cli import classify, interrupt
from topgenre.errors import OutputError
from topgenre.library.find import find_audio
from topgenre.result import Failure

_GENRES = 3

Answer = TypeVar("Answer")


class _InvalidAnswerError(Exception):
    """An answer that cannot be used, and why."""


def run() -> int:
    """Ask what to do, do it, and return the exit code."""
    typer.echo("Which genres does your music belong to? Ctrl-C leaves.\n")
    try:
        with interrupt.raised():
            request = _request()
    except (EOFError, KeyboardInterrupt):
        typer.echo("\nNothing done. Bye!")
        return 0
    typer.echo()
    code = classify.run(request)
    drawn = request.chart or request.charts
    if drawn and code == 0:
        typer.echo(f"drawn: {drawn}")
    return code


def _request() -> classify.Request:
    with _path_completion():
        paths = _ask("Music file, or a folder of them (type it or drag it here): ", _music)
    top = _ask(f"How many genres to name [{_GENRES}]: ", _count)
    with _path_completion():
        if len(paths) > 1:
            charts = _ask("Folder to draw chart pictures in [none]: ", _folder)
            return classify.Request(paths, top=top, charts=charts)
        chart = _ask("Chart picture to draw, .png or .svg [none]: ", _picture)
        return classify.Request(paths, top=top, chart=chart)


def spoken_paths(text: str) -> list[str]:
    """Read what a user types, pastes or drags into a terminal as one path or several.

    Understood are plain paths, with or without spaces; paths in quotes or with escaped spaces, as
    terminals write a file that is dragged in; ``~``; and ``file://`` addresses.
    """
    text = text.strip()
    if not text:
        return []
    as_it_is = _local(text)
    if Path(as_it_is).exists():
        return [as_it_is]
    words = [text.removeprefix("& ").strip("\"'")]  # as PowerShell calls what is dragged in
    if os.name == "posix":
        # No words at all where a quote stays open.
        with suppress(ValueError):
            words = shlex.split(text)
    paths = [_local(word) for word in words]
    if len(paths) > 1 and not all(Path(path).exists() for path in paths):
        return [as_it_is]
    return paths


def _local(text: str) -> str:
    if text.lower().startswith("file://"):
        # Not `urlsplit(...).path`: a question mark or a hash may stand unescaped in a file name.
        return url2pathname(re.sub(r"(?i)^file://(localhost)?", "", text))
    with suppress(RuntimeError):  # of a user who does not exist
        return str(Path(text).expanduser()) if text.startswith("~") else text
    return text


def _music(text: str) -> list[str | Failure]:
    paths = spoken_paths(text)
    if not paths:
        raise _InvalidAnswerError("name a music file, or a folder of them")
    for path in paths:
        if not Path(path).exists():
            raise _InvalidAnswerError(f"{path}: there is no such file or folder")
    found = find_audio(paths)
    if all(isinstance(path, Failure) for path in found):
        raise _InvalidAnswerError(
            str(found[0].error) if isinstance(found[0], Failure) else "nothing found"
        )
    return found


def _count(text: str) -> int:
    if not text:
        return _GENRES
    if not text.isdecimal() or int(text) < 1:
        raise _InvalidAnswerError(f"{text} is no number from 1 upwards")
    return int(text)


def _picture(text: str) -> Path | None:
    paths = spoken_paths(text)
    if not paths:
        return None
    path = Path(paths[0])
    from topgenre.charts.canvas import picture_format

    picture_format(path)
    if not path.parent.is_dir():
        raise _InvalidAnswerError(f"{path.parent}: there is no such folder")
    if path.exists() and not typer.confirm(f"{path} exists. Replace it?"):
        raise _InvalidAnswerError("then choose another name")
    return path


def _folder(text: str) -> Path | None:
    paths = spoken_paths(text)
    if not paths:
        return None
    path = Path(paths[0])
    if path.exists() and not path.is_dir():
        raise _InvalidAnswerError(f"{path}: this is a file, not a folder")
    return path


def _ask(question: str, understand: Callable[[str], Answer]) -> Answer:
    """Ask until the answer can be used."""
    while True:
        try:
            return understand(input(question).strip())
        except (_InvalidAnswerError, OutputError) as error:
            typer.echo(f"  {error}")


@contextmanager
def _path_completion() -> Iterator[None]:
    """Let the tabulator key complete paths, where the terminal library can do it."""
    try:
        import readline
    except ImportError:
        yield
        return
    before = readline.get_completer(), readline.get_completer_delims()
    readline.set_completer(_complete)
    readline.set_completer_delims("")  # the whole line is one path, spaces and all
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    try:
        yield
    finally:
        readline.set_completer(before[0])
        readline.set_completer_delims(before[1])


def _complete(text: str, state: int) -> str | None:
    folder = text[: text.rfind("/") + 1]
    begin = text.removeprefix(folder)
    matches: list[str] = []
    with suppress(OSError, RuntimeError):  # of a folder or a user that does not exist
        matches = sorted(
            f"{folder}{path.name}{'/' if path.is_dir() else ''}"
            for path in Path(folder or ".").expanduser().iterdir()
            if path.name.startswith(begin) and (begin or not path.name.startswith("."))
        )
    return matches[state] if state < len(matches) else None
