"""The training recipe, top to bottom: teachers, labels, last layers, calibration, model file."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from topgenre.audio import SEGMENT_SECONDS, Segment
from topgenre.errors import DatasetError
from topgenre.evaluation.dataset import HELD_OUT, Clip, hold_out, read_dataset, read_unlabelled
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
from topgenre.training.pool import REPEATED_BELOW, Pool
from topgenre.training.sounds import Sounds, read_sounds
from topgenre.training.tags import TagScores, keep_tags, tag_infos, teacher_scores
from topgenre.training.targets import teacher_features
from topgenre.training.teacher import MusicnnTeacher
from topgenre.training.trainer import Trained, Trainer, read_trained
from topgenre.training.yamnet import YamnetTeacher

log = logging.getLogger(__name__)

LABELLED_HOP = 5.0  # seconds between blocks that the last layers are fitted to
UNLABELLED_HOP = 40.0

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
    not_music : tuple of Path
        Folders of speech and other sounds, beyond the synthetic ones.
    musicnn : Path, optional
        Weights that `topgenre.training.teacher.convert` wrote.
    yamnet : Path, optional
        Weights that `topgenre.training.yamnet.convert` wrote.
    """

    dataset: Path
    split_files: tuple[Path, ...] = ()
    collections: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    not_music: tuple[Path, ...] = ()
    musicnn: Path | None = None
    yamnet: Path | None = None

    @property
    def teachers(self) -> tuple[str, ...]:
        """Return the names of the teachers."""
        return tuple(name for name in ("musicnn", "yamnet") if getattr(self, name))

    def clips(self) -> tuple[list[Clip], list[Clip], list[Clip]]:
        """Read the clips of the data set, of other collections, and of music without labels.

        Raises
        ------
        DatasetError
            If the data set has no clips to train on, or none to hold out.
        """
        dataset = hold_out(read_dataset(self.dataset, self.split_files))
        dataset = [clip for clip in dataset if clip.split != "test"]
        if {clip.split for clip in dataset} != {"train", "valid"}:
            raise DatasetError(f"{self.dataset}: needs clips to train on and clips to hold out")
        collections = [clip for folder in self.collections for clip in read_dataset(folder)]
        music = [clip for folder in self.unlabelled for clip in read_unlabelled(folder)]
        return dataset, collections, music if self.teachers else []


class Fold(NamedTuple):
    """A network, and its outputs for the clips that it has not seen."""

    net: GenreNet
    held_out: HeldOut
    teacher_accuracy: float | None
    seconds: float


class Nets:
    """The networks of a run. Each is trained once, and read from its checkpoint after that.

    Parameters
    ----------
    sources : Sources
    run_dir : Path
    config : TrainConfig
    device : str
    progress : callable
        Called with the numbers of decoded and of all clips.
    """

    def __init__(
        self,
        sources: Sources,
        run_dir: Path,
        config: TrainConfig,
        device: str,
        progress: Progress,
    ) -> None:
        self.sources, self.run_dir, self.config = sources, run_dir, config
        self.device, self.progress = device, progress

    @cached_property
    def clips(self) -> tuple[list[Clip], list[Clip], list[Clip]]:
        """Return `Sources.clips`."""
        return self.sources.clips()

    @cached_property
    def genres(self) -> tuple[str, ...]:
        """Return the genres of the data set, in alphabetical order."""
        return genres_of(self.clips[0])

    @cached_property
    def pools(self) -> list[Pool]:
        """Decode everything and make the pools: with labels, of other styles, of other music."""
        clips = [clip for kind in self.clips for clip in kind]
        path = self.run_dir / "sounds.raw"
        sounds = read_sounds(clips, self.genres, path, self.device, self.progress)
        generator = torch.Generator(self.device).manual_seed(self.config.seed)
        teachers = make_teachers(self.sources, self.device)
        labelled = sounds.label >= 0
        other = ~labelled & (sounds.collection != "")
        config = self.config
        kinds = (
            (blocks_per_clip(sounds, labelled, config), 0.0, config.repeated),
            (blocks_per_clip(sounds, other, config), 0.0, config.repeated),
            (
                blocks_by_length(sounds, ~labelled & ~other, config.music_blocks),
                config.mixed, config.repeated / 3,
            ),
        )  # fmt: skip
        return [
            Pool(sounds, rows, teachers, generator, mixed=mixed, repeated=repeated)
            for rows, mixed, repeated in kinds
            if len(rows)
        ]

    @cached_property
    def pretrained(self) -> Trainer | None:
        """Learn the teachers' features of music without labels, if there are both.

        No labelled clip and no collection takes part, so that every fold can begin with it.
        """
        sounds = self.pools[0].sounds
        music = (sounds.label < 0) & (sounds.collection == "")
        if not self.sources.teachers or not music.any() or not self.config.pretrain_steps:
            return None
        first_phase = dataclasses.replace(
            self.config,
            n_steps=self.config.pretrain_steps,
            learning_rate=self.config.pretrain_learning_rate,
        )
        trainer = Trainer(
            self.genres, self.pools[-1:], music, first_phase, self.run_dir / "pretrained"
        )
        trainer.run()
        return trainer

    def train(self, name: str, held_out: set[str]) -> Trained:
        """Train the network of this name, or read it, without the clips that are held out."""
        trained = read_trained(self.run_dir / name, held_out)
        if trained is None:
            sounds = self.pools[0].sounds
            learnt = ~np.isin(sounds.clip, sorted(held_out))
            folder = self.run_dir / name
            start = self.pretrained
            trained = Trainer(self.genres, self.pools, learnt, self.config, folder, start).run()
        return trained


