"""Run folders of foreign test files through topgenre: ``python fuzz/corpora.py FOLDER...``.

Meant are the test files of mutagen, TagLib and mediafile: fetch their repositories, and name the
folders ``tests/data`` and ``test/rsrc`` in them. Nothing in the folders is changed, as all work is
done on copies. Each file goes through ``topgenre classify`` and ``topgenre scan``, and through what
``topgenre tag`` writes and ``topgenre tag --undo`` takes back, whether or not it holds any music.
The totals are printed. The exit code is 1 if a file was damaged, or a command ended in a traceback.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import mutagen
from mutagen.id3 import ID3, ID3FileType

from topgenre.errors import TagError
from topgenre.tagging.formats import GenreTag
from topgenre.tagging.process import read_genre, restore_genre, write_genre

_GENRES = (("Jazz",), ("Jazz", "Дабстеп"))
_NAMES = re.compile(r"TCON|TCO|genre|WM/Genre|\xa9gen|----:.*:genre", re.IGNORECASE)


def main(folders: Iterable[Path], *, verbose: bool) -> int:
    """Go through all files, print totals, and return how many things went wrong."""
    wrong = 0
    with tempfile.TemporaryDirectory() as home:
        for number, folder in enumerate(folders):
            copies = Path(home, f"{number}")
            shutil.copytree(folder, copies, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
            files = sorted(path for path in copies.rglob("*") if path.is_file())
            sys.stdout.write(f"{folder}: {len(files)} files\n")
            for command in ("classify", "scan"):
                wrong += _command(command, copies, files, Path(home, f"{number}.sqlite3"))
            counts: Counter[str] = Counter()
            for path in files:
                outcome = _tagged(path, path.read_bytes())
                counts[outcome.partition(":")[0]] += 1
                if verbose or outcome.startswith("WRONG"):
                    sys.stdout.write(f"    {path.relative_to(copies)}: {outcome}\n")
            wrong += counts["WRONG"]
            sys.stdout.write(f"  tag: {_said(counts)}\n")
    return wrong


def _command(command: str, folder: Path, files: Iterable[Path], catalogue: Path) -> int:
    """Run a command over the files, print what became of them, and return whether it failed."""
    given = [str(path) for path in files] if command == "classify" else [str(folder)]
    more = ["--json"] if command == "classify" else ["--catalog", str(catalogue)]
    line = [sys.executable, "-m", "topgenre", command, *given, *more]
    ended = subprocess.run(line, capture_output=True, text=True, errors="replace", check=False)
    counts: Counter[str] = Counter()
    for text in ended.stdout.splitlines() if command == "classify" else ():
        record = json.loads(text)
        error = record.get("error")
        counts[f"error {error['type']}" if error else record.get("action", "result")] += 1
    failed = "Traceback" in ended.stderr or ended.returncode not in (0, 1)
    said = _said(counts) if counts else " / ".join(ended.stderr.splitlines()[-2:])
    sys.stdout.write(f"  {command}: {said}{', TRACEBACK' if failed else ''}\n")
    return failed


def _tagged(path: Path, data: bytes) -> str:
    """Write genres into a file one after the other, take them back, and say what came of it."""
    name = str(path)
    noted: list[tuple[GenreTag, GenreTag]] = []
    try:
        before, others = read_genre(name), _others(path)
        for genres in _GENRES:
            write_genre(name, genres, commit=lambda old, new: noted.append((old, new)))
            if read_genre(name).genres != genres:
                return f"WRONG: reads {read_genre(name).genres}"
            if _others(path) != others:
                return f"WRONG: other tags differ, {others} is now {_others(path)}"
        for change in reversed(noted):
            restore_genre(name, change)
    except TagError as error:
        if not noted and path.read_bytes() != data:
            return f"WRONG: changed, and {error}"
        return f"refused: {error}" if not noted else f"WRONG: {error}"
    if read_genre(name) != before:
        return f"WRONG: {before} is now {read_genre(name)}"
    return "taken back to the byte" if path.read_bytes() == data else "taken back"


def _others(path: Path) -> dict[str, str]:
    """Return what mutagen reads besides genres."""
    try:
        file = mutagen.File(path)
        tags = file.tags if file is not None else None
        if isinstance(tags, ID3) and isinstance(file, ID3FileType):
            tags = ID3(path, load_v1=False)  # or it makes up ID3v2 of ID3v1
    except Exception:  # whatever it raises over damaged files
        return {}
    if tags is None:
        return {}
    items = tags if isinstance(tags, list) else tags.items()
    return {str(key): repr(value) for key, value in items if not _NAMES.fullmatch(str(key))}


def _said(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.most_common()) or "nothing"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--verbose", action="store_true", help="say what became of each file")
    arguments = parser.parse_args()
    sys.exit(bool(main(arguments.folders, verbose=arguments.verbose)))
