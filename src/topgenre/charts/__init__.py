"""What a result looks like: bars in the terminal, bars and spectrograms as pictures."""

from __future__ import annotations

from topgenre.charts.bar_chart import save_bar_chart
from topgenre.charts.spectrogram_picture import save_spectrograms
from topgenre.charts.terminal import print_bars, render_bars

__all__ = ["print_bars", "render_bars", "save_bar_chart", "save_spectrograms"]
