"""Blocks of varied sound, with what the teachers say of exactly these.

A block is played faster or slower, mixed with another one, or a short piece of it repeats. The
teachers hear the same sound as the network, so a few hours of music give any number of examples.
Blocks are kept for a while, since making one costs more than learning from it, and are replaced in
turn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from topgenre.audio import SAMPLE_RATE
from topgenre.training.examples import BLOCK_FRAMES, BLOCK_SAMPLES, Teacher
from topgenre.training.net import TIME_STRIDE, WINDOW_HOP, WINDOW_STEPS
from topgenre.training.sound import for_teachers, network_inputs, resample
from topgenre.training.sounds import Sounds
from topgenre.training.teacher import N_WINDOWS, STEP_FRAMES

REPEATED_BELOW = round(1.2 * BLOCK_SAMPLES)  # of a clip: it leaves a block no choice of place

_FASTEST = 1.09  # and the slowest is as much slower
_SHORTEST, _LONGEST_PIECE = 2.0, 4.0  # seconds of a piece that repeats
_QUIETEST = 15.0  # dB, of a second piece of music against the first
_BATCH = 32  # blocks made at once


class Batch(NamedTuple):
    """Crops of blocks.

    Attributes
    ----------
    inputs : Tensor, shape (b, 4, 128, crop_frames)
    rows : Tensor of int64, shape (b,)
        Of the clips.
    targets : dict of str to Tensor
        What each teacher says of the windows, shape (b, n_windows, n); ``timbre``, of the first
        one's timbre filters, has shape (b, n_steps, n).
    """

    inputs: Tensor
    rows: Tensor
    targets: dict[str, Tensor]


class Pool:
    """Blocks of some clips, each of which is made anew from time to time.

    Parameters
    ----------
    sounds : Sounds
    clips : ndarray of int64, shape (n,)
        Row of the clip that each block is cut from.
    teachers : sequence of Teacher
    generator : torch.Generator
        On the device of the sounds.
    mixed, repeated : float
        Shares of blocks that are mixed with another clip, and of which a short piece repeats.
        Clips of under 12 s always repeat.
    """

    def __init__(
        self,
        sounds: Sounds,
        clips: NDArray[np.int64],
        teachers: Sequence[Teacher],
        generator: torch.Generator,
        *,
        mixed: float,
        repeated: float,
    ) -> None:
        device = sounds.samples.device
        self.sounds, self.teachers, self.generator, self.mixed = sounds, teachers, generator, mixed
        self.rows = torch.from_numpy(clips).to(device)
        self._first = sounds.length.cumsum(0) - sounds.length
        chosen = torch.rand(len(clips), generator=generator, device=device) < repeated
        repeats = chosen | (sounds.length[self.rows] < REPEATED_BELOW)
        order = torch.randperm(len(clips), generator=generator, device=device)
        self._kinds = [order[~repeats[order]], order[repeats[order]]]
        self._next = [0, 0]
        self.inputs = torch.empty(0)
        self.targets: dict[str, Tensor] = {}
        for kind, members in enumerate(self._kinds):
            for _ in range(-(-len(members) // _BATCH)):
                self._renew(kind)

    def renew(self) -> None:
        """Make a few blocks anew, whole or repeated ones, each kind as often as it has blocks."""
        share = len(self._kinds[1]) / len(self.rows)
        pick = torch.rand(1, generator=self.generator, device=self.rows.device)
        self._renew(int(pick.item() < share))

    def _renew(self, kind: int) -> None:
        members, first = self._kinds[kind], self._next[kind]
        places = members[first : first + _BATCH]
        self._next[kind] = first + _BATCH if first + _BATCH < len(members) else 0
        sound, inputs = (self._whole, self._repeated)[kind](self.rows[places])
        made = {name: t for teacher in self.teachers for name, t in teacher(sound).items()}
        if not len(self.inputs):
            self.inputs = inputs.new_empty((len(self.rows), *inputs.shape[1:]), dtype=torch.half)
            self.targets = {
                name: values.new_empty((len(self.rows), *values.shape[1:]), dtype=torch.half)
                for name, values in made.items()
            }
        self.inputs[places] = inputs.half()
        for name, values in made.items():
            self.targets[name][places] = values.half()

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator, device=self.rows.device)

    def _cut(self, rows: Tensor, n: int) -> Tensor:
        """Cut `n` samples of each clip from a random place, (b, n); short clips repeat."""
        length = self.sounds.length[rows]
        offset = (self._uniform(len(rows)) * (length - n + 1).clamp_min(1)).long()
        places = (offset[:, None] + torch.arange(n, device=rows.device)) % length[:, None]
        return self.sounds.samples[self._first[rows][:, None] + places].float() / 2**15

    def _whole(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return sounds for the teachers and inputs of 10 s, of one speed and perhaps mixed."""
        speed = 1.0
        if self._uniform(1).item() < 0.5:
            speed = _FASTEST ** (2 * self._uniform(1).item() - 1)
        n = _smooth(round(BLOCK_SAMPLES * speed))
        samples = self._cut(rows, n)
        if self.mixed:
            other = torch.roll(self._cut(rows, n), 1, 0)
            rms = [x.square().mean(1, keepdim=True).sqrt() + 1e-6 for x in (samples, other)]
            gain = 10 ** (-_QUIETEST / 20 * self._uniform(len(rows), 1))
            gain = torch.where(self._uniform(len(rows), 1) < self.mixed, gain, 0.0)
            samples = samples + gain * rms[0] / rms[1] * other
        samples = resample(samples, BLOCK_SAMPLES)
        return for_teachers(samples), network_inputs(samples)

    def _repeated(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return sounds for the teachers and inputs of 10 s, in which a short piece repeats."""
        seconds = _SHORTEST + (_LONGEST_PIECE - _SHORTEST) * self._uniform(1).item()
        n = min(round(seconds * SAMPLE_RATE), int(self.sounds.length[rows].min()))
        samples = self._cut(rows, n)
        inputs = network_inputs(samples)
        frames = torch.arange(BLOCK_FRAMES, device=rows.device) % inputs.shape[3]
        times = torch.arange(BLOCK_SAMPLES, device=rows.device) % n
        return for_teachers(samples[:, times]), inputs[..., frames]

    def draw(self, weights: Tensor, n: int, crop_frames: int) -> Batch:
        """Draw crops of `n` blocks.

        Parameters
        ----------
        weights : Tensor, shape (n_blocks,)
            How often each block is drawn, relative to the others.
        n : int
        crop_frames : int

        Returns
        -------
        topgenre.training.pool.Batch
        """
        device = self.rows.device
        places = torch.multinomial(weights, n, replacement=True, generator=self.generator)
        inside = windows_inside(crop_frames)
        windows = (self._uniform(n) * (N_WINDOWS - inside + 1)).long()
        first = (windows * (WINDOW_HOP * TIME_STRIDE)).round().long()
        first = first + (17 * self._uniform(n)).long() - 8
        last = self.inputs.shape[3] - crop_frames
        first = first.clamp(0, last)
        first -= first % STEP_FRAMES
        frames = first[:, None] + torch.arange(crop_frames, device=device)
        inputs = self.inputs[
            places[:, None, None, None],
            torch.arange(4, device=device)[None, :, None, None],
            torch.arange(self.inputs.shape[2], device=device)[None, None, :, None],
            frames[:, None, None, :],
        ].float()
        targets = {}
        for name, stored in self.targets.items():
            if name == "timbre":
                n_steps = crop_frames // STEP_FRAMES
                steps = first[:, None] // STEP_FRAMES + torch.arange(n_steps, device=device)
                steps = steps.clamp_max(stored.shape[1] - 1)
            else:
                steps = windows[:, None] + torch.arange(inside, device=device)
            targets[name] = stored[places[:, None], steps].float()
        return Batch(inputs, self.rows[places], targets)


def balanced_weights(
    clips: NDArray[np.str_],
    labels: NDArray[np.int64],
    collections: NDArray[np.str_],
    n_genres: int,
    other_weight: float,
) -> NDArray[np.float64]:
    """Weigh labelled blocks: genres count equally, and clips equally within a genre.

    Parameters
    ----------
    clips, collections : ndarray of str, shape (n,)
    labels : ndarray of int64, shape (n,)
    n_genres : int
    other_weight : float
        How many times a clip of another collection counts.

    Returns
    -------
    ndarray of float64, shape (n,)
        Their sum is 1.
    """
    if not len(labels):
        return np.zeros(0)
    _, clip, blocks_of = np.unique(clips, return_inverse=True, return_counts=True)
    weight = np.where(collections == "", 1.0, other_weight) / blocks_of[clip]
    weight /= np.bincount(labels, weight, minlength=n_genres)[labels]
    return np.asarray(weight / weight.sum())


def windows_inside(n_frames: int) -> int:
    """Return how many pooling windows the network takes from `n_frames` of input."""
    steps = -(-n_frames // TIME_STRIDE)
    return 1 + int((steps - WINDOW_STEPS) / WINDOW_HOP + 0.5)


def _smooth(n: int) -> int:
    """Round to a multiple of 2 250, whose Fourier transforms are fast."""
    return 2250 * max(1, math.floor(n / 2250 + 0.5))
