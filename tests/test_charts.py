"""Charts: what terminals, pipes and picture files show of a result."""

from __future__ import annotations

import io
import re
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from rich.cells import cell_len
from rich.console import Console

import signals
from topgenre.audio import Segment
from topgenre.charts import (
    canvas,
    print_bars,
    print_row,
    print_summary,
    render_bars,
    save_bar_chart,
    save_spectrograms,
)
from topgenre.design import style
from topgenre.errors import OutputError
from topgenre.result import Result, Section, Tag, Window, display_name, rank
from topgenre.spectrograms import Spectrograms, compute

SHARES = {"jazz": 0.62, "blues": 0.2, "rock": 0.1, "pop": 0.0796, "metal": 0.0004, "disco": 0.0}


def result(path: str = "music/So What.mp3", *, uncertain: bool = False, **other: object) -> Result:
    fields = {"start": 61.5, "end": 71.5, "model": "test 1", "notices": ()} | other
    return Result(path=path, genres=rank(SHARES), uncertain=uncertain, **fields)  # type: ignore[arg-type]


def printed(one: Result, *, width: int = 80, terminal: bool = False, top: int = 3) -> str:
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=width,
        force_terminal=terminal,
        color_system="truecolor" if terminal else "auto",
    )
    print_bars([one], console, top=top)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def stack() -> Spectrograms:
    return compute(Segment(signals.music(4.0), 61.5, 65.5), "music/So What.mp3")


def test_bars_are_ranked_and_in_proportion() -> None:
    lines = printed(result(), top=6).splitlines()
    assert "So What.mp3" in lines[0]
    assert "1:02-1:12" in lines[0]
    assert lines[1] == "  Probably jazz"
    assert [line.split()[0] for line in lines[2:]] == list(SHARES)
    lengths = [line.count("#") for line in lines[2:]]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == pytest.approx(3.1 * lengths[1], abs=2)
    assert lengths[4] == 1  # small, but not nothing
    assert lengths[5] == 0


def test_percentages_never_round_to_certainty() -> None:
    text = printed(result(), top=6)
    assert "62.0%" in text
    assert "<0.1%" in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_terminal_lines_fit(width: int) -> None:
    text = printed(result("a/long/way/" * 12 + "song.mp3"), width=width, terminal=True, top=6)
    visible = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b[" in text
    assert all(len(line) <= width for line in visible.splitlines())
    assert "song.mp3" in visible


def test_pipes_get_plain_ascii_and_the_whole_path() -> None:
    path = "a/long/way/" * 12 + "song.mp3"
    text = printed(result(path), width=40)
    assert text.isascii()
    assert "\x1b" not in text
    assert path in text


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = printed(result(), terminal=True)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", text)


def test_terminal_without_unicode_gets_ascii() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_bars([result("mùsica/ñandú.mp3")], Console(file=stream, force_terminal=True, width=60))
    stream.seek(0)
    assert stream.read().isascii()


def test_doubt_and_notices_are_said() -> None:
    text = printed(result(uncertain=True, notices=("only 4.2 s of sound",)))
    assert "Not sure: closest are jazz and blues" in text
    assert "Treat the ranking as a hint." in text
    assert "only 4.2 s of sound" in text
    assert "Not sure" not in printed(result())


def test_times_of_a_short_segment_agree_with_notices_about_it() -> None:
    text = printed(result(start=0.0, end=2.7, notices=("only 2.7 s of sound",)))
    assert "0.0-2.7 s" in text.splitlines()[0]


WHOLE: dict[str, Any] = {
    "start": 0.0,
    "end": 200.0,
    "timeline": tuple(
        Window(10.0 * n, 10.0 * n + 10, rank({**SHARES, genre: 5.0}))
        for n, genre in enumerate(["jazz"] * 8 + ["metal"] * 12)
    ),
    "sections": (Section(0, 80, "jazz"), Section(80, 200, "metal")),
}


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_track_that_changes_shows_its_sections_and_a_strip() -> None:
    text = printed(result(**WHOLE))
    assert "Changes: jazz -> metal" in text
    assert "0:00 jazz -> 1:20 metal" in text
    assert text.isascii()
    shown = printed(result(**WHOLE), terminal=True)
    assert "0:00 jazz → 1:20 metal" in plain(shown)
    [strip] = [line for line in shown.splitlines() if set(plain(line)) == {" ", "▇"}]
    runs = re.findall(r"\x1b\[([0-9;]*)m(▇+)", strip)
    cells = [colour for colour, run in runs for _ in run]
    # One colour for each section, in proportion.
    assert [len(list(run)) for _, run in groupby(cells)] == [24, 36]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_the_song_is_named_beside_the_file(width: int) -> None:
    song = "Miles Davis - So What"
    buffer = io.StringIO()
    console = Console(file=buffer, width=width, force_terminal=True, color_system=None)
    print_bars([result()], console, song=song)
    lines = buffer.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert song[:width] in "".join(lines[:2])
    assert "mp3" in "".join(lines[:2])


def test_tags_are_listed_on_request() -> None:
    tagged = result(tags=(Tag("electronic", 0.62), Tag("synthesizer", 0.4)))
    buffer = io.StringIO()
    print_bars([tagged], Console(file=buffer, width=80), tags=True)
    assert "also: electronic 62.0%, synthesizer 40.0%" in buffer.getvalue()
    assert "electronic" not in printed(tagged)


def row(one: Result, width: int, *, terminal: bool, song: str = "") -> str:
    buffer = io.StringIO()
    console = Console(file=buffer, width=width, force_terminal=terminal, color_system=None)
    print_row(one, console, column=30, song=song)
    [line] = buffer.getvalue().splitlines()
    return line


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("uncertain", [False, True])
def test_rows_fit_and_hold_path_bar_and_verdict(width: int, uncertain: bool) -> None:
    one = result("a/long/way/" * 12 + "song.mp3", uncertain=uncertain)
    line = row(one, width, terminal=True)
    assert len(line) <= width
    assert "song.mp3" in line
    assert line.count("▇") == 5
    assert "62.0%" in line
    assert one.verdict in line or width < (80 if uncertain else 60)
    assert ("blues 20.0%" in line) is (width == 120 or (width == 80 and not uncertain))
    assert row(one, width, terminal=False) == (
        f"{one.path}: {one.verdict} (jazz 62.0%, blues 20.0%, rock 10.0%)"
    )


@given(
    song=st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=60),
    path=st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=60),
    width=st.sampled_from([60, 80, 120]),
)
def test_rows_say_song_and_file_and_keep_their_column(song: str, path: str, width: int) -> None:
    one = result(f"{path}.mp3")
    line = row(one, width, terminal=True, song=song)
    assert cell_len(line) <= width
    assert ".mp3  " in line
    assert cell_len(line.partition("  ▇▇▇▇▇ ")[0]) == (32 if width > 60 else 29)
    assert row(one, width, terminal=False, song="A - B") == (
        f"{path}.mp3 (A - B): {one.verdict} (jazz 62.0%, blues 20.0%, rock 10.0%)"
    )


