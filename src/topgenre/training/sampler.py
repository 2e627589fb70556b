"""Draw training batches from labelled and unlabelled music."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.training.config import TrainConfig
from topgenre.training.examples import Examples
from topgenre.training.net import TIME_STRIDE, WINDOW_HOP, WINDOW_STEPS
from topgenre.training.teacher import STEP_FRAMES

N_WINDOWS = 5  # that the network pools in a block of 10 s


class Batch(NamedTuple):
    """Crops of blocks.

    Attributes
    ----------
    inputs : ndarray of float32, shape (b, 4, 128, crop_frames)
    rows : ndarray of int64, shape (b,)
        Of the examples.
    first_window, first_frame : ndarray of int64, shape (b,)
        Where the crop begins in its block.
    """

    inputs: NDArray[np.float32]
    rows: NDArray[np.int64]
    first_window: NDArray[np.int64]
    first_frame: NDArray[np.int64]


class Sampler:
    """Draws batches with genres balanced, and clips balanced within a genre.

    A clip of another collection counts `TrainConfig.other_weight` times. A piece of unlabelled
    music counts by the root of its length, since long ones repeat themselves.
    """

    def __init__(self, examples: Examples, config: TrainConfig, train: NDArray[np.bool_]) -> None:
        self.examples = examples
        self.config = config
        self.labelled = np.flatnonzero(train & (examples.label >= 0))
        self.unlabelled = np.flatnonzero(train & (examples.label < 0))
        self.weight = balanced_weights(examples, self.labelled, config.other_weight)
        _, clip, size = np.unique(
            examples.clip[self.unlabelled], return_inverse=True, return_counts=True
        )
        weight = 1 / np.sqrt(size[clip])
        self.unlabelled_weight = weight / weight.sum()

    def draw_rows(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return random rows, `TrainConfig.labelled_share` of them labelled."""
        config = self.config
        share = config.labelled_share if len(self.unlabelled) else 1.0
        n_labelled = round(share * config.batch_size) if len(self.labelled) else 0
        sources = (
            (self.labelled, self.weight, n_labelled),
            (self.unlabelled, self.unlabelled_weight, config.batch_size - n_labelled),
        )
        return np.concatenate([rng.choice(some, n, p=weight) for some, weight, n in sources if n])

    def draw(self, rng: np.random.Generator) -> Batch:
        """Return a random batch of crops."""
        config = self.config
        rows = self.draw_rows(rng)
        last_window = N_WINDOWS - windows_inside(config.crop_frames)
        first_window = rng.integers(0, last_window + 1, config.batch_size)
        first_frame = np.round(first_window * WINDOW_HOP * TIME_STRIDE).astype(np.int64)
        last_frame = self.examples.inputs.n_frames - config.crop_frames
        jitter = rng.integers(-8, 9, config.batch_size)
        first_frame = np.clip(first_frame + jitter, 0, last_frame)
        first_frame -= first_frame % STEP_FRAMES
        inputs = np.stack(
            [
                self.examples.inputs[row][:, :, first : first + config.crop_frames]
                for row, first in zip(rows, first_frame, strict=True)
            ]
        )
        return Batch(inputs.astype(np.float32), rows, first_window, first_frame)


def balanced_weights(
    examples: Examples, rows: NDArray[np.int64], other_weight: float
) -> NDArray[np.float64]:
    """Weigh labelled rows: genres count equally, and clips equally within a genre.

    Parameters
    ----------
    examples : Examples
    rows : ndarray of int64, shape (n,)
    other_weight : float
        How many times a clip of another collection counts.

    Returns
    -------
    ndarray of float64, shape (n,)
        Their sum is 1.
    """
    if not len(rows):
        return np.zeros(0)
    _, clip, blocks_of = np.unique(examples.clip[rows], return_inverse=True, return_counts=True)
    weight = np.where(examples.collection[rows] == "", 1.0, other_weight) / blocks_of[clip]
    label = examples.label[rows]
    weight /= np.bincount(label, weight, minlength=len(examples.genres))[label]
    return np.asarray(weight / weight.sum())


def windows_inside(n_frames: int) -> int:
    """Return how many pooling windows the network takes from `n_frames` of input."""
    steps = -(-n_frames // TIME_STRIDE)
    return 1 + int((steps - WINDOW_STEPS) / WINDOW_HOP + 0.5)
