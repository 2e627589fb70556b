"""One training run from folders of music to a model file with an honest card."""

from __future__ import annotations

import dataclasses
import json
import logging
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from topgenre.audio import SEGMENT_SECONDS, Segment
from topgenre.classifier import ModelInfo
from topgenre.errors import DatasetError
from topgenre.spectrograms import compute, network_input
from topgenre.training.calibrate import fit_temperature, softmax, uncertain_below
from topgenre.training.config import TrainConfig
from topgenre.training.data import (
    BLOCK_FRAMES,
    Blocks,
    build_cache,
    concatenate,
    hold_out,
    read_dataset,
    read_unlabelled,
)
from topgenre.training.export import export
from topgenre.training.head import add_teacher, fit_head, fit_music
from topgenre.training.metrics import confusion, figures
from topgenre.training.mixtures import SPLIT, build_mixtures
from topgenre.training.net import GenreNet
from topgenre.training.not_music import not_music
from topgenre.training.teacher import MusicnnTeacher
from topgenre.training.train import Trainer

log = logging.getLogger(__name__)

UNLABELLED_HOP = 10.0  # seconds between blocks of unlabelled music
N_NOT_MUSIC = 320  # synthetic sounds that are no music


@dataclass(frozen=True, slots=True)
class Sources:
    """What a run learns from.

    Attributes
    ----------
    dataset : Path
        Folder of GTZAN's layout.
    split_files : tuple of Path
        See `topgenre.training.data.read_dataset`.
    unlabelled : tuple of Path
        Folders of more music, for the teacher's features.
    speeds : tuple of float
        Further copies of the clips, played faster or slower.
    n_mixtures : int
        Mixtures of two pieces each, for the teacher's features.
    not_music : tuple of Path
        Folders of speech and other sounds that are no music, beyond the synthetic ones.
    teacher : Path, optional
        Weights that `topgenre.training.teacher.convert` wrote.
    """

    dataset: Path
    split_files: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    speeds: tuple[float, ...] = ()
    n_mixtures: int = 0
    not_music: tuple[Path, ...] = ()
    teacher: Path | None = None


