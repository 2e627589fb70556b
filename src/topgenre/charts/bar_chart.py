"""A result as a picture: ranked horizontal bars."""

from __future__ import annotations

import textwrap
from pathlib import Path, PurePath
from typing import Any

from topgenre.charts import canvas
from topgenre.charts.wording import UNCERTAIN, percent
from topgenre.result import Result

# Blue and orange of Okabe and Ito's palette: told apart with any kind of colour vision.
_BEST, _OTHER = "#0072b2", "#8fbfdc"
_UNSURE, _UNSURE_INK = "#e0b978", "#8f5300"
_TRACK = "#eef1f4"

_WIDTH = 8.0  # inches, like every length below
_MARGIN = 0.4
_ROW = 0.4
_LINE = 0.22
_PERCENT = 0.75  # room for the number behind a bar
_NOTICE_CHARACTERS = 100
_LABEL_POINTS = 12


def save_bar_chart(result: Result, path: str | Path, *, top: int = 10) -> None:
    """Draw a result as a bar chart.

    The same result gives the same bytes. The file appears whole or not at all.

    Parameters
    ----------
    result : Result
        What to draw.
    path : str or Path
        File to write, ``.png`` or ``.svg``; one that is there is replaced.
    top : int
        How many genres.

    Raises
    ------
    OutputError
        If the suffix is another one or the file cannot be written.
    ValueError
        If `top` is below 1.
    """
    canvas.picture_format(path)
    genres = result.top(top)
    from matplotlib.figure import Figure

    notices = [
        line
        for notice in result.notices
        for line in textwrap.wrap(canvas.drawable(f"Note: {notice}"), _NOTICE_CHARACTERS)
    ]
    header = 1.0 + (_LINE + 0.05) * result.uncertain
    footer = _MARGIN * 0.75 + _LINE * len(notices) + 0.1 * bool(notices)
    height = header + _ROW * len(genres) + footer

    with canvas.drawing():
        figure = Figure(figsize=(_WIDTH, height))

        def write(text: str, x: float, y: float, **style: Any) -> None:
            """Write a line at inches from the left and from the top, as wide as fits."""
            text = canvas.drawable(text)
            label = figure.text(
                x / _WIDTH,
                1 - y / height,
                text,
                va="baseline",
                family=canvas.families(text),
                parse_math=False,
                **style,
            )
            canvas.fit(label, (_WIDTH - x - _MARGIN) * figure.dpi)

        name = PurePath(result.path).name or result.path
        write(name, _MARGIN, 0.5, size=15, weight="bold", color=canvas.INK)
        write(
            f"{result.start:.1f} s to {result.end:.1f} s  ·  {result.model}",
            _MARGIN,
            0.76,
            size=10,
            color=canvas.FAINT_INK,
        )
        if result.uncertain:
            write(
                UNCERTAIN[0].upper() + UNCERTAIN[1:],
                _MARGIN,
                0.76 + _LINE + 0.05,
                size=10.5,
                weight="bold",
                color=_UNSURE_INK,
            )

        names = [canvas.drawable(genre) for genre, _ in genres]
        axes = figure.add_axes((0, 0, 1, 1))
        labels = []
        for row, genre in enumerate(names):
            label = axes.text(
                0,
                row,
                genre,
                size=_LABEL_POINTS,
                weight="bold" if row == 0 and not result.uncertain else "normal",
                color=canvas.INK,
                family=canvas.families(genre),
                ha="right",
                va="center_baseline",
                parse_math=False,
            )
            canvas.fit(label, 0.3 * _WIDTH * figure.dpi)
            labels.append(label)
        widest = max(label.get_window_extent().width for label in labels) / figure.dpi
        left = _MARGIN + widest + 0.15
        across = _WIDTH - left - _MARGIN - _PERCENT
        axes.set_position(
            (left / _WIDTH, footer / height, across / _WIDTH, _ROW * len(genres) / height)
        )
        axes.set_xlim(0, 1)
        axes.set_ylim(len(genres) - 0.5, -0.5)
        axes.axis("off")

        rows = range(len(genres))
        axes.barh(rows, 1.0, height=0.62, color=_TRACK)
        first, rest = (_UNSURE, _UNSURE) if result.uncertain else (_BEST, _OTHER)
        axes.barh(
            rows,
            [probability for _, probability in genres],
            height=0.62,
            color=[first, *[rest] * (len(genres) - 1)],
        )
        for row, (label, (_, probability)) in enumerate(zip(labels, genres, strict=True)):
            label.set_x(-0.15 / across)
            axes.text(
                1 + 0.12 / across,
                row,
                percent(probability),
                size=_LABEL_POINTS,
                weight="bold" if row == 0 and not result.uncertain else "normal",
                color=canvas.INK,
                ha="left",
                va="center_baseline",
            )
        for index, line in enumerate(notices):
            below = header + _ROW * len(genres) + 0.25 + _LINE * index
            write(line, _MARGIN, below, size=9.5, color=canvas.FAINT_INK)
        canvas.save(figure, path)
