"""A catalogue's report as a page: one HTML file with everything in it, that asks for nothing else.

The page is complete without its scripts but for the map; they sort and filter what is there. It
shares colours and type with the page of ``topgenre serve``.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path, PurePath

from topgenre import __version__
from topgenre.charts.wording import percent
from topgenre.design import icon_url, style
from topgenre.files import spare_others, write_whole
from topgenre.library.song import Listed
from topgenre.report.page.markup import Html, data, element, fill, join, plain
from topgenre.report.summary import Failures, GenreCount, Report

SUFFIXES = (".html", ".htm")
HEAD = b"<!doctype html>\n<!-- topgenre report -->"  # by which a file may be replaced

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


def save(report: Report, path: str | Path, *, written: datetime) -> None:
    """Write a report as a page.

    Parameters
    ----------
    report : Report
    path : str or Path
        A report that is there is replaced, whole or not at all.
    written : datetime
        The date that the page tells.

    Raises
    ------
    OutputError
        If there is a file of this name that is no report, or it cannot be written.
    """
    spare_others(Path(path), HEAD)
    write_whole(path, render(report, written=written).encode())


def render(report: Report, *, written: datetime) -> str:
    """Return a report as a page; see `save`."""
    tones = _tones(report)
    sheet = style("tokens", "base") + "".join(
        [*map(_part, ("page.css", "map.css", "review.css")), _shares(report)]
    )
    scripts = [_part("review.js"), *([_part("map.js")] if report.songs else [])]
    policy = (
        f"default-src 'none'; script-src {_digests(scripts)}; style-src {_digests([sheet])}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    sections = [
        _distribution(report, tones),
        _map(report, tones),
        _review(report, tones),
        _failed(report),
    ]
    return fill(
        _part("page.html"),
        policy=policy,
        title=f"{_count(report.songs, 'song')}, by genre: topgenre",
        icon=icon_url(),
        style=Html(sheet),
        contents=_contents(report),
        lead=_lead(report),
        wave=_wave(report, tones),
        numbers=_numbers(report),
        left_out=_left_out(report),
        sections=join(sections),
        version=" · ".join(
            filter(None, (f"topgenre {__version__}", report.model and f"model {report.model}"))
        )
        + f" · {written.day} {written:%B %Y}",
        scripts=join(element("script", Html(script), type="module") for script in scripts),
    )


# ---- The parts


def _contents(report: Report) -> Html:
    links = [("#genres", "Genres")] if report.songs else []
    links += [("#map", "Map")] if report.songs else []
    links += [("#review", "To review")] if report.to_review else []
    links += [("#failed", "Failed")] if report.failures else []
    return join(element("a", words, href=address) for address, words in links)


def _lead(report: Report) -> Html:
    place = element("bdi", report.place, class_="place")
    if not report.songs:
        return join(["No song in ", place, " could be judged."])
    best = report.genres[0]
    return join(
        [
            f"{_count(report.songs, 'song')} in ",
            place,
            ". ",
            element("strong", _capital(best.genre)),
            f" comes first, with {percent(best.songs / report.songs)} of them.",
        ]
    )


def _wave(report: Report, tones: dict[str, int]) -> Html:
    """Draw the library as one sounding string, with a belly for each genre."""
    if not report.songs:
        return Html("")
    most = report.genres[0].songs
    bellies, labels = [], []
    begin = 0.0
    for number, (genre, songs, _) in enumerate(report.genres):
        share = songs / report.songs
        if not songs:
            continue
        end = begin + 1000 * share
        middle = (begin + end) / 2
        swing = 96 * (songs / most) ** 0.5
        bellies.append(
            element(
                "path",
                d=f"M{begin:.1f} 50Q{middle:.1f} {50 - swing:.1f} {end:.1f} 50"
                f"Q{middle:.1f} {50 + swing:.1f} {begin:.1f} 50Z",
                class_=f"tone-{tones[genre]}",
            )
        )
        fitting = (name for name, width, letter in _ROOM if len(genre) * letter <= share * width)
        room = next(fitting, "no-room")
        labels.append(element("span", _capital(genre), class_=f"g{number} {room}"))
        begin = end
    string = element("path", d="M0 50H1000", class_="wave-string")
    picture = element(
        "svg",
        string,
        *bellies,
        viewBox="0 0 1000 100",
        preserveAspectRatio="none",
        focusable="false",
    )
    names = element("div", *labels, class_="wave-names")
    return element("div", picture, names, class_="wave", aria_hidden="true")


def _numbers(report: Report) -> Html:
    hours = report.seconds / 3600
    length, unit = (
        (f"{report.seconds / 60:.0f}", "minutes") if hours < 1 else (_hours(hours), "hours")
    )
    unsure = percent(report.uncertain / report.songs) if report.songs else "0"
    unknown = f"; {report.unknown_length:,} of unknown length" if report.unknown_length else ""
    numbers = [
        (f"{report.songs:,}", "song judged" if report.songs == 1 else "songs judged"),
        (length, f"{unit} of sound{unknown}"),
        (unsure, f"not sure: {_count(report.uncertain, 'song')}"),
        (f"{report.failed:,}", "file failed" if report.failed == 1 else "files failed"),
    ]
    return join(
        element("div", element("dt", words), element("dd", number)) for number, words in numbers
    )


def _hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}"


def _left_out(report: Report) -> Html:
    parts = []
    if report.missing:
        gone = "whose file is gone" if report.missing == 1 else "whose files are gone"
        parts.append(f"{_count(report.missing, 'song')} {gone}")
    if report.other_model:
        parts.append(
            f"{_count(report.other_model, 'song')} that another model judged (scan their folders "
            "again to have them in)"
        )
    return element("p", f"Left out: {' and '.join(parts)}.", class_="aside") if parts else Html("")


def _distribution(report: Report, tones: dict[str, int]) -> Html | None:
    if not report.songs:
        return None
    rows = [
        element(
            "li",
            element("span", _capital(genre), class_="bar-genre"),
            element(
                "span",
                element("span", class_="bar-fill"),
                element("span", class_="bar-fill bar-unsure"),
                class_="bar-track",
                aria_hidden="true",
            ),
            element("span", f"{songs:,}", class_="bar-count figures"),
            element("span", percent(songs / report.songs), class_="bar-percent figures"),
            element("span", f", {unsure:,} of them not sure", class_="hidden") if unsure else None,
            class_=f"bar g{number} tone-{tones[genre]}",
        )
        for number, (genre, songs, unsure) in enumerate(report.genres)
    ]
    genres = _section(
        "genres",
        "Genres",
        element("p", "Songs by their first genre.", _key(report), class_="quiet"),
        element("ol", *rows, class_="bars"),
    )
    return element("div", genres, _confidence(report), class_="pair")


def _key(report: Report) -> Html | None:
    if not report.uncertain:
        return None
    return join([" ", element("span", class_="swatch", aria_hidden="true"), " Hatched: not sure."])


def _confidence(report: Report) -> Html:
    columns, rows = [], []
    for number, (low, high, songs, unsure) in enumerate(report.confidence):
        columns.append(
            element(
                "li",
                element("span", f"{songs:,}" if songs else None, class_="column-count figures"),
                element("span", class_="column-unsure"),
                element("span", class_="column-sure"),
                class_=f"column c{number}",
            )
        )
        rows.append(
            element(
                "tr",
                element("th", f"{low:.0%} to {high:.0%}", scope="row"),
                element("td", songs),
                element("td", unsure),
            )
        )
    head = element(
        "tr", *(element("th", name, scope="col") for name in ("Confidence", "Songs", "Not sure"))
    )
    right = round(report.mean_confidence * report.songs)
    return _section(
        "confidence",
        "Confidence",
        element(
            "p",
            "Songs by the probability of their first genre. If the probabilities hold for this "
            f"music, about {right:,} of {_count(report.songs, 'first genre')} are right.",
            class_="quiet",
        ),
        element("ol", *columns, class_="columns", aria_hidden="true"),
        element(
            "p",
            *(element("span", f"{tick}%") for tick in (0, 50, 100)),
            class_="ticks figures",
            aria_hidden="true",
        ),
        element(
            "div",
            element(
                "table",
                element("caption", "Songs by confidence"),
                element("thead", head),
                element("tbody", *rows),
            ),
            class_="hidden",
        ),
    )


def _map(report: Report, tones: dict[str, int]) -> Html | None:
    if not report.songs:
        return None
    drawn = report.map.songs
    words = (
        "Each dot is a song. Songs that sound alike to the network lie close together, as far as "
        "two dimensions can show it: these two keep "
        f"{percent(report.map.kept)} of what sets the songs apart (the variance of the embeddings)."
        if report.map.kept is not None
        else "Each dot is a song. To the network, all of them sound the same."
    )
    sample = (
        f" Drawn are {len(drawn):,} of the {report.songs:,} songs, picked at random, the same "
        "ones in every report."
        if len(drawn) < report.songs
        else ""
    )
    chips = [
        element(
            "button",
            element("span", class_="dot"),
            f"{_capital(genre)} ",
            element("span", f"{songs:,}", class_="chip-count figures"),
            type="button",
            class_=f"chip tone-{tones[genre]}",
            aria_pressed="false",
            data_genre=genre,
        )
        for genre, songs, _ in _counted(drawn, report.genres)
    ]
    return _section(
        "map",
        "Map",
        element("p", words, sample, class_="quiet measure"),
        fill(_part("map.html"), chips=join(chips)),
        element("script", _points(report, tones), type="application/json", id="map-data"),
        class_="wide",
    )


def _counted(songs: Sequence[Listed], genres: Sequence[GenreCount]) -> list[GenreCount]:
    """Count songs on the map, in the order of the ranking."""
    counts = dict.fromkeys((genre for genre, *_ in genres), 0)
    for song in songs:
        counts[song.genres[0].genre] += 1
    return [GenreCount(genre, count, 0) for genre, count in counts.items() if count]


def _points(report: Report, tones: dict[str, int]) -> Html:
    """Write the map's songs as short as can be, for there are thousands."""
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
    return data(
        {
            "genres": [
                [plain(genre), _capital(plain(genre)), tone] for genre, tone in tones.items()
            ],
            "folders": list(folders),
            "songs": songs,
        }
    )


