"""Guide a user who runs ``topgenre`` alone: a few questions instead of options."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar
from urllib.request import url2pathname

import typer

from topgenre.cli import classify, interrupt, printing, suggestions
from topgenre.errors import OutputError
from topgenre.files import user_file
from topgenre.library.find import SUFFIXES, find_audio, search_folder
from topgenre.result import Failure, Result
from topgenre.text import printable

_GENRES = 3
_INBOX = "music"  # folder below the current one whose files are offered
_MOST_COUNTED = 1000  # files to count in an offered folder

Answer = TypeVar("Answer")


class _InvalidAnswerError(Exception):
    """An answer that cannot be used, and why."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """A folder of music to choose, and its files."""

    folder: Path
    paths: list[str]
    n_files: int


def run() -> int:
    """Ask what to do, do it, and return the exit code."""
    typer.echo("Which genre is your music? Press Ctrl-C to leave.\n")
    code = 0
    while True:
        try:
            with interrupt.raised():
                request = _request()
        except (EOFError, KeyboardInterrupt):
            typer.echo("\nBye!")
            return code
        typer.echo()
        results: list[Result] = []
        code = classify.run(request, results)
        try:
            with interrupt.raised():
                if results:
                    _recommend(results)
                if not _ask("\nAnother song? [y/N]: ", _yes_or_no):
                    return code
                typer.echo()
        except (EOFError, KeyboardInterrupt):
            typer.echo("\nBye!")
            return code


def _request() -> classify.Request:
    paths = _ask_for_music()
    top = _ask(f"How many genres to list [{_GENRES}]: ", _count)
    whole = _ask("Analyse whole tracks, which takes longer? [y/N]: ", _yes_or_no)
    chart = charts = None
    if len(paths) == 1 and _ask("Draw a chart? [y/N]: ", _yes_or_no):
        chart = _ask_for_path("Chart file, .png or .svg", _free_name(paths[0]), _picture)
    elif len(paths) > 1 and _ask("Draw a chart of each? [y/N]: ", _yes_or_no):
        charts = _ask_for_path("Folder for the charts", Path("charts"), _folder)
    return classify.Request(paths, top=top, whole=whole, chart=chart, charts=charts)


def _ask_for_music() -> list[str | Failure]:
    offers = list(_offers())
    for number, offer in enumerate(offers, 1):
        more = "+" if offer.n_files == _MOST_COUNTED else ""
        files = "file" if offer.n_files == 1 else "files"
        typer.echo(f"  {number}  {_shown(offer.folder)}  ({offer.n_files}{more} {files})")
    if offers:
        question = "\nNumber, or a music file or folder (type it or drag it here) [1]: "
    else:
        typer.echo(f"Tip: put music into a folder called {_INBOX} here; it is only read.")
        question = "Music file or folder (type it or drag it here): "
    with _path_completion():
        return _ask(question, lambda text: _music(text, offers))


def _offers() -> Iterator[_Offer]:
    """Yield folders with music: the inbox, the current folder, and the last one used."""
    seen: set[Path] = set()
    for folder in (Path(_INBOX), Path(), _last_folder()):
        with suppress(OSError):
            if folder is None or folder.resolve() in seen or not folder.is_dir():
                continue
            seen.add(folder.resolve())
            if folder == Path():
                # Without subfolders: this may be a whole home folder.
                found = sorted(
                    entry.name
                    for entry in os.scandir()
                    if Path(entry.name).suffix.lower() in SUFFIXES
                    and not entry.name.startswith(".")
                    and entry.is_file()
                )
                paths, count = found, min(len(found), _MOST_COUNTED)
            else:
                files = islice(search_folder(str(folder), set()), _MOST_COUNTED)
                paths, count = [str(folder)], sum(isinstance(file, str) for file in files)
            if count:
                yield _Offer(folder, paths, count)


def _last_folder_file() -> Path:
    return user_file("last-folder")


def _last_folder() -> Path | None:
    with suppress(OSError):
        return Path(os.fsdecode(_last_folder_file().read_bytes()) or os.devnull)
    return None


def _remember(path: str) -> None:
    """Store the folder of a chosen path, to offer it the next time."""
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    with suppress(OSError):
        file = _last_folder_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.fsencode(folder.absolute()))


def _recommend(results: list[Result]) -> None:
    """Offer recommendations; ask before Deezer learns the artist's name."""
    if not _ask("\nFind similar music? [Y/n]: ", lambda text: _yes_or_no(text, default=True)):
        return
    typer.echo()
    suggestions.print_sections(suggestions.for_results(results))
    artist = printing.song_tags(results[0].path)[0] if len(results) == 1 else None
    if artist:
        question = f"\nAsk Deezer for artists like {_shown(artist)}? [y/N]: "
        if _ask(question, _yes_or_no):
            typer.echo()
            suggestions.print_sections(suggestions.for_results(results, providers=["deezer"]))


