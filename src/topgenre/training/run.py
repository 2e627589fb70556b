"""From folders of music to a model file with an honest card."""

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
from topgenre.evaluation.metrics import Figure, confusion, figures, top_k_hits
from topgenre.spectrograms import compute, network_input
from topgenre.training.calibrate import fit_temperature, softmax, uncertain_below
from topgenre.training.config import TrainConfig
from topgenre.training.crossval import HELD_OUT, Judged, calibrated, folds, temperatures
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
from topgenre.training.mixtures import SPLIT, build_mixtures
from topgenre.training.net import GenreNet
from topgenre.training.not_music import not_music
from topgenre.training.teacher import MusicnnTeacher
from topgenre.training.train import Trainer

log = logging.getLogger(__name__)

UNLABELLED_HOP = 10.0  # seconds between blocks of unlabelled music
VARIED_HOP = 5.0
N_NOT_MUSIC = 320  # synthetic sounds that are no music
MUSIC_BLOCKS = 3000  # of music without labels, about, that show what music is


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
    varied : tuple of Path
        Those of these folders of which there is little: played at `speeds` as well.
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
    varied: tuple[Path, ...] = ()
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
    """Cross-validate the recipe, calibrate, learn everything, export.

    The figures and the temperature come from networks that have not seen the clips that they
    judge, one a fold. The weights that ship are those of the same steps with no fold left out. No
    figure is claimed for them that was not measured on the others.

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
        The model file, ``run_dir/model.onnx``. Beside it lie ``fold-0.onnx`` and so on, the
        networks that the figures are of, and ``card.json``.

    Raises
    ------
    DatasetError
        If the data set cannot be used.
    """
    blocks = prepare(sources, run_dir, progress)
    labelled = blocks.label >= 0
    if not ((blocks.split == "valid") & blocks.middle).any() or not (blocks.split == "train").any():
        raise DatasetError(f"{sources.dataset}: needs clips to train on and clips to hold out")

    other = sounds_without_music(sources.not_music, run_dir)
    start = pretrain(blocks, config, run_dir)
    learnt = [
        learn_fold(dataclasses.replace(blocks, split=split), config, other, run_dir, number, start)
        for number, split in enumerate(folds(blocks, config.n_folds))
    ]
    runs = [fold.judged for fold in learnt]
    sizes = [len(judged.truth) for judged in runs]
    logits = np.concatenate([judged.logits for judged in runs])
    truth = np.concatenate([judged.truth for judged in runs])
    judgements = calibrated(runs)
    measured = figures(judgements, truth)
    log.info("held-out clips: %s", ", ".join(f"{key} {f}" for key, f in measured.items()))
    temperature = fit_temperature(logits, truth)
    doubt_below = uncertain_below(softmax(logits / temperature))

    def write(
        net: GenreNet, path: Path, name: str, temperature: float, card: dict[str, Any]
    ) -> None:
        info = ModelInfo(
            name=name,
            genres=blocks.genres,
            temperature=round(temperature, 4),
            temperature_whole=round(temperature, 4),
            uncertain_below=round(doubt_below, 4),
            n_frames=BLOCK_FRAMES,
            card=card,
        )
        log.info("wrote %s, within %.0e of PyTorch", path, export(net, info, path))

    each = zip(learnt, temperatures(runs), strict=True)
    for number, (fold, of_others) in enumerate(each):
        path = run_dir / f"fold-{number}.onnx"
        write(fold.net, path, f"{name}, fold {number}", of_others, {HELD_OUT: fold.names})

    everything = np.ones(len(blocks.label), bool)
    final = Trainer(blocks, everything, config, run_dir / "final", start)
    net = final.run()
    fit_last_layers(net, blocks, everything, config, other)

    taught = [fold.teacher_accuracy for fold in learnt if fold.teacher_accuracy is not None]
    minutes = final.seconds + sum(fold.seconds for fold in learnt) + (start.seconds if start else 0)
    card: dict[str, Any] = {
        "trained": datetime.now(UTC).date().isoformat(),
        "dataset": sources.dataset.name,
        "clips": {
            "train": clip_count(blocks, labelled & (blocks.split != "valid")),
            "valid": clip_count(blocks, labelled & (blocks.split == "valid")),
            "unlabelled": clip_count(blocks, ~labelled & (blocks.split != SPLIT)),
        },
        "mixtures": int((blocks.split == SPLIT).sum()),
        "teacher": "MSD_musicnn" if sources.teacher else None,
        "measured": {
            "split": f"{len(runs)} grouped folds, middle 10 s, by networks that never saw them",
            "n": len(truth),
            "seed": config.seed,
            "figures": _rounded(measured),
            "folds": [
                {"n": len(judged.truth), "figures": _rounded(figures(p, judged.truth))}
                for judged, p in zip(runs, np.split(judgements, np.cumsum(sizes)[:-1]), strict=True)
            ],
            "teacher_accuracy": round(float(np.average(taught, weights=sizes)), 4)
            if taught
            else None,
            "confusion": confusion(judgements, truth).tolist(),
        },
        "config": config.to_dict(),
        "minutes": round(minutes / 60, 1),
        "machine": f"{torch.get_num_threads()} threads, {platform.machine()}",
    }
    path = run_dir / "model.onnx"
    write(net, path, name, temperature, card)
    (run_dir / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return path


def _rounded(measured: dict[str, Figure]) -> dict[str, list[float]]:
    return {key: [round(v, 4) for v in (f.value, f.low, f.high)] for key, f in measured.items()}


@dataclass(frozen=True, slots=True)
class Fold:
    """A network, and what it says of the clips that it has not seen.

    Attributes
    ----------
    net : GenreNet
    judged : Judged
    names : list of str
        The clips.
    teacher_accuracy : float, optional
        Share of them whose genre a linear classifier hears in the teacher's features.
    seconds : float
        Time to train.
    """

    net: GenreNet
    judged: Judged
    names: list[str]
    teacher_accuracy: float | None
    seconds: float


def learn_fold(
    blocks: Blocks,
    config: TrainConfig,
    other: Sequence[NDArray[np.floating[Any]]],
    run_dir: Path,
    number: int,
    start: Trainer | None,
) -> Fold:
    """Train on all but the split ``valid`` and judge its clips.

    Parameters
    ----------
    blocks : Blocks
        With the fold as ``valid``.
    config : TrainConfig
    other : sequence of ndarray
        Network inputs of sounds that are no music.
    run_dir : Path
    number : int
        Of the fold.
    start : Trainer, optional
        See `pretrain`.
    """
    train = blocks.split != "valid"
    trainer = Trainer(blocks, train, config, run_dir / f"fold-{number}", start)
    net = trainer.run()
    fit_last_layers(net, blocks, train, config, other)
    judged = judge_held_out(net, blocks)
    hits = top_k_hits(judged.logits, judged.truth, 1)
    log.info("fold %d: accuracy %.3f of %d clips", number, hits.mean(), len(hits))
    names = sorted({str(name) for name in blocks.name[held_out_rows(blocks)]})
    return Fold(net, judged, names, teacher_accuracy(trainer, blocks), trainer.seconds)


def pretrain(blocks: Blocks, config: TrainConfig, run_dir: Path) -> Trainer | None:
    """Learn what the teacher hears in music without labels, if there is a teacher and such music.

    No labelled clip has a part in it, so that every fold can begin with it.
    """
    unlabelled = blocks.label < 0
    if blocks.lessons is None or not unlabelled.any() or not config.pretrain_steps:
        return None
    first_phase = dataclasses.replace(
        config, n_steps=config.pretrain_steps, learning_rate=config.pretrain_learning_rate
    )
    trainer = Trainer(blocks, unlabelled, first_phase, run_dir / "pretrained")
    trainer.run()
    return trainer


def fit_genres(
    net: GenreNet, blocks: Blocks, rows: NDArray[np.int64], config: TrainConfig
) -> NDArray[np.float32]:
    """Fit the layer of genres to some labelled rows, and return their embeddings."""
    embeddings = embed(net, blocks, rows)
    fit_head(net, embeddings, blocks.label[rows], blocks.name[rows])
    if net.teacher is not None and config.genre_directions:
        add_teacher(net, embeddings)
    return embeddings


def fit_last_layers(
    net: GenreNet,
    blocks: Blocks,
    train: NDArray[np.bool_],
    config: TrainConfig,
    other: Sequence[NDArray[np.floating[Any]]],
) -> None:
    """Fit the layer of genres to the labelled ones of some blocks, that of music to others too."""
    labelled = fit_genres(net, blocks, np.flatnonzero(train & (blocks.label >= 0)), config)
    # Without them, one independent recording in twenty would be told that it is no music.
    more = np.flatnonzero(train & (blocks.label < 0))
    more = more[:: max(1, len(more) // MUSIC_BLOCKS)]
    music = [labelled, embed(net, blocks, more)] if len(more) else [labelled]
    fit_music(net, np.concatenate(music), embed_inputs(net, other))


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


def judge_held_out(net: GenreNet, blocks: Blocks) -> Judged:
    """Judge the held-out clips by their middle block."""
    rows = held_out_rows(blocks)
    with torch.no_grad():
        logits = net.genre(torch.from_numpy(embed(net, blocks, rows))).numpy()
    return Judged(logits, blocks.label[rows])


def prepare(sources: Sources, run_dir: Path, progress: Callable[[int, int], object]) -> Blocks:
    """Compute or reuse the features of everything that a run learns from."""
    teacher = MusicnnTeacher(sources.teacher) if sources.teacher else None
    cache = run_dir / "cache"
    clips = hold_out(read_dataset(sources.dataset, sources.split_files))
    clips = [clip for clip in clips if clip.split != "test"]
    sets = [(clips, 5.0, 1.0)] + [(clips, 10.0, speed) for speed in sources.speeds]
    if teacher:
        more = (*sources.varied, *sources.unlabelled)
        sets += [(read_unlabelled(folder), UNLABELLED_HOP, 1.0) for folder in more]
        for folder in sources.varied:
            sets += [(read_unlabelled(folder), VARIED_HOP, speed) for speed in sources.speeds]
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
    embeddings = []
    for x in inputs:
        batch = torch.from_numpy(x[None].astype(np.float32))
        embeddings.append(net(batch.contiguous(memory_format=torch.channels_last))[2])
    return torch.cat(embeddings).numpy()


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