def _review(report: Report, tones: dict[str, int]) -> Html | None:
    if not report.to_review:
        return None
    listed = len(report.to_review)
    words = (
        f"The {listed:,} least sure of {report.uncertain:,} are listed."
        if listed < report.uncertain
        else "The least sure come first."
    )
    genres = sorted({song.genres[0].genre for song in report.to_review})
    options = [element("option", _capital(genre), value=genre) for genre in genres]
    return _section(
        "review",
        "To review",
        element(
            "p",
            "Songs that topgenre is not sure of: worth a listen, and a tag by hand. ",
            words,
            class_="quiet measure",
        ),
        fill(
            _part("review.html"),
            options=join(options),
            count=_count(listed, "song"),
            rows=join(_row(song, report.place, tones) for song in report.to_review),
        ),
        class_="wide",
    )


def _row(song: Listed, place: str, tones: dict[str, int]) -> Html:
    (genre, confidence), *others = song.genres
    return element(
        "tr",
        element(
            "td",
            _link(song.path, song.name),
            element("bdi", _below(song.path, place), class_="where"),
        ),
        element(
            "td",
            element("span", class_="dot"),
            element("span", _capital(genre)),
            class_=f"guess tone-{tones[genre]}",
        ),
        element("td", percent(confidence), class_="figures confidence"),
        element(
            "td",
            *(
                element("span", _capital(other), " ", element("span", percent(p), class_="figures"))
                for other, p in others
            ),
            class_="others",
        ),
        data_genre=genre,
        data_confidence=f"{confidence:.6f}",
    )


