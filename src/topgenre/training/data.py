"""Data sets for training: folders of music, split files, and a cache of network inputs."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.audio import SAMPLE_RATE, SEGMENT_SECONDS, Segment, load_segment
from topgenre.classifier import fit_frames
from topgenre.errors import AudioError, DatasetError
from topgenre.library.find import SUFFIXES
from topgenre.spectrograms import HOP_LENGTH, compute, network_input
from topgenre.training.teacher import Lesson

log = logging.getLogger(__name__)

BLOCK_SAMPLES = round(SEGMENT_SECONDS * SAMPLE_RATE)
BLOCK_FRAMES = 1 + BLOCK_SAMPLES // HOP_LENGTH
_CACHE_VERSION = 2
_CLIPS_PER_PART = 50  # of the cache; an interrupted run repeats at most one part
_HELD_OUT_SHARE = 5  # one clip in so many is held out where the data set has no splits
LONGEST_CLIP = 1200.0  # seconds read of one file

Array = NDArray[np.float32]
Teacher = Callable[[Array], Lesson]


@dataclass(frozen=True, slots=True)
class Clip:
    """A music file of a data set.

    Attributes
    ----------
    path : Path
    name : str
        Path within the data set, with forward slashes.
    genre : str
        Empty where unlabelled.
    split : str
        ``train``, ``valid``, ``test``, or empty where the data set does not say.
    """

    path: Path
    name: str
    genre: str
    split: str


def read_dataset(folder: Path, split_files: Sequence[Path] = ()) -> list[Clip]:
    """List the clips of a data set of GTZAN's layout: a folder a genre.

    An ``index.csv`` with the columns split, path and genre is followed if there is one. Otherwise
    every folder is a genre, and `split_files` tell the splits apart: text files with a clip's path
    a line, whose names begin with the split (``train_filtered.txt``). A clip in none of them is
    left out, so that the published fault-filtered lists do what they are made for.

    Raises
    ------
    DatasetError
        If nothing is found, or a file is listed that does not exist.
    """
    index = folder / "index.csv"
    if index.is_file():
        with index.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows or not {"split", "path", "genre"} <= rows[0].keys():
            raise DatasetError(f"{index}: needs the columns split, path and genre")
        clips = [Clip(folder / r["path"], r["path"], r["genre"], r["split"]) for r in rows]
    elif folder.is_dir():
        clips = [
            Clip(path, path.relative_to(folder).as_posix(), path.parent.name, "")
            for path in sorted(folder.glob("*/*"))
            if path.suffix.lower() in SUFFIXES
        ]
    else:
        raise DatasetError(f"{folder}: no such folder; name one with a folder of music a genre")
    if split_files:
        split_of = {}
        for split_file in split_files:
            for line in split_file.read_text(encoding="utf-8").splitlines():
                if line.strip():
                    name = Path(line.strip()).with_suffix("").as_posix()
                    split_of[name] = split_file.stem.split("_")[0]
        clips = [
            Clip(c.path, c.name, c.genre, split_of[stem])
            for c in clips
            if (stem := Path(c.name).with_suffix("").as_posix()) in split_of
        ]
    missing = [clip for clip in clips if not clip.path.is_file()]
    if missing:
        raise DatasetError(f"{missing[0].path}: listed in the data set, but there is no such file")
    if not clips:
        raise DatasetError(f"{folder}: no music found; each genre needs a folder with sound files")
    return clips


def hold_out(clips: Sequence[Clip]) -> list[Clip]:
    """Where no clip is in a split, put one in five of each genre into ``valid``.

    Whole runs of neighbouring names are held out, since albums and artists stand together.
    """
    if any(clip.split for clip in clips):
        return list(clips)
    split = []
    for genre in sorted({clip.genre for clip in clips}):
        members = sorted((c for c in clips if c.genre == genre), key=lambda c: c.name)
        kept = len(members) - max(1, len(members) // _HELD_OUT_SHARE)
        split += [
            replace(clip, split="train" if index < kept else "valid")
            for index, clip in enumerate(members)
        ]
    return split


def read_unlabelled(folder: Path) -> list[Clip]:
    """List every music file below a folder, without labels."""
    clips = [
        Clip(path, f"{folder.name}/{path.relative_to(folder).as_posix()}", "", "")
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]
    if not clips:
        raise DatasetError(f"{folder}: no music found below this folder")
    return clips


class Features:
    """Network inputs of many blocks, in one or more arrays on disk or in memory.

    Parameters
    ----------
    parts : list of ndarray of float16, each of shape (n_i, 4, 128, n_frames)
    """

    def __init__(self, parts: list[NDArray[np.float16]]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])
        self.n_frames = int(parts[0].shape[3])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, row: int) -> NDArray[np.float16]:
        """Return the input of one block, shape (4, 128, n_frames)."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        part = int(np.searchsorted(self.ends, row, side="right"))
        block: NDArray[np.float16] = self.parts[part][row - self.ends[part] + len(self.parts[part])]
        return block


