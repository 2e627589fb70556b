"""The training loop: genre labels, and regression of the teachers' features, in one network."""

from __future__ import annotations

import copy
import logging
import math
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from topgenre.errors import DatasetError
from topgenre.training.augment import augment
from topgenre.training.config import TrainConfig
from topgenre.training.examples import Examples
from topgenre.training.net import TIME_STRIDE, GenreNet, load_weights
from topgenre.training.sampler import Batch, Sampler
from topgenre.training.targets import TargetSpace, feature_weights, standardiser, teacher_features
from topgenre.training.teacher import STEP_FRAMES

log = logging.getLogger(__name__)

_PCA_BLOCKS = 4000  # are enough to find the principal components, and fit into memory
POOLED_COPIES = 1  # augmented ones
_POOLED_BATCH = 16
_FIRST_INPUTS = 64  # blocks whose statistics restore folded normalisation

# Where bfloat16 is emulated, it is many times slower than float32.
_BFLOAT16 = torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Warm up linearly, then follow a half cosine to 1 % of the peak."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.n_steps - config.warmup_steps)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1, progress))))


class Trainer:
    """One training run; its checkpoint holds all that is needed to resume it.

    Parameters
    ----------
    examples : Examples
    train : ndarray of bool, shape (n,)
        Examples to learn from; no other is looked at.
    config : TrainConfig
    run_dir : Path
        Folder of the checkpoint. A checkpoint found there is resumed.
    start : Trainer or Path, optional
        Another run, or a model file, whose weights this one begins with.

    Raises
    ------
    DatasetError
        If the checkpoint has learnt other clips, so that its figures would not be honest.
    """

    def __init__(
        self,
        examples: Examples,
        train: NDArray[np.bool_],
        config: TrainConfig,
        run_dir: Path,
        start: Trainer | Path | None = None,
    ) -> None:
        self.examples, self.config, self.run_dir = examples, config, run_dir
        torch.manual_seed(config.seed)
        self.sampler = Sampler(examples, config, train)
        self.clips = sorted({str(name) for name in examples.clip[train]})
        previous = start if isinstance(start, Trainer) else None
        self.space, self.timbre = self._target_spaces(train, previous)
        net = GenreNet(
            len(examples.genres),
            0,
            self.space.components.shape[1] if self.space else 0,
            len(self.timbre.mean) if self.timbre else 0,
            config.widths,
            config.n_embedding,
            config.channels,
        )
        # A tenth faster; PyTorch's types do not know this use of it.
        self.net: GenreNet = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if previous:
            self.net.load_state_dict(previous.average.state_dict())
        elif isinstance(start, Path):
            rows = np.flatnonzero(train)
            rows = rows[:: max(1, len(rows) // _FIRST_INPUTS)]
            inputs = np.stack([examples.inputs[int(row)] for row in rows]).astype(np.float32)
            load_weights(self.net, start, torch.from_numpy(inputs))
        self.average: GenreNet = copy.deepcopy(self.net).eval()
        self.pooled = previous.pool_examples() if config.freeze_front and previous else None
        front = ("stem", "timbre", "tempo", "context")
        learnt = [
            parameter
            for name, parameter in self.net.named_parameters()
            if self.pooled is None or not name.startswith(front)
        ]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in learnt if p.ndim > 1], "weight_decay": config.weight_decay},
                {"params": [p for p in learnt if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        self.step = 0
        self.seconds = 0.0
        self.checkpoint = run_dir / "checkpoint.pt"
        if self.checkpoint.exists():
            self._resume()

    def _target_spaces(
        self, train: NDArray[np.bool_], start: Trainer | None
    ) -> tuple[TargetSpace | None, TargetSpace | None]:
        """Fit the targets; the directions of the genres follow this run's labels."""
        targets, config = self.examples.targets, self.config
        if not targets:
            return None, None
        # A run may begin with another one that had other teachers.
        if start and start.space and len(start.space.mean) == len(feature_weights(targets)):
            components = start.space.components[:, : config.n_teacher]
            offset = start.space.offset[: config.n_teacher]
            space = replace(start.space, components=components, offset=offset)
            timbre = start.timbre
        else:
            some = np.flatnonzero(train)[:: max(1, int(train.sum()) // _PCA_BLOCKS)]
            features = teacher_features(targets, some)
            features = features.reshape(-1, features.shape[-1])
            space = TargetSpace.fit(features, feature_weights(targets), config.n_teacher)
            has_timbre = "timbre" in targets
            timbre = standardiser(targets["timbre"][some]) if has_timbre else None
        rows = self.sampler.labelled
        space = space.with_genres(
            teacher_features(targets, rows).mean(1),
            self.examples.label[rows],
            self.sampler.weight,
            len(self.examples.genres),
            config.genre_directions,
        )
        return space, timbre

    @torch.no_grad()
    def pool_examples(self) -> NDArray[np.float16]:
        """Return the pooled windows of all examples, as they are and augmented.

        Computed once and kept, so that what follows the frozen front trains in seconds.

        Returns
        -------
        ndarray of float16, shape (1 + POOLED_COPIES, n, 5, 2 m)
        """
        path = self.run_dir / "pooled.npy"
        if not path.exists():
            generator = torch.Generator().manual_seed(self.config.seed)
            copies = []
            for copied in range(1 + POOLED_COPIES):
                parts = []
                for first in range(0, len(self.examples.label), _POOLED_BATCH):
                    rows = range(first, min(first + _POOLED_BATCH, len(self.examples.label)))
                    inputs = np.stack([self.examples.inputs[row] for row in rows])
                    x = torch.from_numpy(inputs.astype(np.float32))
                    x = augment(x, self.config, generator) if copied else x
                    x = x.contiguous(memory_format=torch.channels_last)
                    parts.append(self.average.pool(self.average.local(x)[1]).half().numpy())
                copies.append(np.concatenate(parts))
            temporary = path.with_suffix(".tmp.npy")
            np.save(temporary, np.stack(copies))
            temporary.replace(path)
        pooled: NDArray[np.float16] = np.load(path)
        return pooled

    def run(self) -> GenreNet:
        """Train to the end and return the averaged network."""
        config = self.config
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
            if self.step % 50 == 0:
                genre, teacher, timbre, correct = sums / summed
                sums[:], summed = 0, 0
                log.info(
                    "step %d/%d  genre loss %.3f  batch accuracy %.2f  R2 of the teachers %.3f, "
                    "of timbre filters %.3f  %.0f s", self.step, config.n_steps, genre, correct,
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
        rng = np.random.default_rng(seed)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, config)
        self.net.train()
        timbre_loss = None
        if self.pooled is None:
            batch = self.sampler.draw(rng)
            rows, first_window = batch.rows, batch.first_window
            x = augment(torch.from_numpy(batch.inputs), config, generator)
            x = x.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=_BFLOAT16):
                timbre, local = self.net.local(x)
                embedding = self.net.embed_windows(self.net.pool(local))
            if self.timbre:
                timbre_loss = self._timbre_loss(batch, timbre.float())
        else:
            rows = self.sampler.draw_rows(rng)
            first_window = np.zeros(len(rows), np.int64)
            pooled = self.pooled[rng.integers(len(self.pooled), size=len(rows)), rows]
            embedding = self.net.embed_windows(torch.from_numpy(pooled.astype(np.float32)))
        embedding = embedding.float()
        label = torch.from_numpy(self.examples.label[rows])
        has_label = label >= 0
        logits = self.net.genre(embedding)[has_label]
        n_windows = logits.shape[1]
        target = label[has_label].repeat_interleave(n_windows)
        genre_loss = functional.cross_entropy(
            logits.flatten(0, 1), target, label_smoothing=config.label_smoothing, reduction="sum"
        ) / max(1, len(target))
        loss = config.genre_weight * genre_loss
        errors = [1.0, 1.0]
        if self.space:
            teacher_loss = self._teacher_loss(rows, first_window, embedding)
            loss = loss + teacher_loss
            errors[0] = float(teacher_loss.detach())
        if timbre_loss is not None:
            loss = loss + config.timbre_weight * timbre_loss
            errors[1] = float(timbre_loss.detach())
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self._update_average()
        correct = (logits.detach().flatten(0, 1).argmax(1) == target).sum() / max(1, len(target))
        return np.array([float(genre_loss.detach()), *errors, float(correct)])

    def _update_average(self) -> None:
        decay = min(self.config.ema_decay, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(
                self.average.state_dict().values(), self.net.state_dict().values(), strict=True
            ):
                if mean.dtype.is_floating_point:
                    mean.lerp_(now, 1 - decay)
                else:
                    mean.copy_(now)

    def _teacher_loss(
        self, rows: NDArray[np.int64], first_window: NDArray[np.int64], embedding: Tensor
    ) -> Tensor:
        """Return the squared error of the teacher directions as a share of their variance."""
        assert self.space
        assert self.net.teacher
        windows = first_window[:, None] + np.arange(embedding.shape[1])
        features = teacher_features(self.examples.targets, (rows[:, None], windows))
        wanted = torch.from_numpy(self.space.transform(features))
        error = functional.mse_loss(self.net.teacher(embedding), wanted)
        return error / wanted.var(dim=(0, 1)).mean()

    def _timbre_loss(self, batch: Batch, timbre: Tensor) -> Tensor:
        """Return the squared error of the timbre filters, in units of their variance."""
        assert self.timbre
        assert self.net.filters
        pooled = functional.avg_pool1d(timbre, STEP_FRAMES // TIME_STRIDE)
        first_step = batch.first_frame // STEP_FRAMES
        stored = self.examples.targets["timbre"]
        n_steps = min(pooled.shape[2], stored.shape[1] - int(first_step.max()))
        steps = first_step[:, None] + np.arange(n_steps)
        wanted = self.timbre.transform(stored[batch.rows[:, None], steps].astype(np.float32))
        answered = self.net.filters(pooled[:, :, :n_steps])
        return functional.mse_loss(answered, torch.from_numpy(wanted).transpose(1, 2))

    def _save(self) -> None:
        state: dict[str, Any] = {
            "step": self.step,
            "seconds": self.seconds,
            "config": self.config.to_dict(),
            "genres": list(self.examples.genres),
            "clips": self.clips,
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        for name, space in (("space", self.space), ("timbre", self.timbre)):
            if space:
                state[name] = [torch.from_numpy(getattr(space, f.name)) for f in fields(space)]
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
        for name in ("space", "timbre"):
            if name in state:
                setattr(self, name, TargetSpace(*(tensor.numpy() for tensor in state[name])))
        log.info("resumed %s at step %d", self.checkpoint, self.step)
