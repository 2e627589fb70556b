"""Mixtures of two pieces each, for the teacher to label: endlessly many sounds from few pieces.

A student that regresses a teacher's features learns a function, so any sound that the teacher
judges is a lesson, whether somebody would call it music or not (Beyer et al., "Knowledge
distillation: a good teacher is patient and consistent", CVPR 2022). There is no such thing as a
mixture's genre, so none is claimed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from topgenre.audio import SAMPLE_RATE, load_segment
from topgenre.errors import AudioError, DatasetError
from topgenre.training.data import (
    BLOCK_SAMPLES,
    LONGEST_CLIP,
    Array,
    Blocks,
    Clip,
    Part,
    Row,
    Teacher,
    assemble,
)

log = logging.getLogger(__name__)

SPLIT = "mixture"

_MIXTURES_PER_PART = 500  # an interrupted run repeats at most one part
_LABELLED_SHARE = 0.5  # of first pieces: what is to be told apart must be heard often
_SOFTEST = 12.0  # dB that the second piece may be below the first
_FASTEST = 1.25  # each piece is played at a speed of its own between this and its inverse


def build_mixtures(
    clips: Sequence[Clip],
    cache_dir: Path,
    n_mixtures: int,
    *,
    teacher: Teacher,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Blocks:
    """Mix pieces at random, and compute network inputs and the teacher's features once.

    Parameters
    ----------
    clips : sequence of Clip
        Pieces to mix; the caller leaves out what is held out.
    cache_dir : Path
        Finished parts found here are kept.
    n_mixtures : int
        Blocks of 10 s to make.
    teacher : callable
        Says what it hears in a block's samples.
    progress : callable
        Called with the numbers of finished and of all mixtures.

    Returns
    -------
    Blocks
        Without labels, in the split `SPLIT`.

    Raises
    ------
    DatasetError
        If none of the pieces can be decoded.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    names = [[clip.name, clip.path.stat().st_size] for clip in clips]
    parts: list[tuple[Path, list[Row]]] = []
    pieces: _Pieces | None = None
    n_parts = -(-n_mixtures // _MIXTURES_PER_PART)
    for number in range(n_parts):
        n_here = min(_MIXTURES_PER_PART, n_mixtures - number * _MIXTURES_PER_PART)
        key = json.dumps(["mixtures", number, n_here, names])
        part = Part(cache_dir / hashlib.sha256(key.encode()).hexdigest()[:16])
        if not part.finished:
            pieces = pieces or _Pieces(clips)
            rng = np.random.default_rng([number, len(clips)])
            for index in range(n_here):
                name = f"mixture/{number}-{index}"
                part.add(pieces.mix(rng), Row(name, "", SPLIT, middle=False), teacher)
            part.finish()
        parts.append((part.path, part.rows()))
        progress(number * _MIXTURES_PER_PART + n_here, n_mixtures)
    return assemble(parts, (), taught=True)


class _Pieces:
    """All pieces, decoded: an hour takes 160 MB."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self._sounds: list[NDArray[np.int16]] = []
        labelled = []
        for clip in clips:
            try:
                samples = load_segment(clip.path, seconds=LONGEST_CLIP).samples
            except AudioError as error:
                log.warning("left out: %s", error)
                continue
            peak = max(float(np.abs(samples).max()), 1e-6)
            self._sounds.append((samples * (32767 / peak)).astype(np.int16))
            labelled.append(bool(clip.genre))
        if not self._sounds:
            raise DatasetError("none of the data set's files could be decoded")
        self._labelled = np.flatnonzero(labelled)
        seconds = np.array([len(sound) for sound in self._sounds], np.float64)
        self._by_length = seconds / seconds.sum()

    def mix(self, rng: np.random.Generator) -> Array:
        """Return 10 s of one piece and 10 s of another, at speeds and levels drawn at random."""
        first = self._excerpt(rng, len(self._labelled) > 0 and rng.random() < _LABELLED_SHARE)
        second = self._excerpt(rng, among_labelled=False)
        level = 10 ** (-_SOFTEST * rng.random() / 20)
        mixed: Array = first + np.float32(level) * second
        return mixed * np.float32(0.5 / max(float(np.abs(mixed).max()), 1e-6))

    def _excerpt(self, rng: np.random.Generator, among_labelled: bool) -> Array:
        while True:
            chosen = (
                rng.choice(self._labelled)
                if among_labelled
                else rng.choice(len(self._sounds), p=self._by_length)
            )
            sound = self._sounds[chosen]
            speed = _FASTEST ** rng.uniform(-1, 1)
            wanted = int(BLOCK_SAMPLES * speed) + 1
            begin = int(rng.integers(0, max(1, len(sound) - wanted)))
            excerpt = sound[begin : begin + wanted].astype(np.float32) / 32768
            played = soxr.resample(excerpt, SAMPLE_RATE * speed, SAMPLE_RATE)
            block: Array = np.resize(played, BLOCK_SAMPLES).astype(np.float32)
            rms = np.sqrt(np.mean(np.square(block)))
            if rms > 1e-3:
                block /= rms
                return block
