"""Ten-second blocks of sound with their labels and teacher targets, cached on disk."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from topgenre.audio import SAMPLE_RATE, SEGMENT_SECONDS, Segment, load_segment
from topgenre.errors import AudioError, DatasetError
from topgenre.evaluation.dataset import Clip
from topgenre.network import fit_frames
from topgenre.spectrograms import HOP_LENGTH, compute, network_input
from topgenre.training.sound import for_teachers

log = logging.getLogger(__name__)

BLOCK_SAMPLES = round(SEGMENT_SECONDS * SAMPLE_RATE)
BLOCK_FRAMES = 1 + BLOCK_SAMPLES // HOP_LENGTH
_CACHE_VERSION = 4
_CLIPS_PER_SHARD = 50  # an interrupted run repeats at most one shard
LONGEST_CLIP = 1200.0  # seconds read of one file

Array = NDArray[np.float32]
Targets = Mapping[str, NDArray[np.float16]]


class Teacher(Protocol):
    """A pre-trained network that says something of sounds."""

    name: str

    def __call__(self, sound: Tensor) -> dict[str, Tensor]:
        """Map sounds (b, n) from `topgenre.training.sound.for_teachers` to named targets."""


class Inputs:
    """Network inputs of many blocks, in one or more arrays on disk or in memory.

    Parameters
    ----------
    shards : list of ndarray of float16, each of shape (n_i, 4, 128, n_frames)
    """

    def __init__(self, shards: list[NDArray[np.float16]]) -> None:
        self.shards = shards
        self.ends = np.cumsum([len(shard) for shard in shards])
        self.n_frames = int(shards[0].shape[3])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, row: int) -> NDArray[np.float16]:
        """Return the input of one block, shape (4, 128, n_frames)."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        shard = int(np.searchsorted(self.ends, row, side="right"))
        inside = row - self.ends[shard] + len(self.shards[shard])
        block: NDArray[np.float16] = self.shards[shard][inside]
        return block


@dataclass(frozen=True, slots=True)
class Examples:
    """Ten-second blocks of sound, one per row.

    Attributes
    ----------
    inputs : Inputs
    clip : ndarray of str, shape (n,)
        Name of the clip that the block was cut from.
    label : ndarray of int64, shape (n,)
        Index into `genres`; -1 where unlabelled.
    split : ndarray of str, shape (n,)
    collection, style : ndarray of str, shape (n,)
        See `topgenre.evaluation.dataset.Clip`.
    middle : ndarray of bool, shape (n,)
        Whether it is the block that classification takes of the clip. Each clip has one.
    genres : tuple of str
    targets : mapping of str to ndarray of float16
        What each teacher says of each block, by name; the first axis has length n.
    """

    inputs: Inputs
    clip: NDArray[np.str_]
    label: NDArray[np.int64]
    split: NDArray[np.str_]
    collection: NDArray[np.str_]
    style: NDArray[np.str_]
    middle: NDArray[np.bool_]
    genres: tuple[str, ...]
    targets: Targets


class ExampleMeta(NamedTuple):
    """What the cache keeps about a block beside its arrays."""

    clip: str
    genre: str
    split: str
    collection: str
    style: str
    middle: bool


def cut_blocks(samples: Array, hop_seconds: float) -> Iterator[tuple[Array, bool]]:
    """Cut blocks of 10 s on a grid that contains the middle block; say which one that is.

    A sound shorter than a block is yielded as it is.
    """
    spare = len(samples) - BLOCK_SAMPLES
    if spare <= 0:
        yield samples, True
        return
    hop = round(hop_seconds * SAMPLE_RATE)
    middle = spare // 2
    for first in range(middle % hop, spare + 1, hop):
        yield samples[first : first + BLOCK_SAMPLES], first == middle