def train_model(
    sources: Sources,
    run_dir: Path,
    config: TrainConfig,
    name: str,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Path:
    """Train, measure on the held-out split, calibrate, learn the rest too, export.

    The figures and the temperature come from a network that has seen nothing of the held-out
    split. The weights that ship then learn that split too: some more steps at a low rate on
    everything, and a last layer fitted to everything. No figure is claimed for them that was not
    measured before.

    Parameters
    ----------
    sources : Sources
    run_dir : Path
        Cache, checkpoints and results. The same command resumes an interrupted run.
    config : TrainConfig
    name : str
        Name and version for the model.
    progress : callable
        Called with the numbers of preprocessed and of all clips.

    Returns
    -------
    Path
        The model file, ``run_dir/model.onnx``. Beside it lie ``measured.onnx``, the network that
        the figures are of, and ``card.json``.

    Raises
    ------
    DatasetError
        If the data set cannot be used.
    """
    blocks = prepare(sources, run_dir, progress)
    held_out = blocks.split == "valid"
    labelled = blocks.label >= 0
    if not (held_out & blocks.middle).any() or not (labelled & ~held_out).any():
        raise DatasetError(f"{sources.dataset}: needs clips to train on and clips to hold out")

    other = sounds_without_music(sources.not_music, run_dir)
    trainer = Trainer(blocks, ~held_out, config, run_dir)
    net = trainer.run()
    embeddings = fit_genres(net, blocks, np.flatnonzero(labelled & ~held_out), config)
    fit_music(net, embeddings, embed_inputs(net, other))
    logits, truth = judge_held_out(net, blocks)
    temperature = fit_temperature(logits, truth)
    probabilities = softmax(logits / temperature)
    measured = figures(probabilities, truth)
    log.info("held-out clips: %s", ", ".join(f"{key} {f}" for key, f in measured.items()))

    def write(name: str, card: dict[str, Any], path: Path) -> None:
        info = ModelInfo(
            name=name,
            genres=blocks.genres,
            temperature=round(temperature, 4),
            uncertain_below=round(uncertain_below(probabilities), 4),
            n_frames=BLOCK_FRAMES,
            card=card,
        )
        log.info("wrote %s, within %.0e of PyTorch", path, export(net, info, path))

    write(f"{name}, before the held-out clips were learnt", {}, run_dir / "measured.onnx")
    last_phase = dataclasses.replace(
        config, n_steps=config.final_steps, learning_rate=config.final_learning_rate
    )
    everything = np.ones(len(blocks.label), bool)
    final = Trainer(blocks, everything, last_phase, run_dir / "final", start=trainer)
    net = final.run()
    embeddings = fit_genres(net, blocks, np.flatnonzero(labelled), config)
    fit_music(net, embeddings, embed_inputs(net, other))

    card: dict[str, Any] = {
        "trained": datetime.now(UTC).date().isoformat(),
        "dataset": sources.dataset.name,
        "clips": {
            "train": clip_count(blocks, labelled & ~held_out),
            "valid": clip_count(blocks, labelled & held_out),
            "unlabelled": clip_count(blocks, ~labelled & (blocks.split != SPLIT)),
        },
        "mixtures": int((blocks.split == SPLIT).sum()),
        "teacher": "MSD_musicnn" if sources.teacher else None,
        "measured": {
            "split": "valid, middle 10 s, by weights that never saw it",
            "n": len(truth),
            "seed": config.seed,
            "figures": {
                key: [round(v, 4) for v in (f.value, f.low, f.high)] for key, f in measured.items()
            },
            "teacher_accuracy": teacher_accuracy(trainer, blocks),
            "confusion": confusion(probabilities, truth).tolist(),
        },
        "config": config.to_dict(),
        "minutes": round((trainer.seconds + final.seconds) / 60, 1),
        "machine": f"{torch.get_num_threads()} threads, {platform.machine()}",
    }
    path = run_dir / "model.onnx"
    write(name, card, path)
    (run_dir / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return path


def fit_genres(
    net: GenreNet, blocks: Blocks, rows: NDArray[np.int64], config: TrainConfig
) -> NDArray[np.float32]:
    """Fit the layer of genres to some labelled rows, and return their embeddings."""
    embeddings = embed(net, blocks, rows)
    fit_head(net, embeddings, blocks.label[rows], blocks.name[rows])
    if net.teacher is not None and config.genre_directions:
        add_teacher(net, embeddings)
    return embeddings


def teacher_accuracy(trainer: Trainer, blocks: Blocks) -> float | None:
    """Return the share of held-out clips whose genre a linear classifier hears in the teacher.

    It is the one whose directions the network regresses: an upper bound, more or less.
    """
    if trainer.basis is None or blocks.lessons is None or not trainer.config.genre_directions:
        return None
    rows = held_out_rows(blocks)
    directions = trainer.basis.transform(blocks.lessons.windows[rows].astype(np.float32)).mean(1)
    heard = directions[:, -len(blocks.genres) :].argmax(1)
    return round(float((heard == blocks.label[rows]).mean()), 4)


def held_out_rows(blocks: Blocks) -> NDArray[np.int64]:
    """Return the rows that the figures are of: the middle blocks of the held-out clips."""
    return np.flatnonzero((blocks.split == "valid") & blocks.middle)


def judge_held_out(net: GenreNet, blocks: Blocks) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return logits and labels of the held-out clips, by their middle block."""
    rows = held_out_rows(blocks)
    with torch.no_grad():
        logits = net.genre(torch.from_numpy(embed(net, blocks, rows))).numpy()
    return logits, blocks.label[rows]


def prepare(sources: Sources, run_dir: Path, progress: Callable[[int, int], object]) -> Blocks:
    """Compute or reuse the features of everything that a run learns from."""
    teacher = MusicnnTeacher(sources.teacher) if sources.teacher else None
    cache = run_dir / "cache"
    clips = hold_out(read_dataset(sources.dataset, sources.split_files))
    clips = [clip for clip in clips if clip.split != "test"]
    sets = [(clips, 5.0, 1.0)] + [(clips, 10.0, speed) for speed in sources.speeds]
    if teacher:
        sets += [(read_unlabelled(folder), UNLABELLED_HOP, 1.0) for folder in sources.unlabelled]
    blocks = [
        build_cache(
            members, cache, hop_seconds=hop, speed=speed, teacher=teacher, progress=progress
        )
        for members, hop, speed in sets
    ]
    if teacher and sources.n_mixtures:
        pieces = [clip for clip in clips if clip.split != "valid"]
        for folder in sources.unlabelled:
            pieces += read_unlabelled(folder)
        blocks.append(
            build_mixtures(pieces, cache, sources.n_mixtures, teacher=teacher, progress=progress)
        )
    every = concatenate(blocks)
    if teacher:
        every = dataclasses.replace(every, tag_directions=teacher.tag_directions(every.genres))
    return every


def embed(net: GenreNet, blocks: Blocks, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the embeddings of whole blocks, shape (n, n_embedding)."""
    return embed_inputs(net, (blocks.features[row] for row in rows))


@torch.no_grad()
def embed_inputs(net: GenreNet, inputs: Iterable[NDArray[np.floating[Any]]]) -> NDArray[np.float32]:
    """Return the embeddings of inputs of shape (4, 128, n_frames)."""
    net.eval()
    return torch.cat([net(torch.from_numpy(x[None].astype(np.float32)))[2] for x in inputs]).numpy()


def sounds_without_music(folders: Sequence[Path], run_dir: Path) -> list[NDArray[np.floating[Any]]]:
    """Return the network inputs of sounds that are no music: synthetic ones, and recordings."""
    inputs: list[NDArray[np.floating[Any]]] = [
        network_input(compute(Segment(samples, 0.0, SEGMENT_SECONDS)))
        for samples in not_music(N_NOT_MUSIC, seed=0)
    ]
    for folder in folders:
        blocks = build_cache(read_unlabelled(folder), run_dir / "cache", hop_seconds=10)
        inputs += [blocks.features[row] for row in range(len(blocks.label))]
    return inputs


def clip_count(blocks: Blocks, rows: NDArray[np.bool_]) -> int:
    """Count the clips that some rows were cut from."""
    return len(np.unique(blocks.name[rows]))
