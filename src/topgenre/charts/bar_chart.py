"""Draw a result as a picture: the verdict, ranked bars, and the genres over time."""

from __future__ import annotations

import textwrap
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from topgenre.charts import canvas
from topgenre.charts.wording import (
    HINT,
    TONES,
    percent,
    sections_line,
    span,
    tags_line,
    tone,
)
from topgenre.result import Result, display_name
from topgenre.text import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_WIDTH = 8.0  # inches, like all lengths below
_MARGIN = 0.45
_ROW = 0.4
_LINE = 0.22
_PERCENT = 0.8  # room for the number to the right of a bar
_TIMELINE = 1.1
_NOTICE_CHARACTERS = 100
_LABEL_POINTS = 12
# The surer the verdict, the larger it is.
_VERDICT_POINTS = {"sure": 30, "probable": 25, "close": 21, "unsure": 17}


def save_bar_chart(
    result: Result,
    path: str | Path,
    *,
    top: int = 10,
    song: str = "",
    dark: bool = False,
) -> None:
    """Draw a result as a bar chart.

    The same result gives the same bytes. The file is written atomically.

    Parameters
    ----------
    result : Result
    path : path-like
        File to write, ``.png`` or ``.svg``.
    top : int
        Number of genres.
    song : str
        Artist and title, shown beside the file name.
    dark : bool
        Draw for a dark page.

    Raises
    ------
    OutputError
        If the suffix is another one or the file cannot be written.
    ValueError
        If `top` is below 1.

    Examples
    --------
    >>> import topgenre
    >>> from topgenre.charts import save_bar_chart
    >>> save_bar_chart(topgenre.load().classify("song.mp3"), "song.png")  # doctest: +SKIP
    """
    canvas.picture_format(path)
    result.top(top)
    with canvas.drawing():
        chart = _Chart(result, top, song, canvas.palette(dark=dark))
        canvas.save(chart.figure, path, ground=chart.colours.sheet)


class _Chart:
    """Lay out the parts from top to bottom; `y` is the current position in inches."""

    def __init__(self, result: Result, top: int, song: str, colours: canvas.Palette) -> None:
        from matplotlib.figure import Figure

        self.result = result
        self.genres = result.top(top)
        self.colours = colours
        below = self._lines_below()
        self.height = 1.55 + _ROW * len(self.genres) + 0.35
        self.height += (_TIMELINE + 0.45) * bool(result.timeline)
        self.height += _LINE * len(below) + 0.15 * bool(below)
        self.figure: Figure = Figure(figsize=(_WIDTH, self.height))

        name = PurePath(result.path).name or result.path
        about = f"{span(result.start, result.end)}  ·  {result.model}"
        if song:
            about = f"{name}  ·  {about}"
        self._write(song or name, 0.5, size=12.5, weight="bold")
        self._write(about, 0.74, size=9.5, color=colours.quiet)
        self._write(
            result.verdict,
            1.26,
            size=_VERDICT_POINTS[result.tier or "sure"],
            weight="bold",
            color=colours.accent if result.tier == "unsure" else colours.ink,
            family=canvas.families(canvas.drawable(result.verdict)),
        )
        self.y = 1.55
        self._draw_bars()
        if result.timeline:
            self._draw_timeline()
        self.y += 0.25
        for line in below:
            self._write(line, self.y, size=9.5, color=colours.quiet)
            self.y += _LINE

    def _lines_below(self) -> list[str]:
        result = self.result
        texts = [HINT] * (result.tier == "unsure")
        texts += [f"Sections: {sections_line(result.sections)}"] * bool(result.sections)
        texts += [f"Also: {tags_line(result)}"] * bool(result.tags)
        texts += [f"Note: {notice}" for notice in result.notices]
        return [
            line
            for text in texts
            for line in textwrap.wrap(canvas.drawable(text), _NOTICE_CHARACTERS)
        ]

    def _write(self, text: str, y: float, **style: Any) -> None:
        """Write a line whose baseline is `y` inches from the top, cropped to the width."""
        text = canvas.drawable(text)
        label = self.figure.text(
            _MARGIN / _WIDTH,
            1 - y / self.height,
            text,
            va="baseline",
            parse_math=False,
            **{"family": canvas.families(text), "color": self.colours.ink, **style},
        )
        canvas.fit(label, (_WIDTH - 2 * _MARGIN) * self.figure.dpi)

    def _axes(self, left: float, width: float, height: float) -> Axes:
        return self.figure.add_axes(
            (
                left / _WIDTH,
                1 - (self.y + height) / self.height,
                width / _WIDTH,
                height / self.height,
            )
        )

    def _draw_bars(self) -> None:
        colours, rows = self.colours, range(len(self.genres))
        height = _ROW * len(rows)
        labels = [
            self._label(display_name(genre), row) for row, (genre, _) in enumerate(self.genres)
        ]
        widest = max(label.get_window_extent().width for label in labels) / self.figure.dpi
        left = _MARGIN + widest + 0.15
        across = _WIDTH - left - _MARGIN - _PERCENT
        axes = self._axes(left, across, height)
        axes.set_xlim(0, 1)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.axis("off")
        axes.barh(rows, 1.0, height=0.6, color=colours.well)
        axes.barh(
            rows,
            [probability for _, probability in self.genres],
            height=0.6,
            color=[colours.tones[tone(self.result, genre)] for genre, _ in self.genres],
        )
        for row, (label, (_, probability)) in enumerate(zip(labels, self.genres, strict=True)):
            label.set_x((left - 0.15) / _WIDTH)
            axes.text(
                1 + 0.12 / across,
                row,
                percent(probability),
                size=_LABEL_POINTS,
                weight=self._weight(row),
                color=colours.ink,
                ha="left",
                va="center_baseline",
            )
        self.y += height

    def _label(self, genre: str, row: int) -> Text:
        text = canvas.drawable(genre)
        label = self.figure.text(
            0,
            1 - (self.y + _ROW * (row + 0.5)) / self.height,
            text,
            size=_LABEL_POINTS,
            weight=self._weight(row),
            color=self.colours.ink,
            family=canvas.families(text),
            ha="right",
            va="center_baseline",
            parse_math=False,
        )
        canvas.fit(label, 0.3 * _WIDTH * self.figure.dpi)
        return label

    def _weight(self, row: int) -> str:
        return "bold" if row == 0 and self.result.tier != "unsure" else "normal"

    def _draw_timeline(self) -> None:
        """Draw the stacked probabilities of all genres over time."""
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        result, colours = self.result, self.colours
        self.y += 0.25
        axes = self._axes(_MARGIN, _WIDTH - 2 * _MARGIN, _TIMELINE)
        names = sorted(name for name, _ in result.genres)
        shares = [dict(window.genres) for window in result.timeline]
        edges = [result.timeline[0].start, *(window.end for window in result.timeline)]
        bottom = [0.0] * len(shares)
        for name in names:
            values = [share[name] for share in shares]
            top = [low + value for low, value in zip(bottom, values, strict=True)]
            axes.fill_between(
                edges,
                [*bottom, bottom[-1]],
                [*top, top[-1]],
                step="post",
                color=colours.tones[names.index(name) % TONES],
                linewidth=0,
            )
            bottom = top
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, 1)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(9, steps=[1, 1.5, 3, 6, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
        axes.tick_params(colors=colours.quiet, labelsize=9, length=3)
        for spine in axes.spines.values():
            spine.set_visible(False)
        self.y += _TIMELINE + 0.2