def test_rows_of_songs_that_change_are_ascii_in_pipes() -> None:
    assert ": Changes: jazz -> metal (" in row(result(**WHOLE), 80, terminal=False)


@pytest.mark.parametrize(("counts", "longest"), [({"jazz": 3, "hiphop": 1}, 3), ({"pop": 999}, 60)])
def test_the_summary_is_in_proportion(counts: dict[str, int], longest: int) -> None:
    buffer = io.StringIO()
    console = Console(file=buffer, width=80, force_terminal=True, color_system=None)
    print_summary(counts, console, unsure=1)
    *lines, last = buffer.getvalue().splitlines()
    assert [line.count("▇") for line in lines] == [longest, 1][: len(counts)]
    assert last.split() == ["Not", "sure", "1", "▇"]
    assert lines[0].startswith(display_name(next(iter(counts))))


def test_control_characters_in_names_do_not_reach_the_terminal() -> None:
    assert "\x1b]" not in printed(result("evil\x1b]0;title\x07.mp3"), terminal=True)


def test_bars_need_a_positive_number() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        render_bars(result(), top=0)


def svg_texts(path: Path) -> list[str]:
    root = ElementTree.parse(path).getroot()
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_svg_chart_names_genres_in_order(tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    save_bar_chart(result(uncertain=True), path, top=4)
    texts = svg_texts(path)
    names = [display_name(genre) for genre in SHARES]
    assert [text for text in texts if text in names] == names[:4]
    assert "So What.mp3" in texts
    assert any("62.0%" in text for text in texts)
    assert "Not sure: closest are jazz and blues" in texts
    save_bar_chart(result(), path, song="Miles Davis - So What")
    assert "Miles Davis - So What" in svg_texts(path)
    assert any(text.startswith("So What.mp3 ") for text in svg_texts(path))


def test_pictures_have_the_colours_of_the_page(tmp_path: Path, stack: Spectrograms) -> None:
    tokens = style("tokens")
    for dark in (False, True):
        colours = canvas.palette(dark=dark)
        assert all(colour in tokens for colour in (colours.sheet, colours.ink, *colours.tones))
        path = tmp_path / "chart.png"
        for draw in (partial(save_bar_chart, result()), partial(save_spectrograms, stack)):
            draw(path, dark=dark)
            corner = "#" + bytes((imread(path)[0, 0, :3] * 255).round().astype(np.uint8)).hex()
            assert corner == colours.sheet


def test_the_timeline_is_drawn_in_the_colours_of_the_genres(tmp_path: Path) -> None:
    path = tmp_path / "chart.png"
    save_bar_chart(result(**WHOLE), path)
    pixels = (imread(path)[..., :3] * 255).round().astype(int)
    tones = canvas.palette().tones
    widths = []
    for genre in ("jazz", "metal"):
        wanted = bytes.fromhex(tones[sorted(SHARES).index(genre)][1:])
        same = np.abs(pixels[-120] - np.frombuffer(wanted, np.uint8)).sum(axis=1) < 5
        widths.append(int(same.sum()))
    assert widths[1] == pytest.approx(1.5 * widths[0], rel=0.05)


def test_long_labels_are_not_clipped(tmp_path: Path, stack: Spectrograms) -> None:
    path = tmp_path / "spectrograms.png"
    save_spectrograms(stack, path)
    ground = imread(path)[0, 0, :3]
    # Whatever is drawn keeps a distance from the edge.
    left = np.abs(imread(path)[:, :8, :3] - ground).max()
    assert left == 0


def test_svg_text_stays_sans_serif_where_the_font_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    save_bar_chart(result(), path)
    styles = re.findall(r'<text style="([^"]*)"', path.read_text(encoding="utf-8"))
    assert styles
    assert all("serif;" in words for words in styles)


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path, stack: Spectrograms) -> None:
    before = dict(matplotlib.rcParams)
    save_bar_chart(result(), tmp_path / "chart.svg")
    save_spectrograms(stack, tmp_path / "spectrograms.png")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_same_result_same_bytes(tmp_path: Path, stack: Spectrograms, suffix: str) -> None:
    for draw in (partial(save_bar_chart, result()), partial(save_spectrograms, stack)):
        one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
        draw(one)
        draw(other)
        assert one.read_bytes() == other.read_bytes()


