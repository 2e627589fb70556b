"""Draw results: bars in the terminal, bars and spectrograms as pictures."""

from __future__ import annotations

from topgenre.charts.bar_chart import save_bar_chart
from topgenre.charts.spectrogram_picture import save_spectrograms
from topgenre.charts.terminal import print_bars, print_row, print_summary, render_bars

__all__ = [
    "print_bars",
    "print_row",
    "print_summary",
    "render_bars",
    "save_bar_chart",
    "save_spectrograms",
]
