"""Decoded recordings in memory, for blocks to be cut from anywhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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
    """Recordings in memory, one clip per row.

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
    device: str,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Sounds:
    """Decode clips into the memory of a device.

    Clips that cannot be decoded, and silent ones, are left out with a warning in the log.
    """
    number = {genre: index for index, genre in enumerate(genres)}

    def decode(clip: Clip) -> NDArray[np.int16]:
        try:
            samples = load_segment(clip.path, seconds=LONGEST_CLIP).samples
        except AudioError as error:
            log.warning("left out: %s", error)
            return np.zeros(0, np.int16)
        if len(samples) < _SHORTEST or np.abs(samples).max() < _SILENT:
            log.warning("left out: %s: too short or silent", clip.path)
            return np.zeros(0, np.int16)
        return (np.clip(samples, -1, 1) * (2**15 - 1)).astype(np.int16)

    kept, waves = [], []
    with ThreadPoolExecutor(_THREADS) as executor:
        for done, (clip, wave) in enumerate(
            zip(clips, executor.map(decode, clips), strict=True), start=1
        ):
            progress(done, len(clips))
            if len(wave):
                kept.append(clip)
                waves.append(wave)
    return Sounds(
        samples=torch.from_numpy(np.concatenate(waves or [np.zeros(0, np.int16)])).to(device),
        length=torch.tensor([len(wave) for wave in waves], dtype=torch.long, device=device),
        clip=np.array([clip.name for clip in kept]),
        collection=np.array([clip.collection for clip in kept]),
        label=np.array([number.get(clip.genre, -1) for clip in kept], np.int64),
    )