@dataclass(frozen=True, slots=True)
class Blocks:
    """Ten-second blocks of sound, a row each.

    Attributes
    ----------
    features : Features
    name : ndarray of str, shape (n_blocks,)
        Clip that the block was cut from.
    middle : ndarray of bool, shape (n_blocks,)
        The block that classification takes of a clip; each clip has one.
    label : ndarray of int64, shape (n_blocks,)
        Index into `genres`; -1 where unlabelled.
    split : ndarray of str, shape (n_blocks,)
    genres : tuple of str
    lessons : Lesson, optional
        What the teacher hears, with one more axis in front: n_blocks.
    tag_directions : ndarray of float32, optional
        See `topgenre.training.teacher.MusicnnTeacher.tag_directions`.
    """

    features: Features
    name: NDArray[np.str_]
    middle: NDArray[np.bool_]
    label: NDArray[np.int64]
    split: NDArray[np.str_]
    genres: tuple[str, ...]
    lessons: Lesson | None
    tag_directions: Array | None = None


class Row(NamedTuple):
    """What is known of a block beside its features."""

    name: str
    genre: str
    split: str
    middle: bool


class Part:
    """One file's worth of a cache: blocks that are computed and kept together.

    Parameters
    ----------
    path : Path
        Where the part's files lie, without their suffixes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._features: list[Array] = []
        self._lessons: list[Lesson] = []
        self._rows: list[Row] = []

    @property
    def finished(self) -> bool:
        """Whether an earlier run has written this part."""
        return self.path.with_suffix(".json").exists()

    def rows(self) -> list[Row]:
        """Read the rows of a finished part."""
        text = self.path.with_suffix(".json").read_text(encoding="utf-8")
        return [Row(**row) for row in json.loads(text)]

    def add(self, block: Array, row: Row, teacher: Teacher | None) -> None:
        """Compute what is kept of a block's samples."""
        stack = compute(Segment(block, 0.0, len(block) / SAMPLE_RATE, ()))
        self._features.append(fit_frames(network_input(stack)[None], BLOCK_FRAMES)[0])
        if teacher:
            self._lessons.append(teacher(block))
        self._rows.append(row)

    def finish(self) -> None:
        """Write what was added."""
        if self._rows:
            features = np.stack(self._features).astype(np.float16)
            np.save(self.path.with_suffix(".npy"), features)
        for name, values in zip(Lesson._fields, zip(*self._lessons, strict=True), strict=False):
            np.save(self.path.with_suffix(f".{name}.npy"), np.stack(values))
        # Written last: a part counts as finished once its list of rows is there.
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps([row._asdict() for row in self._rows]), encoding="utf-8")
        temporary.replace(self.path.with_suffix(".json"))


