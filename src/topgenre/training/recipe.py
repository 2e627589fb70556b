"""The training recipe, top to bottom: teachers, labels, last layers, calibration, model file."""

from __future__ import annotations

import dataclasses
import json
import logging
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from topgenre.audio import SEGMENT_SECONDS, Segment
from topgenre.classifier import ModelInfo
from topgenre.errors import DatasetError
from topgenre.evaluation.calibration import (
    fit_temperature,
    fit_whole_temperature,
    softmax,
    uncertain_below,
)
from topgenre.evaluation.dataset import HELD_OUT, hold_out, read_dataset, read_unlabelled
from topgenre.evaluation.metrics import (
    Figure,
    area_under_curve,
    confusion,
    figures,
    top_k_hits,
)
from topgenre.spectrograms import compute, network_input
from topgenre.training.config import TrainConfig
from topgenre.training.examples import BLOCK_FRAMES, Examples, Teacher, build_cache, concatenate
from topgenre.training.export import export
from topgenre.training.head import add_teacher, fit_music, regress
from topgenre.training.net import GenreNet
from topgenre.training.not_music import not_music
from topgenre.training.sampler import balanced_weights
from topgenre.training.tags import SOURCES as TAG_SOURCES
from topgenre.training.tags import (
    STYLES,
    THRESHOLD,
    TagScores,
    fit_tags,
    keep_tags,
    reliable,
    tag_infos,
    teacher_scores,
)
from topgenre.training.targets import teacher_features
from topgenre.training.teacher import MusicnnTeacher
from topgenre.training.trainer import Trainer
from topgenre.training.yamnet import YamnetTeacher

log = logging.getLogger(__name__)

LABELLED_HOP = 5.0  # seconds between blocks of labelled and of varied music
UNLABELLED_HOP = 20.0
N_NOT_MUSIC = 320  # synthetic sounds other than music
MUSIC_BLOCKS = 3000  # of music without labels, about, that show what music is
MIN_TAG_AREA = 0.9  # under the ROC curve, against the teachers
MIN_LABEL_AREA, MIN_STYLE_CLIPS = 0.8, 4  # against the labels of other collections
MAX_OUTSIDE_SHARE = 0.03  # of clips of the known genres, for each style outside them

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


class HeldOut(NamedTuple):
    """Outputs of a network for blocks of clips that it has not seen.

    Attributes
    ----------
    logits : ndarray of float32, shape (n, n_genres)
    tags : ndarray of float32, shape (n, n_tags)
    rows : ndarray of int64, shape (n,)
        Of the examples.
    """

    logits: NDArray[np.float32]
    tags: NDArray[np.float32]
    rows: NDArray[np.int64]


class Fold(NamedTuple):
    """A network, and its outputs for the clips that it has not seen."""

    net: GenreNet
    held_out: HeldOut
    teacher_accuracy: float | None
    seconds: float


class Calibration(NamedTuple):
    """What is fitted to held-out outputs."""

    temperature: float
    temperature_whole: float
    uncertain_below: float


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
    other_sounds = non_music_inputs(sources.not_music, run_dir)
    start = pretrain(examples, config, run_dir, sources.start)
    folds = [
        train_fold(
            dataclasses.replace(examples, split=split), tag_scores, config, other_sounds, run_dir,
            number, start,
        )
        for number, split in enumerate(fold_splits(examples, config.n_folds))
    ]  # fmt: skip
    kept, thresholds = reliable_tags(folds, examples, tag_scores)
    held_out = [fold.held_out for fold in folds]
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
    card = model_card(sources, examples, folds, config, seconds)
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
    music = np.flatnonzero((examples.label < 0) & (examples.collection == ""))
    return examples, teacher_scores(logits, examples.targets["yamnet"], music)


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


