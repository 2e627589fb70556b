"""Draw the four spectrograms of a segment as a picture."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from topgenre.charts import canvas
from topgenre.charts.wording import span

if TYPE_CHECKING:
    from topgenre.spectrograms import Spectrograms

_LOWEST = 20.0  # Hz
_ROWS = 480  # of the drawn spectrograms: about one per pixel
_TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)  # Hz
_RANGE = 80  # dB below the loudest
_COLOURS = "magma"


def save_spectrograms(spectrograms: Spectrograms, path: str | Path, *, dark: bool = False) -> None:
    """Draw the three power spectrograms and the onset strength on one time axis.

    Power is in dB relative to the loudest value of the full spectrogram, on one scale for all
    three, so that harmonic and percussive power can be compared. Frequency is
    logarithmic. The same spectrograms give the same bytes.

    Parameters
    ----------
    spectrograms : Spectrograms
    path : str or Path
        File to write, ``.png`` or ``.svg``.
    dark : bool
        Draw for a dark page.

    Raises
    ------
    OutputError
        If the suffix is another one or the file cannot be written.
    """
    canvas.picture_format(path)
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    from topgenre.audio import SAMPLE_RATE
    from topgenre.spectrograms import HOP_LENGTH

    start, end = spectrograms.start, spectrograms.end
    hop = HOP_LENGTH / SAMPLE_RATE
    n_frames = spectrograms.full.shape[1]
    # Each frame is centred on the middle of its window.
    first, last = start - hop / 2, start + (n_frames - 0.5) * hop
    highest = SAMPLE_RATE / 2
    loudest = float(spectrograms.full.max())

    colours = canvas.palette(dark=dark)
    with canvas.drawing():
        figure = Figure(figsize=(11, 9.6))
        grid = figure.add_gridspec(
            4,
            2,
            left=0.125,
            right=0.925,
            top=0.885,
            bottom=0.065,
            hspace=0.26,
            wspace=0.03,
            height_ratios=(1, 1, 1, 0.55),
            width_ratios=(1, 0.016),
        )
        name = canvas.drawable(PurePath(spectrograms.source).name or spectrograms.source)
        title = figure.text(
            0.125,
            0.953,
            name,
            size=16,
            weight="bold",
            color=colours.ink,
            family=canvas.families(name),
            parse_math=False,
        )
        canvas.fit(title, 0.82 * figure.bbox.width)
        figure.text(0.125, 0.928, span(start, end), size=11, color=colours.quiet)

        image = None
        panels = []
        for row, (kind, power) in enumerate(
            (
                ("Full", spectrograms.full),
                ("Harmonic", spectrograms.harmonic),
                ("Percussive", spectrograms.percussive),
            )
        ):
            axes = figure.add_subplot(grid[row, 0])
            panels.append((axes, kind))
            image = axes.imshow(
                _decibels(_log_frequency(power, highest), loudest),
                cmap=_COLOURS,
                vmin=-_RANGE,
                vmax=0,
                aspect="auto",
                origin="lower",
                extent=(first, last, np.log2(_LOWEST), np.log2(highest)),
            )
            axes.set_yticks(
                [float(np.log2(tick)) for tick in _TICKS],
                [f"{tick // 1000}k" if tick >= 1000 else str(tick) for tick in _TICKS],
            )
            axes.set_ylabel("Frequency (Hz)", color=colours.ink)
            axes.tick_params(labelbottom=False)
        if image is not None:
            scale = figure.colorbar(image, cax=figure.add_subplot(grid[:3, 1]))
            scale.set_label("Power relative to the loudest (dB)", color=colours.ink)
            scale.outline.set_visible(False)
            scale.ax.tick_params(colors=colours.quiet)

        axes = figure.add_subplot(grid[3, 0])
        panels.append((axes, "Onset strength"))
        onset = axes.imshow(
            spectrograms.onset,
            cmap=_COLOURS,
            vmin=0,
            vmax=max(float(spectrograms.onset.max()), 1e-6),
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            extent=(first, last, -0.5, len(spectrograms.onset) - 0.5),
        )
        bands = _sub_band_labels(highest)
        axes.set_yticks(range(len(bands)), bands)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("Time (s)", color=colours.ink)
        scale = figure.colorbar(onset, cax=figure.add_subplot(grid[3, 1]))
        scale.set_label("Rise (dB)", color=colours.ink)
        scale.outline.set_visible(False)
        scale.ax.tick_params(colors=colours.quiet)

        for axes, kind in panels:
            axes.set_title(kind, loc="left", size=11.5, weight="bold", color=colours.ink, pad=4)
            axes.set_xlim(start, end)
            axes.tick_params(colors=colours.quiet)
            for spine in axes.spines.values():
                spine.set_visible(False)
            axes.xaxis.set_major_locator(MaxNLocator(11, steps=[1, 2, 5, 10]))
        canvas.save(figure, path, ground=colours.sheet)


def _log_frequency(power: NDArray[np.float32], highest: float) -> NDArray[np.float64]:
    """Return the mean power per drawn row; rows between two bins take the nearer one."""
    spacing = highest / (len(power) - 1)
    edges = np.geomspace(_LOWEST, highest, _ROWS + 1) / spacing + 0.5
    lower = np.minimum(edges[:-1].astype(int), len(power) - 1)
    upper = np.maximum(np.minimum(edges[1:].astype(int), len(power)), lower + 1)
    total = np.zeros((len(power) + 1, power.shape[1]))
    np.cumsum(power, axis=0, out=total[1:])
    return np.asarray((total[upper] - total[lower]) / (upper - lower)[:, None])


def _decibels(power: NDArray[np.float64], loudest: float) -> NDArray[np.float64]:
    floor = 10 ** (-_RANGE / 10)
    return np.asarray(10 * np.log10(np.maximum(power / max(loudest, 1e-20), floor)))


def _sub_band_labels(highest: float) -> list[str]:
    """Return the frequency range of each onset sub-band.

    Adjacent mel filters overlap; the border of two sub-bands is halfway between the centres of the
    last filter of the one and the first filter of the other.
    """
    from topgenre.spectrograms import N_MELS, ONSET_CHANNELS, mel_edges

    edges = mel_edges(N_MELS, highest)
    inner = [(edges[channel] + edges[channel + 1]) / 2 for channel in ONSET_CHANNELS[1:-1]]
    return [
        f"{low / 1000:.2g}-{high / 1000:.2g} kHz" for low, high in pairwise([0.0, *inner, highest])
    ]