def spoken_paths(text: str) -> list[str]:
    """Read one or more paths as a user types, pastes or drags them into a terminal.

    Paths may contain spaces, may be quoted or escaped as terminals do for dragged files, and may
    begin with ``~`` or ``file://``.
    """
    text = text.strip()
    if not text:
        return []
    verbatim = _local(text)
    if Path(verbatim).exists():
        return [verbatim]
    words = [text.removeprefix("& ").strip("\"'")]  # dragged files in PowerShell
    if os.name == "posix":
        # An open quotation mark is an error to `shlex`.
        with suppress(ValueError):
            words = shlex.split(text)
    paths = [_local(word) for word in words]
    if len(paths) > 1 and not all(Path(path).exists() for path in paths):
        return [verbatim]
    return paths


def _local(text: str) -> str:
    if text.lower().startswith("file://"):
        # Not `urlsplit(...).path`: file names may have an unescaped question mark or hash.
        return url2pathname(re.sub(r"(?i)^file://(localhost)?", "", text))
    with suppress(RuntimeError):  # the user does not exist
        return str(Path(text).expanduser()) if text.startswith("~") else text
    return text


def _music(text: str, offers: list[_Offer]) -> list[str | Failure]:
    if offers and not text:
        text = "1"
    if text.isdecimal() and not Path(text).exists() and 0 < int(text) <= len(offers):
        offer = offers[int(text) - 1]
        paths, folder = offer.paths, str(offer.folder)
    else:
        paths = spoken_paths(text)
        if not paths:
            raise _InvalidAnswerError("name a music file or a folder")
        for path in paths:
            if not Path(path).exists():
                raise _InvalidAnswerError(f"{path}: no such file or folder")
        folder = paths[0]
    found = find_audio(paths)
    failures = [path for path in found if isinstance(path, Failure)]
    if len(failures) == len(found):
        raise _InvalidAnswerError(str(failures[0].error) if failures else "no music found")
    _remember(folder)
    return found


def _count(text: str) -> int:
    if not text:
        return _GENRES
    if not text.isdecimal() or int(text) < 1:
        raise _InvalidAnswerError("Enter a number of 1 or more")
    return int(text)


def _yes_or_no(text: str, *, default: bool = False) -> bool:
    if not text:
        return default
    if text.casefold() not in ("y", "yes", "n", "no"):
        raise _InvalidAnswerError("Enter y or n")
    return text.casefold().startswith("y")


def _ask_for_path(question: str, default: Path, check: Callable[[Path], None]) -> Path:
    def understand(text: str) -> Path:
        paths = spoken_paths(text)
        path = Path(paths[0]) if paths else default
        check(path)
        return path

    with _path_completion():
        return _ask(f"{question} [{_shown(default)}]: ", understand)


def _free_name(source: str | Failure) -> Path:
    """Return an unused name for a chart in the current folder."""
    stem = Path(source.path if isinstance(source, Failure) else source).stem
    path, number = Path(f"{stem}.png"), 1
    while path.exists():
        number += 1
        path = Path(f"{stem} {number}.png")
    return path


def _picture(path: Path) -> None:
    from topgenre.charts.canvas import picture_format

    picture_format(path)
    if not path.parent.is_dir():
        raise _InvalidAnswerError(f"{path.parent}: no such folder")
    if path.exists() and not typer.confirm(f"{path} exists. Replace it?"):
        raise _InvalidAnswerError("Choose another name")


def _folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise _InvalidAnswerError(f"{path} is not a folder")


def _ask(question: str, understand: Callable[[str], Answer]) -> Answer:
    """Ask until the answer is valid."""
    while True:
        try:
            return understand(input(question).strip())
        except (_InvalidAnswerError, OutputError) as error:
            typer.echo(f"  {_shown(error)}")


def _shown(text: object) -> str:
    return printable(str(text), "utf-8") if str(text) != "." else "this folder"


@contextmanager
def _path_completion() -> Iterator[None]:
    """Complete paths with the Tab key, if readline is available."""
    try:
        import readline
    except ImportError:
        yield
        return
    before = readline.get_completer(), readline.get_completer_delims()
    readline.set_completer(_complete)
    readline.set_completer_delims("")  # the whole line is one path, with spaces
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
    with suppress(OSError, RuntimeError):  # the folder or the user does not exist
        matches = sorted(
            f"{folder}{path.name}{'/' if path.is_dir() else ''}"
            for path in Path(folder or ".").expanduser().iterdir()
            if path.name.startswith(begin) and (begin or not path.name.startswith("."))
        )
    return matches[state] if state < len(matches) else None