def test_longer_bar_for_the_likelier_genre(tmp_path: Path) -> None:
    path = tmp_path / "chart.png"
    save_bar_chart(result(), path, top=3)
    pixels = (imread(path)[..., :3] * 255).round()

    def longest(genre: str) -> int:
        colour = canvas.palette().tones[sorted(SHARES).index(genre)]
        wanted = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)
        return int((np.abs(pixels - wanted).sum(axis=2) < 5).sum(axis=1).max())

    assert longest("jazz") == pytest.approx(3.1 * longest("blues"), rel=0.05)


def test_spectrogram_picture_shows_what_it_says(tmp_path: Path, stack: Spectrograms) -> None:
    svg = tmp_path / "spectrograms.svg"
    save_spectrograms(stack, svg)
    texts = svg_texts(svg)
    for wanted in ("Full", "Harmonic", "Percussive", "Onset strength", "Frequency (Hz)", "10k"):
        assert wanted in texts
    assert any(text.startswith("62") for text in texts)  # seconds of the source, not of the segment
    png = tmp_path / "spectrograms.png"
    save_spectrograms(stack, png)
    assert imread(png)[..., :3].std() > 0.1


@pytest.mark.parametrize(
    "name",
    [
        "x" * 300 + ".mp3",
        "音楽 \U0001f3b5 $x^2$.mp3",
        "tab\there.mp3",
        "\U0001ee00.mp3",  # which the chart's font has in its regular weight alone
        "not \udcff utf-8.mp3",
    ],
)
def test_any_name_can_be_drawn(tmp_path: Path, stack: Spectrograms, name: str) -> None:
    path = tmp_path / "chart.png"
    save_bar_chart(result(name), path)
    assert imread(path).shape[1] == 1280


@pytest.mark.parametrize("name", ["chart.jpg", "chart", "chart.png.exe"])
def test_other_suffixes_are_refused(tmp_path: Path, stack: Spectrograms, name: str) -> None:
    with pytest.raises(OutputError, match=r"\.png or \.svg"):
        save_bar_chart(result(), tmp_path / name)
    with pytest.raises(OutputError, match=r"\.png or \.svg"):
        save_spectrograms(stack, tmp_path / name)


def test_unwritable_target_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"nowhere.*chart\.png"):
        save_bar_chart(result(), tmp_path / "nowhere" / "chart.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="folder"):
        save_bar_chart(result(), tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]