def build_cache(
    clips: Sequence[Clip],
    cache_dir: Path,
    *,
    hop_seconds: float = 5.0,
    teachers: Sequence[Teacher] = (),
    genres: Sequence[str] = (),
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Examples:
    """Compute the network inputs and teacher targets of all clips once.

    Parameters
    ----------
    clips : sequence of Clip
    cache_dir : Path
        Finished shards found here are reused, so an interrupted run continues where it stopped.
    hop_seconds : float
        Distance between blocks of a clip.
    teachers : sequence of Teacher
    genres : sequence of str
        Order of the labels. By default the clips' genres in alphabetical order.
    progress : callable
        Called with the numbers of finished and of all clips.

    Returns
    -------
    topgenre.training.examples.Examples
        Clips that cannot be decoded are left out, with a warning in the log.

    Raises
    ------
    DatasetError
        If no clip can be decoded.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    shards: list[tuple[Path, list[ExampleMeta]]] = []
    done = 0
    for first in range(0, len(clips), _CLIPS_PER_SHARD):
        chunk = clips[first : first + _CLIPS_PER_SHARD]
        key = json.dumps(
            [
                _CACHE_VERSION, hop_seconds, len(teachers),
                [[clip.name, clip.genre, clip.path.stat().st_size] for clip in chunk],
            ]
        )  # fmt: skip
        path = cache_dir / hashlib.sha256(key.encode()).hexdigest()[:16]
        if not path.with_suffix(".json").exists():
            _write_shard(path, chunk, hop_seconds, teachers)
        rows = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        shards.append((path, [ExampleMeta(**row) for row in rows]))
        done += len(chunk)
        progress(done, len(clips))
    order = tuple(genres) or tuple(sorted({clip.genre for clip in clips} - {""}))
    return _read_shards(shards, order)


def concatenate(many: Iterable[Examples]) -> Examples:
    """Join examples of several caches; targets that only some have are dropped."""
    parts = list(many)
    genres = next(part.genres for part in parts if part.genres)
    shared = set.intersection(*(set(part.targets) for part in parts))
    columns = ("clip", "label", "split", "collection", "style", "middle")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in columns
    }
    return Examples(
        inputs=Inputs([shard for part in parts for shard in part.inputs.shards]),
        genres=genres,
        targets={n: np.concatenate([part.targets[n] for part in parts]) for n in sorted(shared)},
        **joined,
    )


def _write_shard(
    path: Path,
    clips: Sequence[Clip],
    hop_seconds: float,
    teachers: Sequence[Teacher],
) -> None:
    inputs: list[Array] = []
    targets: list[dict[str, NDArray[np.float16]]] = []
    rows: list[ExampleMeta] = []
    for clip in clips:
        try:
            samples = load_segment(clip.path, seconds=LONGEST_CLIP).samples
        except AudioError as error:
            log.warning("left out: %s", error)
            continue
        for block, middle in cut_blocks(samples, hop_seconds):
            if np.abs(block).max() < 1e-3:
                continue
            stack = compute(Segment(block, 0.0, len(block) / SAMPLE_RATE, ()))
            inputs.append(fit_frames(network_input(stack)[None], BLOCK_FRAMES)[0])
            sound = for_teachers(torch.from_numpy(np.resize(block, BLOCK_SAMPLES))[None])
            answers = {k: v for teacher in teachers for k, v in teacher(sound).items()}
            targets.append({k: v[0].half().cpu().numpy() for k, v in answers.items()})
            rows.append(
                ExampleMeta(clip.name, clip.genre, clip.split, clip.collection, clip.style, middle)
            )
    if rows:
        np.save(path.with_suffix(".npy"), np.stack(inputs).astype(np.float16))
        for name in targets[0]:
            np.save(path.with_suffix(f".{name}.npy"), np.stack([t[name] for t in targets]))
    # Written last: a shard counts as finished once its list of rows exists.
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps([row._asdict() for row in rows]), encoding="utf-8")
    temporary.replace(path.with_suffix(".json"))


def _read_shards(
    shards: Sequence[tuple[Path, list[ExampleMeta]]], genres: tuple[str, ...]
) -> Examples:
    shards = [shard for shard in shards if shard[1]]
    if not shards:
        raise DatasetError("none of the data set's files could be decoded")
    rows = [row for _, metas in shards for row in metas]
    number = {genre: index for index, genre in enumerate(genres)}
    names = {
        file.name.split(".")[1] for file in shards[0][0].parent.glob(f"{shards[0][0].name}.*.npy")
    }
    return Examples(
        inputs=Inputs([np.load(path.with_suffix(".npy"), mmap_mode="r") for path, _ in shards]),
        clip=np.array([row.clip for row in rows]),
        label=np.array([number.get(row.genre, -1) for row in rows]),
        split=np.array([row.split for row in rows]),
        collection=np.array([row.collection for row in rows]),
        style=np.array([row.style for row in rows]),
        middle=np.array([row.middle for row in rows]),
        genres=genres,
        targets={
            name: np.concatenate([np.load(path.with_suffix(f".{name}.npy")) for path, _ in shards])
            for name in sorted(names)
        },
    )


def fold_splits(examples: Examples, n_folds: int) -> list[NDArray[np.str_]]:
    """Split the labelled clips so that those of an artist stay together where known.

    The first fold is the published ``valid``. The others are runs of neighbouring names within
    each genre of ``train``, since the clips of an artist mostly have neighbouring numbers. Of
    other collections, each is held out as a whole by one fold; the folds get about as many clips.

    Returns
    -------
    list of ndarray of str
        For each fold the split of every block, with the fold as ``valid``.
    """
    fold = np.full(len(examples.label), -1)
    from_dataset = (examples.label >= 0) & (examples.collection == "")
    fold[from_dataset & (examples.split == "valid")] = 0
    for genre in range(len(examples.genres)):
        rows = np.flatnonzero(from_dataset & (examples.label == genre) & (fold < 0))
        names, clip = np.unique(examples.clip[rows], return_inverse=True)
        fold[rows] = 1 + clip * (n_folds - 1) // max(1, len(names))
    sizes = np.zeros(n_folds)
    collections, counts = np.unique(examples.collection, return_counts=True)
    for collection, count in sorted(zip(collections, counts, strict=True), key=lambda c: -c[1]):
        if collection:
            smallest = int(sizes.argmin())
            fold[examples.collection == collection] = smallest
            sizes[smallest] += count
    return [
        np.where(fold < 0, examples.split, np.where(fold == number, "valid", "train"))
        for number in range(n_folds)
    ]