def _failed(report: Report) -> Html | None:
    if not report.failures:
        return None
    return _section(
        "failed",
        "Failed files",
        element("p", f"{_count(report.failed, 'file')} could not be judged.", class_="quiet"),
        *(_failures(failures, report.place) for failures in report.failures),
        class_="wide",
    )


def _failures(failures: Failures, place: str) -> Html:
    rows = []
    for path, reason in failures.listed:
        # A message names the file first, which stands here already.
        _, _, rest = reason.partition(f"{_as_in_messages(path)}: ")
        rows.append(
            element(
                "li",
                _link(path, _below(path, place)),
                element("span", rest or reason, class_="reason"),
            )
        )
    more = failures.count - len(rows)
    return element(
        "details",
        element(
            "summary",
            element("span", _REASONS.get(failures.code, _capital(failures.code)), class_="kind"),
            " ",
            element("span", f"{failures.count:,}", class_="figures quiet"),
        ),
        element("ul", *rows, class_="failures"),
        element("p", f"And {more:,} more: topgenre scan --errors names all.", class_="quiet")
        if more
        else None,
        class_="kinds",
    )


def _as_in_messages(path: str) -> str:
    """Return a path as messages about it spell it."""
    from topgenre.text import printable

    return printable(path)


def _section(name: str, heading: str, *children: object, class_: str | None = None) -> Html:
    title = element("h2", heading, id=f"{name}-title")
    return element(
        "section", title, *children, id=name, class_=class_, aria_labelledby=f"{name}-title"
    )


def _link(path: str, words: str) -> Html:
    return element(
        "a", element("bdi", words), href=_address(path), target="_blank", rel="noreferrer"
    )


def _address(path: str) -> str:
    """Return a path as an address, byte for byte."""
    return PurePath(path).as_uri()


def _below(path: str, place: str) -> str:
    return os.path.relpath(path, place) if place else path


# ---- Numbers in the style sheet, as the page's policy allows no styles in elements


def _shares(report: Report) -> str:
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


def _tones(report: Report) -> dict[str, int]:
    """Give each genre the tone that the page of ``topgenre serve`` gives it."""
    return {
        genre: number % _TONES
        for number, genre in enumerate(sorted(count.genre for count in report.genres))
    }


def _digests(blocks: Iterable[str]) -> str:
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()}'"
        for block in blocks
    )


def _part(name: str) -> str:
    return (resources.files(__package__ or __name__) / name).read_text("utf-8")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
