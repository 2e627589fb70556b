"""Draw the pictures of the documentation from demo songs: ``python docs/pictures.py [FOLDER]``.

Everything that they show is what topgenre computes on its way from the file to the genres.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from topgenre import hpss
from topgenre.audio import SAMPLE_RATE, Segment, load_segment
from topgenre.charts import canvas, save_bar_chart, save_spectrograms
from topgenre.classifier import load
from topgenre.demo import synthesise
from topgenre.demo.encode import encode
from topgenre.files import ANYTHING, write_whole
from topgenre.spectrograms import (
    CHANNELS,
    HOP_LENGTH,
    N_FFT,
    N_MELS,
    ONSET_CHANNELS,
    Spectrograms,
    compute,
    mel_edges,
    network_input,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HOME = Path(__file__).with_name("images")
SONG, NAME = "disco", "disco.m4a"
_HIGHLIGHT = "#c22fa0"
_TINTS = ("#3056c9", "#148a6d", "#b5301f", "#8a5a00")  # from the lowest onset band to the highest
_COLOURS = "magma"
_WIDEST = 1200  # pixels
_BINS_PER_HERTZ = N_FFT / SAMPLE_RATE

Array = NDArray[np.float32]


def song() -> tuple[Segment, Segment]:
    """Return the demo song as a whole, and what topgenre decodes of it."""
    sound = encode(synthesise(SONG), ".m4a")
    whole = load_segment(io.BytesIO(sound), seconds=30.0, name=NAME)
    return whole, load_segment(io.BytesIO(sound), name=NAME)


def figures(whole: Segment, middle: Segment, spectrograms: Spectrograms) -> dict[str, Figure]:
    """Draw what is on no other picture of topgenre."""
    return {
        "how-segment.png": _segment(whole, middle),
        "how-hpss.png": _hpss(spectrograms),
        "how-onsets.png": _onsets(spectrograms),
        "how-input.png": _input(spectrograms),
    }


def main(folder: Path) -> None:
    """Write all pictures into a folder."""
    whole, middle = song()
    spectrograms = compute(middle, NAME)
    drawn = figures(whole, middle, spectrograms)
    with tempfile.TemporaryDirectory() as temporary:
        large = Path(temporary)
        for name, figure in drawn.items():
            with canvas.drawing():
                canvas.save(figure, large / name)
        save_spectrograms(spectrograms, large / "spectrograms.png")
        ogg = io.BytesIO(encode(synthesise("hip-hop"), ".ogg"))
        save_bar_chart(load().classify(ogg, name="hip-hop.ogg"), large / "bars.png")
        for name in (*drawn, "spectrograms.png", "bars.png"):
            _shrink(large / name, folder / name, colours=None if name == "bars.png" else 128)
            sys.stdout.write(f"wrote {folder / name}\n")


def _shrink(path: Path, target: Path, colours: int | None) -> None:
    """Keep the pixels that a page shows, and so many colours; the rest is most of the file."""
    from PIL import Image

    shrunk = io.BytesIO()
    with Image.open(path) as picture:
        smaller = picture.convert("RGB")
        smaller.thumbnail((_WIDEST, _WIDEST))
        fewer = smaller.quantize(colours) if colours else smaller
        fewer.save(shrunk, "PNG", optimize=True)
    write_whole(target, shrunk.getvalue(), ANYTHING)


def _figure(width: float, height: float, rows: int, columns: int = 1) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with canvas.drawing():
        figure = Figure(
            figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1)
        )
        return figure, figure.subplots(rows, columns, squeeze=False)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", size=11, weight="bold", color=canvas.palette().ink)


def _segment(whole: Segment, middle: Segment) -> Figure:
    """Show the song, and the ten seconds that are read of it."""
    figure, [[axes]] = _figure(8, 2.2, 1)
    columns = np.array_split(whole.samples, 900)
    time = np.linspace(whole.start, whole.end, len(columns))
    low, high = (np.array([edge(c) for c in columns]) for edge in (np.min, np.max))
    inside = (time >= middle.start) & (time <= middle.end)
    axes.fill_between(time, low, high, color="#9a93a5", linewidth=0)
    axes.fill_between(time, low, high, where=inside, color=_HIGHLIGHT, linewidth=0)
    axes.axvspan(middle.start, middle.end, color=_HIGHLIGHT, alpha=0.12, linewidth=0)
    axes.set(xlim=(0, whole.end), xlabel="Time (s)", yticks=[])
    _title(axes, f"{NAME}: what is decoded")
    return figure


def _decibels(power: Array, loudest: float) -> Array:
    return np.asarray(10 * np.log10(np.maximum(power / loudest, 1e-8)))


def _hpss(spectrograms: Spectrograms) -> Figure:
    """Show two seconds below 2 kHz: the two medians, and the shares that they claim."""
    full = spectrograms.full
    steady = np.ascontiguousarray(hpss.running_median(np.ascontiguousarray(full.T)).T)
    struck = hpss.running_median(full)
    panels = (
        ("Full power", full),
        ("Median of 31 moments", steady),
        ("Median of 31 frequencies", struck),
        ("", None),
        ("Harmonic power", spectrograms.harmonic),
        ("Percussive power", spectrograms.percussive),
    )
    frames = slice(SAMPLE_RATE // HOP_LENGTH, 3 * SAMPLE_RATE // HOP_LENGTH)
    bins = slice(0, round(2000 * _BINS_PER_HERTZ))
    first = spectrograms.start + frames.start * HOP_LENGTH / SAMPLE_RATE
    last = spectrograms.start + frames.stop * HOP_LENGTH / SAMPLE_RATE
    figure, grid = _figure(9, 5, 2, 3)
    loudest = float(full.max())
    for axes, (title, power) in zip(grid.flat, panels, strict=True):
        if power is None:
            axes.axis("off")
            continue
        axes.imshow(
            _decibels(power[bins, frames], loudest),
            cmap=_COLOURS,
            vmin=-70,
            vmax=0,
            aspect="auto",
            origin="lower",
            extent=(first, last, 0, 2),
        )
        axes.set(xlabel="Time (s)", ylabel="Frequency (kHz)")
        axes.label_outer()
        _title(axes, title)
    grid[1, 1].tick_params(labelleft=True)
    grid[1, 1].set_ylabel("Frequency (kHz)")
    grid[0, 0].tick_params(labelbottom=True)
    grid[0, 0].set_xlabel("Time (s)")
    return figure


def _onsets(spectrograms: Spectrograms) -> Figure:
    """Show the onset strength of four sub-bands as curves."""
    n_bands, n_frames = spectrograms.onset.shape
    time = spectrograms.start + np.arange(n_frames) * HOP_LENGTH / SAMPLE_RATE
    figure, grid = _figure(8, 4.4, n_bands)
    highest = float(spectrograms.onset.max())
    bounds = mel_edges(N_MELS, SAMPLE_RATE / 2)[np.array(ONSET_CHANNELS)] / 1000
    for band, axes in enumerate(grid[::-1, 0]):
        strength = spectrograms.onset[band]
        axes.fill_between(time, strength, color=_TINTS[band], alpha=0.25, linewidth=0)
        axes.plot(time, strength, color=_TINTS[band], linewidth=1.1)
        axes.set(xlim=(spectrograms.start, spectrograms.end), ylim=(0, highest))
        axes.set_ylabel("Rise (dB)", size=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelbottom=band == 0)
        _title(axes, f"Mel bands of {bounds[band]:.2g} to {bounds[band + 1]:.2g} kHz")
    grid[-1, 0].set_xlabel("Time (s)")
    return figure


def _input(spectrograms: Spectrograms) -> Figure:
    """Show the four channels of numbers that the network reads."""
    channels = network_input(spectrograms)
    figure, grid = _figure(9, 5, 2, 2)
    for axes, name, channel in zip(grid.flat, CHANNELS, channels, strict=True):
        image = axes.imshow(
            channel,
            cmap=_COLOURS,
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            vmin=0 if name == "onset" else -3,
        )
        axes.set(xlabel="Frame", ylabel="Mel band")
        axes.label_outer()
        _title(axes, f"{name}, {channel.shape[0]} x {channel.shape[1]}")
        bar = figure.colorbar(image, ax=axes, pad=0.01)
        bar.set_label(f"in units of {10 if name == 'onset' else 20} dB")
        bar.outline.set_visible(False)
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HOME)
