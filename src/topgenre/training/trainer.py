"""The training loop: genre labels, and regression of the teachers' features, in one network."""

from __future__ import annotations

import copy
import logging
import math
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from topgenre.errors import DatasetError
from topgenre.training.augment import augment
from topgenre.training.config import TrainConfig
from topgenre.training.net import TIME_STRIDE, GenreNet
from topgenre.training.pool import Batch, Pool, balanced_weights
from topgenre.training.sounds import Sounds
from topgenre.training.targets import TargetSpace, feature_weights, standardiser, teacher_features
from topgenre.training.teacher import STEP_FRAMES

log = logging.getLogger(__name__)

_PCA_BLOCKS = 4000  # are enough to find the principal components

# Where bfloat16 is emulated, it is many times slower than float32.
_BFLOAT16 = torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Warm up linearly, then follow a half cosine to 1 % of the peak."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.n_steps - config.warmup_steps)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1, progress))))


class Trained(NamedTuple):
    """What a training run leaves."""

    net: GenreNet
    space: TargetSpace | None
    config: TrainConfig
    seconds: float
    machine: str


def read_trained(folder: Path, held_out: set[str]) -> Trained | None:
    """Return the averaged network of a run, or None if the run has not finished.

    Parameters
    ----------
    folder : Path
        Of the run.
    held_out : set of str
        Names of clips.

    Raises
    ------
    DatasetError
        If it has learnt one of the clips that are held out, or if another version made it.
    """
    checkpoint = folder / "checkpoint.pt"
    if not checkpoint.exists():
        return None
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    config = TrainConfig.from_dict(state["config"], checkpoint)
    if state["step"] < config.n_steps:
        return None
    if held_out.intersection(state["clips"]):
        raise DatasetError(_foreign(checkpoint))
    weights = state["average"]
    n_genres, n_teacher, n_timbre = (
        len(weights[f"{name}.bias"]) if f"{name}.bias" in weights else 0
        for name in ("genre", "teacher", "filters")
    )
    net = GenreNet(
        n_genres, 0, n_teacher, n_timbre, config.widths, config.n_embedding, config.channels
    )
    net.load_state_dict(weights)
    space = TargetSpace(*state["space"]) if "space" in state else None
    return Trained(net.eval(), space, config, state["seconds"], state["machine"])


def _foreign(checkpoint: Path) -> str:
    return (
        f"{checkpoint}: has learnt other clips than these; "
        "name another --run-dir, or delete it to begin anew"
    )