def cut_blocks(samples: Array, hop_seconds: float) -> Iterator[tuple[Array, bool]]:
    """Cut blocks of 10 s on a grid that contains the middle block; say which one that is.

    A sound shorter than a block is one block by itself.
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
    speed: float = 1.0,
    teacher: Teacher | None = None,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Blocks:
    """Compute the network inputs of all clips once, and the teacher's features if there is one.

    Parameters
    ----------
    clips : sequence of Clip
    cache_dir : Path
        Finished parts found here are kept, so an interrupted run goes on where it stopped.
    hop_seconds : float
        Distance between blocks of a clip.
    speed : float
        Play faster (above 1) or slower: pitch and tempo change together, the genre does not.
    teacher : callable, optional
        Says what it hears in a block's samples.
    progress : callable
        Called with the numbers of finished and of all clips.

    Returns
    -------
    Blocks
        Clips that cannot be decoded are left out, with a warning in the log.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    parts: list[tuple[Path, list[Row]]] = []
    done = 0
    for first in range(0, len(clips), _CLIPS_PER_PART):
        chunk = clips[first : first + _CLIPS_PER_PART]
        key = json.dumps(
            [
                _CACHE_VERSION, hop_seconds, speed, teacher is not None,
                [[clip.name, clip.path.stat().st_size] for clip in chunk],
            ]
        )  # fmt: skip
        part = Part(cache_dir / hashlib.sha256(key.encode()).hexdigest()[:16])
        if not part.finished:
            _build_part(chunk, part, hop_seconds, speed, teacher)
        parts.append((part.path, part.rows()))
        done += len(chunk)
        progress(done, len(clips))
    genres = tuple(sorted({clip.genre for clip in clips} - {""}))
    return assemble(parts, genres, taught=teacher is not None)


def concatenate(many: Iterable[Blocks]) -> Blocks:
    """Join blocks of several caches; the first one's genres hold for all."""
    blocks = list(many)
    genres = next(b.genres for b in blocks if b.genres)
    lessons = [b.lessons for b in blocks if b.lessons is not None]
    return Blocks(
        Features([part for b in blocks for part in b.features.parts]),
        np.concatenate([b.name for b in blocks]),
        np.concatenate([b.middle for b in blocks]),
        np.concatenate([b.label for b in blocks]),
        np.concatenate([b.split for b in blocks]),
        genres,
        _joined(lessons) if len(lessons) == len(blocks) else None,
    )


def _joined(lessons: Sequence[Lesson]) -> Lesson:
    return Lesson(*(np.concatenate(arrays) for arrays in zip(*lessons, strict=True)))


def _build_part(
    clips: Sequence[Clip], part: Part, hop_seconds: float, speed: float, teacher: Teacher | None
) -> None:
    for clip in clips:
        try:
            whole = load_segment(clip.path, seconds=LONGEST_CLIP)
        except AudioError as error:
            log.warning("left out: %s", error)
            continue
        samples = whole.samples
        if speed != 1:
            import soxr

            samples = soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE)
        for block, middle in cut_blocks(samples, hop_seconds):
            if np.abs(block).max() >= 1e-3:
                row = Row(clip.name, clip.genre, clip.split, middle and speed == 1)
                part.add(block, row, teacher)
    part.finish()


def assemble(
    parts: Sequence[tuple[Path, list[Row]]], genres: tuple[str, ...], *, taught: bool
) -> Blocks:
    """Put the finished parts of a cache together.

    Raises
    ------
    DatasetError
        If there is nothing in them.
    """
    parts = [part for part in parts if part[1]]
    if not parts:
        raise DatasetError("none of the data set's files could be decoded")
    rows = [row for _, part_rows in parts for row in part_rows]
    number = dict(zip(genres, count(), strict=False))
    return Blocks(
        Features([np.load(path.with_suffix(".npy"), mmap_mode="r") for path, _ in parts]),
        np.array([row.name for row in rows]),
        np.array([row.middle for row in rows]),
        np.array([number.get(row.genre, -1) for row in rows]),
        np.array([row.split for row in rows]),
        genres,
        _joined([_read_lessons(path) for path, _ in parts]) if taught else None,
    )


def _read_lessons(path: Path) -> Lesson:
    return Lesson(*(np.load(path.with_suffix(f".{name}.npy")) for name in Lesson._fields))
