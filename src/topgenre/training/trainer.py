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
            inputs = np.stack([examples.inputs[row] for row in rows]).astype(np.float32)
            load_weights(self.net, start, torch.from_numpy(inputs))
        if config.freeze_front and previous:
            for parameter in self.net.front_parameters():
                parameter.requires_grad_(False)
        self.average: GenreNet = copy.deepcopy(self.net).eval()
        learnt = [p for p in self.net.parameters() if p.requires_grad]
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
        if start and start.space:
            components = start.space.components[:, : config.n_teacher]
            space, timbre = replace(start.space, components=components), start.timbre
        else:
            some = np.flatnonzero(train)[:: max(1, int(train.sum()) // _PCA_BLOCKS)]
            features = teacher_features(targets, some)
            features = features.reshape(-1, features.shape[-1])
            space = TargetSpace.fit(features, feature_weights(targets), config.n_teacher)
            has_timbre = "timbre" in targets
            timbre = standardiser(targets["timbre"][some].astype(np.float32)) if has_timbre else None
        rows = self.sampler.labelled
        space = space.with_genres(
            teacher_features(targets, rows).mean(1),
            self.examples.label[rows],
            self.sampler.weight,
            len(self.examples.genres),
            config.genre_directions,
        )
        return space, timbre

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
        batch = self.sampler.draw(np.random.default_rng(seed))
        x = augment(torch.from_numpy(batch.inputs), config, generator)
        x = x.contiguous(memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, config)
        self.net.train()
        frozen = not next(self.net.front_parameters()).requires_grad
        if frozen:
            for part in (self.net.stem, self.net.timbre, self.net.tempo, self.net.context):
                part.eval()
        with torch.autocast("cpu", torch.bfloat16, enabled=_BFLOAT16):
            with torch.set_grad_enabled(not frozen):
                timbre, local = self.net.local(x)
            embedding = self.net.windows(local)
        embedding = embedding.float()
        label = torch.from_numpy(self.examples.label[batch.rows])
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
            teacher_loss = self._teacher_loss(batch, embedding)
            loss = loss + teacher_loss
            errors[0] = float(teacher_loss.detach())
        if self.timbre and not frozen:
            timbre_loss = self._timbre_loss(batch, timbre.float())
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

    def _teacher_loss(self, batch: Batch, embedding: Tensor) -> Tensor:
        """Return the squared error of the teacher directions as a share of their variance."""
        assert self.space
        assert self.net.teacher
        windows = batch.first_window[:, None] + np.arange(embedding.shape[1])
        features = teacher_features(self.examples.targets, (batch.rows[:, None], windows))
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