def fit_last_layers(
    net: GenreNet,
    examples: Examples,
    train: NDArray[np.bool_],
    config: TrainConfig,
    other_sounds: Sequence[NDArray[np.floating[Any]]],
    tag_scores: TagScores | None,
    pooled: NDArray[np.float16] | None = None,
) -> None:
    """Fit the layers for genres, music and tags to some examples."""
    rows = np.flatnonzero(train & (examples.label >= 0))
    labelled = embed_rows(net, examples, rows, pooled)
    weights = balanced_weights(examples, rows, config.other_weight)
    regress(net.genre, labelled, examples.label[rows], weights, config.genre_l2)
    if net.teacher is not None and config.genre_directions:
        add_teacher(net, labelled, config.teacher_share)
    # Without music beyond the data set, one independent recording in twenty would not count as
    # music.
    more = np.flatnonzero(train & (examples.label < 0))
    more = more[:: max(1, len(more) // MUSIC_BLOCKS)]
    unlabelled = embed_rows(net, examples, more, pooled)
    music = np.concatenate([labelled, unlabelled])
    fit_music(net, music, embed(net, other_sounds))
    if tag_scores:
        chosen = np.concatenate([rows, more])
        fit_tags(net, music, tag_scores._replace(scores=tag_scores.scores[chosen]))


def predict(
    net: GenreNet,
    examples: Examples,
    rows: NDArray[np.int64],
    pooled: NDArray[np.float16] | None = None,
) -> HeldOut:
    """Return the network's outputs for some rows."""
    embeddings = torch.from_numpy(embed_rows(net, examples, rows, pooled))
    with torch.no_grad():
        logits = net.genre(embeddings).numpy()
        tags = torch.zeros(len(rows), 0) if net.tags is None else net.tags(embeddings).sigmoid()
    return HeldOut(logits, tags.numpy(), rows)


def calibrate(held_out: Sequence[HeldOut], examples: Examples) -> Calibration:
    """Fit temperatures and the threshold of doubt to held-out outputs.

    The data set and the other collections count equally, so that neither is badly off.
    """
    logits, rows = joined(held_out, examples)
    label, group = examples.label[rows], examples.collection[rows] == ""
    middle = examples.middle[rows]
    temperature = fit_temperature(logits[middle], label[middle], group[middle])
    means, first = clip_means(softmax(logits / temperature), examples.clip[rows])
    whole = fit_whole_temperature(means, temperature, label[first], group[first])
    travelled = middle & ~group if (middle & ~group).any() else middle
    doubt_below = uncertain_below(softmax(logits[travelled] / temperature))
    return Calibration(temperature, whole, doubt_below)


def joined(
    held_out: Sequence[HeldOut], examples: Examples
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the logits and the rows of all labelled held-out blocks."""
    logits = np.concatenate([outputs.logits for outputs in held_out])
    rows = np.concatenate([outputs.rows for outputs in held_out])
    labelled = examples.label[rows] >= 0
    return logits[labelled], rows[labelled]


def clip_means(
    values: NDArray[Any], clips: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the mean of each clip's values, and the index of its first row."""
    _, first, clip, count = np.unique(
        clips, return_index=True, return_inverse=True, return_counts=True
    )
    sums = np.zeros((len(first), values.shape[1]))
    np.add.at(sums, clip, values)
    return sums / count[:, None], first


def reliable_tags(
    folds: Sequence[Fold], examples: Examples, tag_scores: TagScores | None
) -> tuple[list[int], dict[str, float]]:
    """Choose the tags to keep, and thresholds for the styles outside the genres.

    A tag is kept if the networks rank it as the teachers do on clips that they have not seen
    (`MIN_TAG_AREA`). A style outside the genres must also be confirmed by the collections' labels,
    and marks at most `MAX_OUTSIDE_SHARE` of their clips of the known genres.
    """
    if not tag_scores:
        return [], {}
    rows = np.concatenate([fold.held_out.rows for fold in folds])
    tags = np.concatenate([fold.held_out.tags for fold in folds])
    middle = examples.middle[rows]
    rows, tags = rows[middle], tags[middle]
    kept, areas = reliable(tags, tag_scores.top[rows], MIN_TAG_AREA)
    thresholds: dict[str, float] = {}
    outside = examples.style[rows]
    known = (examples.label[rows] >= 0) & (examples.collection[rows] != "")
    for number, source in enumerate(TAG_SOURCES):
        log.info("tag %-18s area %.3f against the teachers", source.name, areas[number])
        if number not in kept or not source.outside:
            continue
        named = (examples.label[rows] < 0) & np.isin(outside, STYLES.get(source.name, ()))
        if named.sum() < MIN_STYLE_CLIPS or not known.any():
            kept.remove(number)
            continue
        area = area_under_curve(tags[named | known, number], named[named | known])
        limit = float(np.quantile(tags[known, number], 1 - MAX_OUTSIDE_SHARE))
        thresholds[source.name] = round(max(limit, THRESHOLD), 3)
        log.info("    against %d labels %.3f, threshold %.3f", named.sum(), area, limit)
        if area < MIN_LABEL_AREA:
            kept.remove(number)
    return kept, thresholds


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


def model_card(
    sources: Sources,
    examples: Examples,
    folds: Sequence[Fold],
    config: TrainConfig,
    seconds: float,
) -> dict[str, Any]:
    """Describe data, figures and settings; the temperature of each fold is fitted to the others."""
    held_out = [fold.held_out for fold in folds]
    found, rows = [], []
    for number, outputs in enumerate(held_out):
        others = [other for index, other in enumerate(held_out) if index != number] or held_out
        middle = examples.middle[outputs.rows] & (examples.label[outputs.rows] >= 0)
        found.append(softmax(outputs.logits[middle] / calibrate(others, examples).temperature))
        rows.append(outputs.rows[middle])
    probabilities, every = np.concatenate(found), np.concatenate(rows)
    from_dataset = examples.collection[every] == ""
    labelled = (examples.label >= 0) & (examples.collection == "")
    unlabelled = (examples.label < 0) & (examples.collection == "")
    clips = {
        "train": labelled & (examples.split != "valid"),
        "valid": labelled & (examples.split == "valid"),
        "collections": examples.collection != "",
        "unlabelled": unlabelled,
    }
    card: dict[str, Any] = {
        "trained": datetime.now(UTC).date().isoformat(),
        "dataset": sources.dataset.name,
        "clips": {name: len(np.unique(examples.clip[chosen])) for name, chosen in clips.items()},
        "teachers": [
            name for name in ("musicnn", "yamnet") if getattr(sources, name)
        ],
        "start": sources.start.name if sources.start else None,
        "measured": _measured(
            probabilities[from_dataset], examples.label[every[from_dataset]], config.seed,
            f"{len(folds)} grouped folds, middle 10 s, by networks that never saw them",
        ),
        "config": config.to_dict(),
        "minutes": round(seconds / 60, 1),
        "machine": f"{torch.get_num_threads()} threads, {platform.machine()}",
    }  # fmt: skip
    if not from_dataset.all():
        card["measured_elsewhere"] = _measured(
            probabilities[~from_dataset], examples.label[every[~from_dataset]], config.seed,
            "other collections, each held out by its fold",
        )  # fmt: skip
    taught = [fold.teacher_accuracy for fold in folds if fold.teacher_accuracy is not None]
    if taught:
        sizes = [len(chosen) for chosen in rows]
        card["teacher_accuracy"] = round(float(np.average(taught, weights=sizes)), 4)
    return card


def _measured(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], seed: int, split: str
) -> dict[str, Any]:
    measured = figures(probabilities, labels)
    log.info("%s: %s", split, ", ".join(f"{key} {f}" for key, f in measured.items()))
    return {
        "split": split,
        "n": len(labels),
        "seed": seed,
        "figures": {key: _rounded(figure) for key, figure in measured.items()},
        "confusion": confusion(probabilities, labels).tolist(),
    }


def _rounded(figure: Figure) -> list[float]:
    return [round(value, 4) for value in (figure.value, figure.low, figure.high)]


@torch.no_grad()
def embed_rows(
    net: GenreNet,
    examples: Examples,
    rows: NDArray[np.int64],
    pooled: NDArray[np.float16] | None,
) -> NDArray[np.float32]:
    """Return the embeddings of some rows, from their pooled windows if these are known."""
    if pooled is None:
        return embed(net, (examples.inputs[row] for row in rows))
    net.eval()
    windows = torch.from_numpy(pooled[0, rows].astype(np.float32))
    return net.embed_windows(windows).mean(1).numpy()


@torch.no_grad()
def embed(net: GenreNet, inputs: Iterable[NDArray[np.floating[Any]]]) -> NDArray[np.float32]:
    """Return the embeddings of inputs of shape (4, 128, n_frames)."""
    net.eval()
    embeddings = [np.zeros((0, net.genre.in_features), np.float32)]
    for x in inputs:
        batch = torch.from_numpy(x[None].astype(np.float32))
        embeddings.append(net(batch.contiguous(memory_format=torch.channels_last))[2].numpy())
    return np.concatenate(embeddings)


def non_music_inputs(folders: Sequence[Path], run_dir: Path) -> list[NDArray[np.floating[Any]]]:
    """Return the network inputs of synthetic noises, and of recordings that are not music."""
    inputs: list[NDArray[np.floating[Any]]] = [
        network_input(compute(Segment(samples, 0.0, SEGMENT_SECONDS)))
        for samples in not_music(N_NOT_MUSIC, seed=0)
    ]
    for folder in folders:
        sounds = build_cache(read_unlabelled(folder), run_dir / "cache", hop_seconds=10).inputs
        inputs += [sounds[row] for row in range(len(sounds))]
    return inputs
