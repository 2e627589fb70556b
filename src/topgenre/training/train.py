"""The training loop: genre labels, and regression of a teacher's features, in one network."""

from __future__ import annotations

import copy
import logging
import math
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from topgenre.errors import DatasetError
from topgenre.training.config import TrainConfig
from topgenre.training.data import Blocks
from topgenre.training.head import GENRE_L2, regress
from topgenre.training.net import TIME_STRIDE, WINDOW_HOP, WINDOW_STEPS, GenreNet
from topgenre.training.teacher import STEP_FRAMES, Lesson, column_weights

log = logging.getLogger(__name__)

N_WINDOWS = 5  # that the network pools in a block of 10 s
_BASIS_BLOCKS = 8000  # are enough to find the principal components, and fit into memory


@dataclass(frozen=True, slots=True)
class TeacherBasis:
    """Directions in the space of the teacher's features, as regression targets.

    Columns are standardised and weighted first. Most directions are principal components, divided
    by the root of their standard deviation: halfway between plain regression, which sees only the
    loudest few, and whitening, which weighs noise like signal. The others are a direction a genre:
    the logits of a linear classifier on the features, which is what the labels ask of them, and
    some of the teacher's own tag of that name, which it has learnt from far more music.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    components: NDArray[np.float32]

    @classmethod
    def fit(
        cls, features: NDArray[np.float32], weights: NDArray[np.float32], n_components: int
    ) -> TeacherBasis:
        """Fit on features of shape (n, d), with weights of shape (d,) for their columns."""
        mean, scale = features.mean(0), weights / (features.std(0) + 1e-3)
        standardised = cls(mean, scale, np.empty((len(mean), 0), np.float32)).standardise(features)
        covariance = standardised.T @ standardised / len(features)
        values, vectors = np.linalg.eigh(covariance.astype(np.float64))
        order = np.argsort(values)[::-1][:n_components]
        components = vectors[:, order] / np.maximum(values[order], 1e-8) ** 0.25
        return cls(mean, scale, components.astype(np.float32))

    def with_genres(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        weights: NDArray[np.float64],
        tags: NDArray[np.float32] | None,
        n_genres: int,
        config: TrainConfig,
    ) -> TeacherBasis:
        """Add a direction a genre, fitted on features (n, d), labels (n,) and weights (n,).

        `tags` (d, n_genres) are the directions of the teacher's tags, if it has any. Without
        labels the directions are zero.
        """
        if not len(labels):
            empty = np.zeros((len(self.mean), n_genres), np.float32)
            return replace(self, components=np.concatenate([self.components, empty], 1))
        standardised = self.standardise(features)
        layer = nn.Linear(standardised.shape[1], n_genres)
        regress(layer, standardised, labels, weights, GENRE_L2)
        directions = layer.weight.detach().numpy().T.copy()
        if tags is not None:
            named = tags / self.scale[:, None]
            spread = np.maximum((standardised @ named).std(0), 1e-6)
            directions += config.tag_share * (standardised @ directions).std() * named / spread
        variance = (standardised @ directions).var(0).sum()
        wanted = config.genre_directions * (standardised @ self.components).var(0).sum()
        directions = directions * np.float32(math.sqrt(wanted / variance))
        return TeacherBasis(self.mean, self.scale, np.concatenate([self.components, directions], 1))

    def standardise(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Centre and scale features of shape (..., d)."""
        # Clipped, so that no single feature of a strange sound dominates a batch.
        standardised: NDArray[np.float32] = np.clip((features - self.mean) * self.scale, -10, 10)
        return standardised

    def transform(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project features of shape (..., d) to (..., n_directions)."""
        projected: NDArray[np.float32] = self.standardise(features) @ self.components
        return projected


@dataclass(frozen=True, slots=True)
class Standard:
    """Mean and inverse standard deviation of columns."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, values: NDArray[np.float32]) -> Standard:
        """Fit on values of shape (..., d)."""
        flat = values.reshape(-1, values.shape[-1])
        return cls(flat.mean(0), 1 / (flat.std(0) + np.float32(1e-3)))

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Centre and scale values of shape (..., d), and clip what is far out."""
        standard: NDArray[np.float32] = np.clip((values - self.mean) * self.scale, -10, 10)
        return standard


def augment(x: Tensor, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """Change a batch (b, 4, 128, t) as recordings differ: timbre, noise floor, bandwidth, gaps."""
    b, _, n_mels, n_frames = x.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    mel = torch.linspace(0, math.pi, n_mels)
    waves = torch.stack([torch.cos(k * mel) for k in range(4)])
    gain = (uniform(b, 4) - 0.5) * (config.eq_db / 20) @ waves
    x = x.clone()
    x[:, :3] += gain[:, None, :, None]

    corner = torch.where(uniform(b) < config.high_pass_chance, 4 + 24 * uniform(b), 1.0)
    octaves = torch.log2(corner[:, None] / torch.arange(1, n_mels + 1)).clamp_min(0)
    thinner = octaves * (0.3 + 0.9 * uniform(b))[:, None]  # 6 to 24 dB an octave
    x[:, :3] -= thinner[:, None, :, None]
    # What has lost its bass is softer, and the network's input is relative to the mean power.
    lost = torch.log10(torch.pow(100.0, x[:, 0]).mean((1, 2))) / 2
    x[:, :3] -= torch.where(corner > 1, lost, 0.0)[:, None, None, None]

    floor = torch.where(uniform(b) < config.floor_chance, -2.5 + 1.2 * uniform(b), -3.0)
    x[:, :3] = torch.maximum(x[:, :3], floor[:, None, None, None])

    top = torch.where(uniform(b) < config.band_limit_chance, 64 + 64 * uniform(b), float(n_mels))
    above = torch.arange(n_mels) >= top[:, None]
    x[:, :3] = torch.where(above[:, None, :, None], -3.0, x[:, :3])

    for axis, size, longest in ((2, n_mels, 20), (3, n_frames, 24)):
        length = torch.where(uniform(b) < config.mask_chance, longest * uniform(b), 0.0)
        first = uniform(b) * (size - longest)
        index = torch.arange(size)
        masked = (index >= first[:, None]) & (index < (first + length)[:, None])
        shape = (b, 1, size, 1) if axis == 2 else (b, 1, 1, size)
        x = torch.where(masked.view(shape), x.mean((2, 3), keepdim=True), x)
    return x


class Sampler:
    """Draws batches: genres balanced among labelled blocks, clips balanced within a genre.

    Of music without labels, a piece counts by the root of its length, as long ones repeat
    themselves.
    """

    def __init__(self, blocks: Blocks, config: TrainConfig, train: NDArray[np.bool_]) -> None:
        self.blocks = blocks
        self.config = config
        labelled = train & (blocks.label >= 0)
        self.labelled = np.flatnonzero(labelled)
        self.unlabelled = np.flatnonzero(train & (blocks.label < 0))
        _, clip = np.unique(blocks.name, return_inverse=True)
        clip_size = np.bincount(clip)[clip]
        clips_of = np.array(
            [
                len(np.unique(clip[labelled & (blocks.label == genre)]))
                for genre in range(len(blocks.genres))
            ]
        )
        weight = 1 / (clip_size[self.labelled] * clips_of[blocks.label[self.labelled]])
        self.weight = weight / weight.sum()
        weight = 1 / np.sqrt(clip_size[self.unlabelled])
        self.unlabelled_weight = weight / weight.sum()

    def draw(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return features (b, 4, 128, crop_frames), rows, first windows and first frames."""
        config = self.config
        share = config.labelled_share if len(self.unlabelled) else 1.0
        n_labelled = round(share * config.batch_size) if len(self.labelled) else 0
        drawn = (
            (self.labelled, self.weight, n_labelled),
            (self.unlabelled, self.unlabelled_weight, config.batch_size - n_labelled),
        )
        rows = np.concatenate([rng.choice(some, n, p=weight) for some, weight, n in drawn if n])
        n_inside = windows_inside(config.crop_frames)
        first_window = rng.integers(0, N_WINDOWS - n_inside + 1, config.batch_size)
        first_frame = np.round(first_window * WINDOW_HOP * TIME_STRIDE).astype(np.int64)
        n_frames = self.blocks.features.n_frames
        first_frame = np.clip(
            first_frame + rng.integers(-8, 9, config.batch_size), 0, n_frames - config.crop_frames
        )
        first_frame -= first_frame % STEP_FRAMES
        x = np.stack(
            [
                self.blocks.features[row][:, :, first : first + config.crop_frames]
                for row, first in zip(rows, first_frame, strict=True)
            ]
        )
        return x.astype(np.float32), rows, first_window, first_frame


def windows_inside(n_frames: int) -> int:
    """Return how many pooling windows the network takes from `n_frames` of input."""
    steps = -(-n_frames // TIME_STRIDE)
    return 1 + int((steps - WINDOW_STEPS) / WINDOW_HOP + 0.5)


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a half cosine to 1 % of the peak."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.n_steps - config.warmup_steps)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1, progress))))


class Trainer:
    """One run: everything needed to go on is in its checkpoint.

    Parameters
    ----------
    blocks : Blocks
        Features, labels and, where there are some, teacher features.
    train : ndarray of bool, shape (n_blocks,)
        Blocks to learn from; no other is looked at.
    config : TrainConfig
    run_dir : Path
        Folder for the checkpoint; a checkpoint found there is resumed.
    start : Trainer, optional
        Another run whose weights this one begins with.

    Raises
    ------
    DatasetError
        If the checkpoint has learnt other clips, so that its figures would not be honest.
    """

    def __init__(
        self,
        blocks: Blocks,
        train: NDArray[np.bool_],
        config: TrainConfig,
        run_dir: Path,
        start: Trainer | None = None,
    ) -> None:
        self.blocks, self.config, self.run_dir = blocks, config, run_dir
        torch.manual_seed(config.seed)
        self.sampler = Sampler(blocks, config, train)
        self.clips = sorted({str(name) for name in blocks.name[train]})
        self.basis, self.timbre = self._targets(train, start)
        net = GenreNet(
            len(blocks.genres),
            self.basis.components.shape[1] if self.basis else 0,
            len(self.timbre.mean) if self.timbre else 0,
            config.widths,
            config.n_embedding,
            config.channels,
        )
        # A tenth faster; PyTorch's types do not know this use of it.
        self.net: GenreNet = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if start:
            self.net.load_state_dict(start.average.state_dict())
        self.average: GenreNet = copy.deepcopy(self.net).eval()
        decay = [p for p in self.net.parameters() if p.ndim > 1]
        no_decay = [p for p in self.net.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decay, "weight_decay": config.weight_decay},
                {"params": no_decay, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        self.step = 0
        self.seconds = 0.0
        self.checkpoint = run_dir / "checkpoint.pt"
        if self.checkpoint.exists():
            self._resume()

    def _targets(
        self, train: NDArray[np.bool_], start: Trainer | None
    ) -> tuple[TeacherBasis | None, Standard | None]:
        """Find what to regress; the directions of the genres are those of this run's labels."""
        lessons, config = self.blocks.lessons, self.config
        if lessons is None:
            return None, None
        if start and start.basis:
            components = start.basis.components[:, : config.n_teacher]
            basis, timbre = replace(start.basis, components=components), start.timbre
        else:
            some = np.flatnonzero(train)[:: max(1, int(train.sum()) // _BASIS_BLOCKS)]
            timbre = Standard.fit(lessons.timbre[some].astype(np.float32))
            taught = lessons.windows[some].astype(np.float32)
            taught = taught.reshape(-1, taught.shape[2])
            basis = TeacherBasis.fit(taught, column_weights(taught.shape[1]), config.n_teacher)
        rows = self.sampler.labelled
        basis = basis.with_genres(
            lessons.windows[rows].astype(np.float32).mean(1),
            self.blocks.label[rows],
            self.sampler.weight,
            self.blocks.tag_directions,
            len(self.blocks.genres),
            config,
        )
        return basis, timbre

    def run(self) -> GenreNet:
        """Train to the end and return the averaged network."""
        config = self.config
        self.net.train()
        last_saved = last_logged = time.monotonic()
        sums, summed = np.zeros(4), 0
        begun_at = self.step
        while self.step < config.n_steps:
            began = time.monotonic()
            sums += self._train_step()
            summed += 1
            self.step += 1
            now = time.monotonic()
            self.seconds += now - began
            if self.step % 100 == 0:
                genre, teacher, timbre, correct = sums / summed
                sums[:], summed = 0, 0
                log.info(
                    "step %d/%d  genre loss %.3f  batch accuracy %.2f  R2 of the teacher %.3f, "
                    "of its filters %.3f  %.0f s", self.step, config.n_steps, genre, correct,
                    1 - teacher, 1 - timbre, now - last_logged,
                )  # fmt: skip
                last_logged = now
            if now - last_saved > config.checkpoint_minutes * 60:
                self._save()
                last_saved = now
        if self.step != begun_at:
            self._save()
        return self.average

    def _train_step(self) -> NDArray[np.float64]:
        config = self.config
        # Seeded by the step, a resumed run draws what an uninterrupted one would.
        seed = [config.seed, self.step]
        torch_seed = int(np.random.SeedSequence(seed).generate_state(1)[0])
        torch.manual_seed(torch_seed)  # for dropout
        generator = torch.Generator().manual_seed(torch_seed)
        features, rows, first_window, first_frame = self.sampler.draw(np.random.default_rng(seed))
        x = augment(torch.from_numpy(features), config, generator)
        x = x.contiguous(memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, config)

        with torch.autocast("cpu", torch.bfloat16):
            timbre, local = self.net.local(x)
            embedding = self.net.windows(local)
        embedding = embedding.float()
        label = torch.from_numpy(self.blocks.label[rows])
        has_label = label >= 0
        logits = self.net.genre(embedding)[has_label]
        n_windows = logits.shape[1]
        target = label[has_label].repeat_interleave(n_windows)
        genre_loss = functional.cross_entropy(
            logits.flatten(0, 1), target, label_smoothing=config.label_smoothing, reduction="sum"
        ) / max(1, len(target))
        loss = config.genre_weight * genre_loss
        errors = [1.0, 1.0]
        if self.blocks.lessons is not None:
            index = first_window[:, None] + np.arange(n_windows)
            heard = self._heard(self.blocks.lessons, rows, index, embedding)
            first_step = first_frame // STEP_FRAMES
            filtered = self._filtered(self.blocks.lessons, rows, first_step, timbre.float())
            loss = loss + heard + config.timbre_weight * filtered
            errors = [float(heard.detach()), float(filtered.detach())]
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        decay = min(config.ema_decay, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(
                self.average.state_dict().values(), self.net.state_dict().values(), strict=True
            ):
                if mean.dtype.is_floating_point:
                    mean.lerp_(now, 1 - decay)
                else:
                    mean.copy_(now)
        correct = (logits.detach().flatten(0, 1).argmax(1) == target).sum() / max(1, len(target))
        return np.array([float(genre_loss.detach()), *errors, float(correct)])

    def _heard(
        self,
        lessons: Lesson,
        rows: NDArray[np.int64],
        index: NDArray[np.int64],
        embedding: Tensor,
    ) -> Tensor:
        """Return the error of what the network hears in windows, as a share of the variance."""
        assert self.basis
        assert self.net.teacher
        raw = lessons.windows[rows[:, None], index].astype(np.float32)
        wanted = torch.from_numpy(self.basis.transform(raw))
        error = functional.mse_loss(self.net.teacher(embedding), wanted)
        return error / wanted.var(dim=(0, 1)).mean()

    def _filtered(
        self,
        lessons: Lesson,
        rows: NDArray[np.int64],
        first_step: NDArray[np.int64],
        timbre: Tensor,
    ) -> Tensor:
        """Return the error of the filters for timbre, in units of their variance."""
        assert self.timbre
        assert self.net.filters
        pooled = functional.avg_pool1d(timbre, STEP_FRAMES // TIME_STRIDE)
        n_steps = min(pooled.shape[2], lessons.timbre.shape[1] - int(first_step.max()))
        steps = first_step[:, None] + np.arange(n_steps)
        raw = lessons.timbre[rows[:, None], steps].astype(np.float32)
        wanted = torch.from_numpy(self.timbre.apply(raw)).transpose(1, 2)
        return functional.mse_loss(self.net.filters(pooled[:, :, :n_steps]), wanted)

    def _save(self) -> None:
        state: dict[str, Any] = {
            "step": self.step,
            "seconds": self.seconds,
            "config": self.config.to_dict(),
            "genres": list(self.blocks.genres),
            "clips": self.clips,
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        for name, arrays in (("basis", self.basis), ("timbre", self.timbre)):
            if arrays:
                state[name] = [
                    torch.from_numpy(getattr(arrays, field.name)) for field in fields(arrays)
                ]
        self.run_dir.mkdir(parents=True, exist_ok=True)
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        if state.get("clips") != self.clips:
            raise DatasetError(
                f"{self.checkpoint}: has learnt other clips than these; "
                "name another --run-dir, or delete it to begin anew"
            )
        self.step, self.seconds = state["step"], state["seconds"]
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if "basis" in state:
            self.basis = TeacherBasis(*(tensor.numpy() for tensor in state["basis"]))
            self.timbre = Standard(*(tensor.numpy() for tensor in state["timbre"]))
        log.info("resumed %s at step %d", self.checkpoint, self.step)
