"""Write a report as a page: one HTML file with everything in it, which loads nothing else.

The page is complete without its scripts but for the map; they sort and filter what is there. It
shares colours and type with the page of ``topgenre serve``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from topgenre import __version__
from topgenre.charts.wording import percent
from topgenre.design import icon_url, style
from topgenre.files import write_whole
from topgenre.report.summary import GenreCount, Report
from topgenre.result import display_name
from topgenre.text import json_safe, printable, without_controls

SUFFIXES = (".html", ".htm")
HEAD = b"<!doctype html>\n<!-- topgenre report -->"  # by which a file may be replaced

_STYLES = ("page.css", "map.css", "review.css")
_MAP_SCRIPTS = ("map-songs.js", "map-drawing.js", "map-choice.js", "map-input.js")  # one module
_TONES = 10  # of the style sheet
# Windows in which a name has room below the wave: how wide that is at least, and a letter of it, in
# pixels. The first that is wide enough counts.
_ROOM = (("any-room", 328, 7.5), ("some-room", 590, 9.0), ("much-room", 880, 10.0))
_REASONS = {
    "too_short": "Too short",
    "silent": "Silent",
    "not_audio": "Not a sound file",
    "no_audio_stream": "No sound track",
    "damaged_audio": "Damaged",
    "not_found": "Could not be read",
    "overrun": "Took too long",
    "crashed": "Crashed the reader",
    "internal": "A fault of topgenre",
}
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def save(report: Report, path: str | Path, *, written: datetime) -> None:
    """Write a report as a page.

    Parameters
    ----------
    report : Report
    path : str or Path
        An earlier report of this name is replaced in one step.
    written : datetime
        Date of the report.

    Raises
    ------
    OutputError
        If another program's file has this name, or the page cannot be written.
    """
    write_whole(path, render(report, written=written).encode(), HEAD)


def render(report: Report, *, written: datetime) -> str:
    """Return a report as a page; see `save`."""
    sheet = style("tokens", "base", "controls") + "".join(_part("styles", name) for name in _STYLES)
    sheet += _numbers_in_style(report)
    scripts = [_part("scripts", "review.js")]
    if report.songs:
        scripts.append("".join(_part("scripts", name) for name in _MAP_SCRIPTS))
    policy = (
        f"default-src 'none'; script-src {_digests(scripts)}; style-src {_digests([sheet])}; "
        "img-src data:; media-src file:; base-uri 'none'; form-action 'none'"
    )
    # A genre has the tone that the page of `topgenre serve` gives it.
    names = sorted(count.genre for count in report.genres)
    tones = {genre: number % _TONES for number, genre in enumerate(names)}
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            policy=policy,
            icon=Markup(icon_url()),
            style=Markup(sheet),
            scripts=[Markup(script) for script in scripts],
            tones=tones,
            bellies=_bellies(report),
            on_map=_counted(report),
            map_data=Markup(_map_data(report, tones)),
            reasons=_REASONS,
            written=written,
            version=__version__,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("topgenre.report"),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "genre": display_name,
        "percent": percent,
        "count": _count,
        "number": lambda number: f"{number:,}",
        "address": _address,
        "below": _below,
        "hours": lambda hours: f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}",
        "reason": _reason,
        "correction": _correction,
        "file_name": lambda path: plain(Path(path).stem),
        "quoted": lambda text: shlex.quote(plain(text)),
    }
    return environment


def _shown(value: object) -> object:
    """Return what a template shows of a value: text without control characters."""
    return value if isinstance(value, Markup) else plain("" if value is None else str(value))


def plain(text: str) -> str:
    """Escape control characters and raw bytes of file names; drop what reverses text."""
    return without_controls(str(json_safe(text)).translate(_CONTROLS))


def _bellies(report: Report) -> list[dict[str, Any]]:
    """Draw the library as one sounding string, with a belly for each genre."""
    bellies = []
    begin = 0.0
    for number, (genre, songs, _) in enumerate(report.genres):
        if not songs:
            continue
        share = songs / report.songs
        end = begin + 1000 * share
        middle = (begin + end) / 2
        swing = 96 * (songs / report.genres[0].songs) ** 0.5
        name = display_name(genre)
        fitting = (room for room, width, letter in _ROOM if len(name) * letter <= share * width)
        bellies.append(
            {
                "genre": genre,
                "number": number,
                "songs": songs,
                "room": next(fitting, "no-room"),
                "path": f"M{begin:.1f} 50Q{middle:.1f} {50 - swing:.1f} {end:.1f} 50"
                f"Q{middle:.1f} {50 + swing:.1f} {begin:.1f} 50Z",
            }
        )
        begin = end
    return bellies


def _counted(report: Report) -> list[GenreCount]:
    """Count the songs on the map by genre, in the order of the ranking."""
    counts = dict.fromkeys((genre for genre, *_ in report.genres), 0)
    for song in report.map.songs:
        counts[song.genres[0].genre] += 1
    return [GenreCount(genre, count, 0) for genre, count in counts.items() if count]


def _map_data(report: Report, tones: dict[str, int]) -> str:
    """Return the map's songs as compact JSON, for there are thousands."""
    folders: dict[str, int] = {}
    genres = list(tones)
    songs = []
    for song, (x, y) in zip(report.map.songs, report.map.points, strict=True):
        folder, _, file = _address(song.path).rpartition("/")
        genre, probability = song.genres[0]
        songs.append(
            [
                *(round(float(x), 4), round(float(y), 4)),
                *(genres.index(genre), percent(probability), int(song.uncertain)),
                *(plain(song.name), folders.setdefault(folder, len(folders)), file),
            ]
        )
    named = [[plain(genre), display_name(plain(genre)), tone] for genre, tone in tones.items()]
    record = {"genres": named, "folders": list(folders), "songs": songs}
    # Only a `<` could end the script element that this stands in.
    return json.dumps(record, separators=(",", ":")).replace("<", "\\u003c")


def _reason(message: str, path: str) -> str:
    """Return why a file failed, without its path, which stands beside it."""
    _, _, rest = message.partition(f"{printable(path)}: ")
    return rest or message


def _correction(path: str) -> str:
    """Return the command that corrects a song's genre, up to the genre."""
    return f"topgenre correct {shlex.quote(plain(path))} "


def _address(path: str) -> str:
    """Return a path as an address, byte for byte."""
    return PurePath(path).as_uri()


def _below(path: str, place: str) -> str:
    return os.path.relpath(path, place) if place else path


def _numbers_in_style(report: Report) -> str:
    """Return style rules with the report's numbers, as its policy forbids styles in elements."""
    rules = []
    most = max((genre.songs for genre in report.genres), default=0) or 1
    for number, (_, songs, unsure) in enumerate(report.genres):
        rules.append(
            f".g{number}{{--part:{songs / max(report.songs, 1):.5f};"
            f"--sure:{(songs - unsure) / most:.5f};--unsure:{unsure / most:.5f}}}"
        )
    highest = max(bin_.songs for bin_ in report.confidence) or 1
    for number, (_, _, songs, unsure) in enumerate(report.confidence):
        rules.append(
            f".c{number}{{--sure:{(songs - unsure) / highest:.5f};--unsure:{unsure / highest:.5f}}}"
        )
    return "\n".join(rules)


def _digests(blocks: Iterable[str]) -> str:
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()}'"
        for block in blocks
    )


def _part(folder: str, name: str) -> str:
    return (resources.files("topgenre.report") / folder / name).read_text("utf-8")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
