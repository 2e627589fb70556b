"""Decoded recordings, for blocks to be cut from anywhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from topgenre.audio import load_segment
from topgenre.errors import AudioError
from topgenre.evaluation.dataset import Clip
from topgenre.training.examples import LONGEST_CLIP

log = logging.getLogger(__name__)

_THREADS = 4  # decoding leaves the interpreter's lock
_SHORTEST = 22_050  # samples of a clip that is of use
_SILENT = 1e-3  # peak of a clip that is of none


@dataclass(frozen=True, slots=True)
class Sounds:
    """Decoded recordings, one clip per row.

    Attributes
    ----------
    samples : Tensor of int16, shape (n_samples,)
        All clips, one after another: mono, 22 050 Hz.
    length : Tensor of int64, shape (n,)
    clip, collection : ndarray of str, shape (n,)
        See `topgenre.evaluation.dataset.Clip`.
    label : ndarray of int64, shape (n,)
        Index of the genre; -1 where unlabelled.
    """

    samples: Tensor
    length: Tensor
    clip: NDArray[np.str_]
    collection: NDArray[np.str_]
    label: NDArray[np.int64]


def read_sounds(
    clips: Sequence[Clip],
    genres: Sequence[str],
    path: Path,
    device: str,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Sounds:
    """Decode clips into a file, which is mapped into memory or copied to a device.

    An hour of music takes 160 MB. Clips that cannot be decoded, and silent ones, are left out with
    a warning in the log.

    Parameters
    ----------
    clips : sequence of Clip
    genres : sequence of str
        Order of the labels.
    path : Path
        File of samples to write.
    device : str
    progress : callable
        Called with the numbers of decoded and of all clips.

    Returns
    -------
    topgenre.training.sounds.Sounds
    """
    number = {genre: index for index, genre in enumerate(genres)}
    kept, lengths = [], []
    path.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_THREADS) as executor, path.open("wb") as file:
        # A few at a time: what is decoded waits in memory until it is written.
        for first in range(0, len(clips), 2 * _THREADS):
            some = clips[first : first + 2 * _THREADS]
            for clip, samples in zip(some, executor.map(_decode, some), strict=True):
                if len(samples):
                    kept.append(clip)
                    lengths.append(len(samples))
                    file.write(samples.tobytes())
            progress(first + len(some), len(clips))
    every = torch.zeros(0, dtype=torch.int16)
    if kept:
        every = torch.from_file(str(path), shared=True, size=sum(lengths), dtype=torch.int16)
    return Sounds(
        samples=every.to(device),
        length=torch.tensor(lengths, dtype=torch.long, device=device),
        clip=np.array([clip.name for clip in kept]),
        collection=np.array([clip.collection for clip in kept]),
        label=np.array([number.get(clip.genre, -1) for clip in kept], np.int64),
    )


def _decode(clip: Clip) -> NDArray[np.int16]:
    """Return the samples of a clip; none if it is of no use."""
    try:
        samples = load_segment(clip.path, seconds=LONGEST_CLIP).samples
    except AudioError as error:
        log.warning("left out: %s", error)
        return np.zeros(0, np.int16)
    if len(samples) < _SHORTEST or np.abs(samples).max() < _SILENT:
        log.warning("left out: %s: too short or silent", clip.path)
        return np.zeros(0, np.int16)
    return (np.clip(samples, -1, 1) * (2**15 - 1)).astype(np.int16)
