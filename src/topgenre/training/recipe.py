"""The training recipe, top to bottom: teachers, labels, last layers, calibration, model file."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.audio import SEGMENT_SECONDS, Segment
from topgenre.errors import DatasetError
from topgenre.evaluation.dataset import HELD_OUT, hold_out, read_dataset, read_unlabelled
from topgenre.evaluation.metrics import top_k_hits
from topgenre.model_info import ModelInfo
from topgenre.spectrograms import compute, network_input
from topgenre.training.card import Calibration, calibrate, model_card, reliable_tags
from topgenre.training.config import TrainConfig
from topgenre.training.examples import (
    BLOCK_FRAMES,
    Examples,
    Teacher,
    build_cache,
    concatenate,
    fold_splits,
)
from topgenre.training.export import export
from topgenre.training.head import HeldOut, fit_last_layers, predict
from topgenre.training.net import GenreNet
from topgenre.training.not_music import not_music
from topgenre.training.tags import TagScores, keep_tags, tag_infos, teacher_scores
from topgenre.training.targets import teacher_features
from topgenre.training.teacher import MusicnnTeacher
from topgenre.training.trainer import Trainer
from topgenre.training.yamnet import YamnetTeacher

log = logging.getLogger(__name__)

LABELLED_HOP = 5.0  # seconds between blocks of labelled and of varied music
UNLABELLED_HOP = 20.0

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Sources:
    """What a run learns from.

    Attributes
    ----------
    dataset : Path
        Folder of GTZAN's layout; its genres are the model's.
    split_files : tuple of Path
        See `topgenre.evaluation.dataset.read_dataset`.
    collections : tuple of Path
        More labelled music, with a column ``collection``. Clips of other genres teach tags alone.
    unlabelled : tuple of Path
        Folders of music for the teachers.
    varied : tuple of Path
        The same, of which there is little: blocks lie closer, and `speeds` apply.
    speeds : tuple of float
        Further copies of the data set and of varied music, played faster or slower.
    not_music : tuple of Path
        Folders of speech and other sounds, beyond the synthetic ones.
    musicnn : Path, optional
        Weights that `topgenre.training.teacher.convert` wrote.
    yamnet : Path, optional
        The file ``yamnet.tflite``.
    start : Path, optional
        A model file whose weights the first phase begins with.
    """

    dataset: Path
    split_files: tuple[Path, ...] = ()
    collections: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    varied: tuple[Path, ...] = ()
    speeds: tuple[float, ...] = ()
    not_music: tuple[Path, ...] = ()
    musicnn: Path | None = None
    yamnet: Path | None = None
    start: Path | None = None


class Fold(NamedTuple):
    """A network, and its outputs for the clips that it has not seen."""

    net: GenreNet
    held_out: HeldOut
    teacher_accuracy: float | None
    seconds: float


def train_model(
    sources: Sources,
    run_dir: Path,
    config: TrainConfig,
    name: str,
    progress: Progress = lambda done, of: None,
) -> Path:
    """Train, cross-validate, calibrate and export a model.

    The figures and the calibration come from one network per fold, which has not seen the clips
    that it is measured on. The weights that ship come from the same steps with no fold left out.

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
    examples, tag_scores = prepare(sources, run_dir, progress)
    other_sounds = non_music_inputs(config.n_not_music, sources.not_music, run_dir)
    start = pretrain(examples, config, run_dir, sources.start)
    folds = [
        train_fold(
            dataclasses.replace(examples, split=split), tag_scores, config, other_sounds, run_dir,
            number, start,
        )
        for number, split in enumerate(fold_splits(examples, config.n_folds))
    ]  # fmt: skip
    held_out = [fold.held_out for fold in folds]
    kept, thresholds, areas = reliable_tags(held_out, examples, tag_scores)
    calibration = calibrate(held_out, examples)
    for number, fold in enumerate(folds):
        others = [other for index, other in enumerate(held_out) if index != number] or held_out
        names = sorted({str(clip) for clip in examples.clip[fold.held_out.rows]})
        write_model(
            fold.net, run_dir / f"fold-{number}.onnx", f"{name}, fold {number}", examples,
            calibrate(others, examples), kept, thresholds, {HELD_OUT: names},
        )  # fmt: skip
    everything = np.ones(len(examples.label), bool)
    final = Trainer(examples, everything, config, run_dir / "final", start)
    net = final.run()
    fit_last_layers(net, examples, everything, config, other_sounds, tag_scores, final.pooled)
    seconds = final.seconds + sum(fold.seconds for fold in folds) + (start.seconds if start else 0)
    card = {
        "dataset": sources.dataset.name,
        "teachers": [name for name in ("musicnn", "yamnet") if getattr(sources, name)],
        "start": sources.start.name if sources.start else None,
        "teacher_accuracy": [fold.teacher_accuracy for fold in folds],
        "tag_areas": areas,
        **model_card(held_out, examples, config, seconds),
    }
    path = run_dir / "model.onnx"
    write_model(net, path, name, examples, calibration, kept, thresholds, card)
    (run_dir / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return path


def prepare(
    sources: Sources, run_dir: Path, progress: Progress
) -> tuple[Examples, TagScores | None]:
    """Compute or reuse the inputs and teacher targets of everything that a run learns from."""
    musicnn = MusicnnTeacher(sources.musicnn) if sources.musicnn else None
    teachers: list[Teacher] = [musicnn] if musicnn else []
    if sources.yamnet:
        teachers.append(YamnetTeacher(sources.yamnet))
    dataset = hold_out(read_dataset(sources.dataset, sources.split_files))
    dataset = [clip for clip in dataset if clip.split != "test"]
    if {clip.split for clip in dataset} != {"train", "valid"}:
        raise DatasetError(f"{sources.dataset}: needs clips to train on and clips to hold out")
    genres = tuple(sorted({clip.genre for clip in dataset} - {""}))
    sets = [(dataset, LABELLED_HOP, 1.0)]
    sets += [(read_dataset(folder), LABELLED_HOP, 1.0) for folder in sources.collections]
    sets += [(dataset, 2 * LABELLED_HOP, speed) for speed in sources.speeds]
    if teachers:
        for folder in sources.varied:
            speeds = (1.0, *sources.speeds)
            sets += [(read_unlabelled(folder), LABELLED_HOP, speed) for speed in speeds]
        sets += [(read_unlabelled(folder), UNLABELLED_HOP, 1.0) for folder in sources.unlabelled]
    examples = concatenate(
        build_cache(
            clips, run_dir / "cache", hop_seconds=hop, speed=speed, teachers=teachers,
            genres=genres, progress=progress,
        )
        for clips, hop, speed in sets
    )  # fmt: skip
    if not (musicnn and sources.yamnet):
        return examples, None
    logits = musicnn.tag_logits(examples.targets["musicnn"])
    # One block of each clip: music without labels alone has too few voices.
    reference = np.flatnonzero(examples.middle)
    return examples, teacher_scores(logits, examples.targets["yamnet"], reference)


def pretrain(
    examples: Examples, config: TrainConfig, run_dir: Path, model: Path | None
) -> Trainer | None:
    """Learn the teachers' features of music without labels, if there are both.

    No labelled clip and no collection takes part, so that every fold can begin with it.
    """
    music = (examples.label < 0) & (examples.collection == "")
    if not examples.targets or not music.any() or not config.pretrain_steps:
        return None
    first_phase = dataclasses.replace(
        config,
        n_steps=config.pretrain_steps,
        learning_rate=config.pretrain_learning_rate,
        freeze_front=False,
    )
    trainer = Trainer(examples, music, first_phase, run_dir / "pretrained", model)
    trainer.run()
    return trainer


def train_fold(
    examples: Examples,
    tag_scores: TagScores | None,
    config: TrainConfig,
    other_sounds: Sequence[NDArray[np.floating[Any]]],
    run_dir: Path,
    number: int,
    start: Trainer | None,
) -> Fold:
    """Train on all but the split ``valid`` and predict its clips."""
    train = examples.split != "valid"
    trainer = Trainer(examples, train, config, run_dir / f"fold-{number}", start)
    net = trainer.run()
    fit_last_layers(net, examples, train, config, other_sounds, tag_scores, trainer.pooled)
    rows = np.flatnonzero(examples.split == "valid")
    held_out = predict(net, examples, rows, trainer.pooled)
    middle = examples.middle[rows] & (examples.label[rows] >= 0)
    hits = top_k_hits(held_out.logits[middle], examples.label[rows[middle]], 1)
    log.info("fold %d: accuracy %.3f of %d clips", number, hits.mean(), len(hits))
    return Fold(net, held_out, teacher_accuracy(trainer, rows[middle]), trainer.seconds)


def teacher_accuracy(trainer: Trainer, rows: NDArray[np.int64]) -> float | None:
    """Return the accuracy of the linear classifier on the teachers' features, on some rows."""
    examples, space = trainer.examples, trainer.space
    if space is None or not trainer.config.genre_directions:
        return None
    directions = space.transform(teacher_features(examples.targets, rows).mean(1))
    found = directions[:, -len(examples.genres) :].argmax(1)
    return float((found == examples.label[rows]).mean())


def write_model(
    net: GenreNet,
    path: Path,
    name: str,
    examples: Examples,
    calibration: Calibration,
    kept: list[int],
    thresholds: dict[str, float],
    card: dict[str, Any],
) -> None:
    """Export a network with its calibration and tags."""
    if kept:
        keep_tags(net, kept)
    else:
        net.tags = None
    info = ModelInfo(
        name=name,
        genres=examples.genres,
        temperature=round(calibration.temperature, 4),
        temperature_whole=round(calibration.temperature_whole, 4),
        uncertain_below=round(calibration.uncertain_below, 4),
        n_frames=BLOCK_FRAMES,
        tags=tag_infos(kept, thresholds),
        card=card,
    )
    log.info("wrote %s, within %.0e of PyTorch", path, export(net, info, path))


def non_music_inputs(
    n_synthetic: int, folders: Sequence[Path], run_dir: Path
) -> list[NDArray[np.floating[Any]]]:
    """Return the network inputs of synthetic noises, and of recordings that are not music."""
    inputs: list[NDArray[np.floating[Any]]] = [
        network_input(compute(Segment(samples, 0.0, SEGMENT_SECONDS)))
        for samples in not_music(n_synthetic, seed=0)
    ]
    for folder in folders:
        sounds = build_cache(read_unlabelled(folder), run_dir / "cache", hop_seconds=10).inputs
        inputs += [sounds[row] for row in range(len(sounds))]
    return inputs