def blocks_per_clip(
    sounds: Sounds, chosen: NDArray[np.bool_], config: TrainConfig
) -> NDArray[np.int64]:
    """Return the row of each block of the chosen clips; clips that repeat have half as many."""
    n = min(config.clip_blocks, max(1, config.labelled_blocks // max(1, int(chosen.sum()))))
    fewer = sounds.length.cpu().numpy() < REPEATED_BELOW
    return np.repeat(np.arange(len(chosen)), np.where(chosen, np.where(fewer, -(-n // 2), n), 0))


def blocks_by_length(sounds: Sounds, chosen: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    """Return the row of each of about `n` blocks of the chosen clips.

    A clip counts by the root of its length, since long ones repeat themselves.
    """
    if not chosen.any():
        return np.zeros(0, np.int64)
    share = np.sqrt(sounds.length.cpu().numpy() * chosen)
    blocks = np.where(chosen, np.maximum(1, np.round(n * share / share.sum())), 0)
    return np.repeat(np.arange(len(chosen)), blocks.astype(np.int64))


def train_model(
    sources: Sources,
    run_dir: Path,
    config: TrainConfig,
    name: str,
    device: str = "cpu",
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
    device : str
        Where PyTorch computes, such as ``cuda``.
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
        If the data set or the device cannot be used.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(
            f"{device}: PyTorch cannot compute there ({reason}); name another device"
        ) from error
    examples, tag_scores = prepare(sources, run_dir, progress)
    other_sounds = non_music_inputs(config.n_not_music, sources.not_music, run_dir)
    nets = Nets(sources, run_dir, config, device, progress)
    folds = [
        make_fold(
            nets, number, dataclasses.replace(examples, split=split), tag_scores, other_sounds
        )
        for number, split in enumerate(fold_splits(examples, config.n_folds))
    ]
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
    final = nets.train("final", set())
    everything = np.ones(len(examples.label), bool)
    fit_last_layers(final.net, examples, everything, config, other_sounds, tag_scores)
    first = read_trained(run_dir / "pretrained", set())
    seconds = final.seconds + sum(fold.seconds for fold in folds) + (first.seconds if first else 0)
    card = {
        "dataset": sources.dataset.name,
        "teachers": list(sources.teachers),
        "teacher_accuracy": [fold.teacher_accuracy for fold in folds],
        "tag_areas": areas,
        **model_card(held_out, examples, final.config, seconds, final.machine),
    }
    path = run_dir / "model.onnx"
    write_model(final.net, path, name, examples, calibration, kept, thresholds, card)
    (run_dir / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return path


def genres_of(clips: Sequence[Clip]) -> tuple[str, ...]:
    """Return the genres of some clips, in alphabetical order."""
    return tuple(sorted({clip.genre for clip in clips} - {""}))


def make_teachers(sources: Sources, device: str) -> list[Teacher]:
    """Read the weights of the teachers, onto a device."""
    teachers: list[Teacher] = []
    if sources.musicnn:
        teachers.append(MusicnnTeacher(sources.musicnn, device))
    if sources.yamnet:
        teachers.append(YamnetTeacher(sources.yamnet, device))
    return teachers


def prepare(
    sources: Sources, run_dir: Path, progress: Progress
) -> tuple[Examples, TagScores | None]:
    """Compute or reuse the inputs and teacher targets that the last layers are fitted to."""
    teachers = make_teachers(sources, "cpu")
    dataset, collections, music = sources.clips()
    genres = genres_of(dataset)
    examples = concatenate(
        build_cache(
            clips, run_dir / "cache", hop_seconds=hop, teachers=teachers, genres=genres,
            progress=progress,
        )
        for clips, hop in (
            (dataset, LABELLED_HOP),
            (collections, LABELLED_HOP),
            (music, UNLABELLED_HOP),
        )
        if clips
    )  # fmt: skip
    if not (sources.musicnn and sources.yamnet):
        return examples, None
    musicnn = next(teacher for teacher in teachers if isinstance(teacher, MusicnnTeacher))
    logits = musicnn.tag_logits(examples.targets["musicnn"])
    # One block of each clip: music without labels alone has too few voices.
    reference = np.flatnonzero(examples.middle)
    return examples, teacher_scores(logits, examples.targets["yamnet"], reference)


def make_fold(
    nets: Nets,
    number: int,
    examples: Examples,
    tag_scores: TagScores | None,
    other_sounds: Sequence[NDArray[np.floating[Any]]],
) -> Fold:
    """Train on all but the split ``valid`` and predict its clips."""
    train = examples.split != "valid"
    trained = nets.train(f"fold-{number}", {str(name) for name in examples.clip[~train]})
    net = trained.net
    fit_last_layers(net, examples, train, nets.config, other_sounds, tag_scores)
    rows = np.flatnonzero(~train)
    held_out = predict(net, examples, rows)
    middle = examples.middle[rows] & (examples.label[rows] >= 0)
    hits = top_k_hits(held_out.logits[middle], examples.label[rows[middle]], 1)
    log.info("fold %d: accuracy %.3f of %d clips", number, hits.mean(), len(hits))
    accuracy = teacher_accuracy(trained, examples, rows[middle])
    return Fold(net, held_out, accuracy, trained.seconds)


def teacher_accuracy(trained: Trained, examples: Examples, rows: NDArray[np.int64]) -> float | None:
    """Return the accuracy of the linear classifier on the teachers' features, on some rows."""
    if trained.space is None:
        return None
    near = {name: torch.from_numpy(stored[rows]) for name, stored in examples.targets.items()}
    directions = trained.space.transform(teacher_features(near).mean(1))
    found = directions[:, -len(examples.genres) :].argmax(1).numpy()
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