class Trainer:
    """One training run; its checkpoint holds all that is needed to resume it.

    Parameters
    ----------
    genres : sequence of str
    pools : sequence of Pool
        Blocks with labels and without.
    train : ndarray of bool, shape (n_clips,)
        Clips to learn from; no other is looked at.
    config : TrainConfig
    run_dir : Path
        Folder of the checkpoint. A checkpoint found there is resumed.
    start : Trainer, optional
        Another run, whose weights and teacher directions this one begins with.

    Raises
    ------
    DatasetError
        If the checkpoint has learnt other clips, so that its figures would not be honest.
    """

    def __init__(
        self,
        genres: Sequence[str],
        pools: Sequence[Pool],
        train: NDArray[np.bool_],
        config: TrainConfig,
        run_dir: Path,
        start: Trainer | None = None,
    ) -> None:
        self.pools, self.config, self.run_dir = pools, config, run_dir
        self.sounds: Sounds = pools[0].sounds
        self.device = pools[0].rows.device
        self.machine = (
            torch.cuda.get_device_name(self.device)
            if self.device.type == "cuda"
            else f"{torch.get_num_threads()} threads, {platform.machine()}"
        )
        torch.manual_seed(config.seed)
        self.clips = sorted({str(name) for name in self.sounds.clip[train]})
        self._label = torch.from_numpy(self.sounds.label).to(self.device)
        self._weights = [self._block_weights(pool, train, len(genres)) for pool in pools]
        self._n_drawn = self._batch_parts()
        self.space, self.timbre = self._target_spaces(len(genres), start)
        net = GenreNet(
            len(genres),
            0,
            self.space.components.shape[1] if self.space else 0,
            len(self.timbre.mean) if self.timbre else 0,
            config.widths,
            config.n_embedding,
            config.channels,
        )
        # A tenth faster; PyTorch's types do not know this use of it.
        self.net: GenreNet = net.to(  # type: ignore[call-overload]
            self.device, memory_format=torch.channels_last
        )
        if start:
            self.net.load_state_dict(start.average.state_dict())
        self.average: GenreNet = copy.deepcopy(self.net).eval()
        parameters = list(self.net.parameters())
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": [p for p in parameters if p.ndim > 1],
                    "weight_decay": config.weight_decay,
                },
                {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        self.step = 0
        self.seconds = 0.0
        self.checkpoint = run_dir / "checkpoint.pt"
        if self.checkpoint.exists():
            self._resume()

    def _block_weights(self, pool: Pool, train: NDArray[np.bool_], n_genres: int) -> Tensor:
        """Return how often each block of a pool is drawn: clips count equally, and so do genres."""
        rows = pool.rows.cpu().numpy()
        inside = np.flatnonzero(train[rows])
        labelled = inside[self.sounds.label[rows[inside]] >= 0]
        weights = np.zeros(len(rows))
        if len(labelled):
            chosen = rows[labelled]
            weights[labelled] = balanced_weights(
                self.sounds.clip[chosen], self.sounds.label[chosen],
                self.sounds.collection[chosen], n_genres, self.config.other_weight,
            )  # fmt: skip
        else:
            weights[inside] = 1
        return torch.from_numpy(weights.astype(np.float32)).to(self.device)

    def _batch_parts(self) -> list[int]:
        """Return how many blocks of a batch come from each pool."""
        config = self.config
        usable = [int((weights > 0).sum()) for weights in self._weights]
        known = [
            n > 0 and bool((self._label[pool.rows[weights > 0]] >= 0).any())
            for pool, weights, n in zip(self.pools, self._weights, usable, strict=True)
        ]
        if not any(usable):
            raise DatasetError("there is no music to learn from")
        n_known = sum(n for n, is_known in zip(usable, known, strict=True) if is_known)
        n_other = sum(usable) - n_known
        share = config.labelled_share if n_known and n_other else float(n_known > 0)
        parts = [
            share * n / n_known if is_known else (1 - share) * n / max(1, n_other)
            for n, is_known in zip(usable, known, strict=True)
        ]
        return [round(part * config.batch_size) for part in parts]

    def _target_spaces(
        self, n_genres: int, start: Trainer | None
    ) -> tuple[TargetSpace | None, TargetSpace | None]:
        """Fit the targets; the directions of the genres follow this run's labels."""
        config, targets = self.config, self.pools[-1].targets
        if not targets:
            return None, None
        if start and start.space:
            space, timbre = start.space.without_genres(config.n_teacher), start.timbre
        else:
            some = torch.nonzero(self._weights[-1])[:, 0]
            some = some[:: max(1, len(some) // _PCA_BLOCKS)]
            near = {name: values[some] for name, values in targets.items()}
            features = teacher_features(near).flatten(0, 1)
            space = TargetSpace.fit(features, feature_weights(near), config.n_teacher)
            timbre = standardiser(near["timbre"]) if "timbre" in near else None
        features = space.mean.new_zeros(0, len(space.mean))
        labels, weights = np.zeros(0, np.int64), np.zeros(0)
        for pool, weight in zip(self.pools, self._weights, strict=True):
            known = torch.nonzero((weight > 0) & (self._label[pool.rows] >= 0))[:, 0]
            if len(known):
                near = {name: values[known] for name, values in pool.targets.items()}
                features = teacher_features(near).mean(1)
                labels = self._label[pool.rows[known]].cpu().numpy()
                weights = (weight[known] / weight[known].sum()).cpu().numpy().astype(float)
        space = space.with_genres(features, labels, weights, n_genres, config.genre_directions)
        return space, timbre

    def run(self) -> Trained:
        """Train to the end and return the averaged network."""
        config = self.config
        last_saved = last_logged = time.monotonic()
        sums, summed = torch.zeros(4, device=self.device), 0
        begun_at = self.step
        began, before = time.monotonic(), self.seconds
        while self.step < config.n_steps:
            sums += self._train_step()
            summed += 1
            self.step += 1
            if self.step % 50 == 0:
                genre, teacher, timbre, correct = (sums / summed).tolist()
                sums.zero_()
                summed = 0
                now = time.monotonic()
                log.info(
                    "step %d/%d  genre loss %.3f  batch accuracy %.2f  R2 of the teachers %.3f, "
                    "of timbre filters %.3f  %.0f s", self.step, config.n_steps, genre, correct,
                    1 - teacher, 1 - timbre, now - last_logged,
                )  # fmt: skip
                last_logged = now
                self.seconds = before + now - began
                if now - last_saved > config.checkpoint_minutes * 60:
                    self._save()
                    last_saved = now
        self.seconds = before + time.monotonic() - began
        if self.step != begun_at:
            self._save()
        return Trained(
            copy.deepcopy(self.average).cpu(), self.space, config, self.seconds, self.machine
        )

    def _draw(self) -> Batch:
        """Draw a batch, part of it labelled, and make some blocks anew."""
        config = self.config
        batches = []
        for pool, weights, n in zip(self.pools, self._weights, self._n_drawn, strict=True):
            if n:
                batches.append(pool.draw(weights, n, config.crop_frames))
                if self.step % config.renew_every == 0:
                    pool.renew()
        return Batch(
            torch.cat([batch.inputs for batch in batches]),
            torch.cat([batch.rows for batch in batches]),
            {
                name: torch.cat([batch.targets[name] for batch in batches])
                for name in batches[0].targets
            },
        )

    def _train_step(self) -> Tensor:
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, config)
        self.net.train()
        batch = self._draw()
        x = augment(batch.inputs, config, self.pools[0].generator)
        x = x.contiguous(memory_format=torch.channels_last)
        half = _BFLOAT16 or self.device.type != "cpu"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            timbre, local = self.net.local(x)
            embedding = self.net.embed_windows(self.net.pool(local))
        embedding = embedding.float()
        label = self._label[batch.rows]
        logits = self.net.genre(embedding)
        n_windows = logits.shape[1]
        target = label.repeat_interleave(n_windows)
        n_labelled = (target >= 0).sum().clamp_min(1)
        genre_loss = (
            functional.cross_entropy(
                logits.flatten(0, 1), target, ignore_index=-1,
                label_smoothing=config.label_smoothing, reduction="sum",
            )
            / n_labelled
        )  # fmt: skip
        loss = config.genre_weight * genre_loss
        one = torch.ones((), device=self.device)
        errors = [one, one]
        if self.space:
            assert self.net.teacher
            wanted = self.space.transform(teacher_features(batch.targets))
            error = functional.mse_loss(self.net.teacher(embedding), wanted)
            errors[0] = error / wanted.var(dim=(0, 1)).mean()
            loss = loss + errors[0]
        if self.timbre:
            errors[1] = self._timbre_loss(batch.targets["timbre"], timbre.float())
            loss = loss + config.timbre_weight * errors[1]
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self._update_average()
        correct = (logits.detach().flatten(0, 1).argmax(1) == target).sum() / n_labelled
        return torch.stack([genre_loss, *errors, correct]).detach()

    def _update_average(self) -> None:
        decay = min(self.config.ema_decay, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            means, now = list(self.average.state_dict().values()), self.net.state_dict().values()
            floats = [(a, b) for a, b in zip(means, now, strict=True) if a.is_floating_point()]
            torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - decay)

    def _timbre_loss(self, stored: Tensor, timbre: Tensor) -> Tensor:
        """Return the squared error of the timbre filters, in units of their variance."""
        assert self.timbre
        assert self.net.filters
        pooled = functional.avg_pool1d(timbre, STEP_FRAMES // TIME_STRIDE)
        n_steps = min(pooled.shape[2], stored.shape[1])
        wanted = self.timbre.transform(stored[:, :n_steps])
        answered = self.net.filters(pooled[:, :, :n_steps])
        return functional.mse_loss(answered, wanted.transpose(1, 2))

    def _save(self) -> None:
        state: dict[str, Any] = {
            "step": self.step,
            "seconds": self.seconds,
            "machine": self.machine,
            "config": self.config.to_dict(),
            "clips": self.clips,
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        for name, space in (("space", self.space), ("timbre", self.timbre)):
            if space:
                state[name] = space.tensors()
        self.run_dir.mkdir(parents=True, exist_ok=True)
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        if state.get("clips") != self.clips:
            raise DatasetError(_foreign(self.checkpoint))
        self.step, self.seconds = state["step"], state["seconds"]
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name in ("space", "timbre"):
            if name in state:
                setattr(self, name, TargetSpace(*state[name]))
        log.info("resumed %s at step %d", self.checkpoint, self.step)
