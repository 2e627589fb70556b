"""Regression targets: directions in the joint feature space of the teachers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from topgenre.training.head import regress
from topgenre.training.teacher import column_weights
from topgenre.training.yamnet import N_CLASSES, N_FEATURES

GENRE_L2 = 1.0  # of the linear classifier whose logits become targets
_YAMNET_WEIGHT = 0.8  # of its columns, so that both teachers have about the same variance
_TEACHERS = ("musicnn", "yamnet")
_CLIP = 10.0  # standard deviations: no single feature of a strange sound dominates a batch

Array = NDArray[np.float32]


def teacher_features(targets: Mapping[str, Tensor]) -> Tensor:
    """Concatenate the window features of all teachers, shape (..., n_features), as float32."""
    return torch.cat([targets[name].float() for name in _TEACHERS if name in targets], -1)


def feature_weights(targets: Mapping[str, Tensor]) -> Array:
    """Return the weight of each column of `teacher_features`."""
    weights = []
    if "musicnn" in targets:
        weights.append(column_weights(targets["musicnn"].shape[-1]))
    if "yamnet" in targets:
        weights.append(np.full(N_FEATURES + N_CLASSES, _YAMNET_WEIGHT, np.float32))
    return np.concatenate(weights)


@dataclass(frozen=True, slots=True)
class TargetSpace:
    """Directions in the space of the teachers' features, as regression targets.

    Columns are standardised and weighted first. The first directions are principal components,
    divided by the root of their standard deviation: halfway between plain regression, which sees
    only the loudest few, and whitening, which weighs noise like signal. The last ones, if there
    are labels, are the logits of a linear classifier of the genres.
    """

    mean: Tensor
    scale: Tensor
    components: Tensor
    offset: Tensor  # shape (n_directions,); zero but for the logits

    @classmethod
    def fit(cls, features: Tensor, weights: Array, n_components: int) -> TargetSpace:
        """Fit on features of shape (n, d), with weights of shape (d,) for their columns."""
        mean = features.mean(0)
        scale = torch.from_numpy(weights).to(mean) / (features.std(0, unbiased=False) + 1e-3)
        standardised = _standardise(features, mean, scale)
        covariance = standardised.T @ standardised / len(features)
        # Randomised: a full decomposition of thousands of columns takes minutes on a busy machine.
        vectors, values, _ = torch.svd_lowrank(covariance, min(n_components + 16, len(mean)), 3)
        values = values[:n_components].clamp_min(1e-8)
        components = vectors[:, :n_components] / values**0.25
        return cls(mean, scale, components, mean.new_zeros(n_components))

    def with_genres(
        self,
        features: Tensor,
        labels: NDArray[np.int64],
        weights: NDArray[np.float64],
        n_genres: int,
        share: float,
    ) -> TargetSpace:
        """Add one direction per genre.

        Parameters
        ----------
        features : Tensor, shape (n, d)
        labels : ndarray of int64, shape (n,)
        weights : ndarray of float64, shape (n,)
        n_genres : int
        share : float
            Variance of these directions, relative to the others'. Without labels they are zero.
        """
        directions = self.mean.new_zeros(len(self.mean), n_genres)
        bias = self.mean.new_zeros(n_genres)
        if len(labels):
            standardised = _standardise(features, self.mean, self.scale)
            layer = nn.Linear(standardised.shape[1], n_genres)
            regress(layer, standardised.cpu().numpy(), labels, weights, GENRE_L2)
            directions, bias = (p.detach().to(self.mean) for p in (layer.weight.T, layer.bias))
            variance = (standardised @ directions).var(0).sum().clamp_min(1e-12)
            wanted = share * (standardised @ self.components).var(0).sum()
            factor = torch.sqrt(wanted / variance)
            directions, bias = factor * directions, factor * bias
        return replace(
            self,
            components=torch.cat([self.components, directions], 1),
            offset=torch.cat([self.offset, bias]),
        )

    def without_genres(self, n_components: int) -> TargetSpace:
        """Return the space of the first directions."""
        return replace(
            self,
            components=self.components[:, :n_components],
            offset=self.offset[:n_components],
        )

    def transform(self, features: Tensor) -> Tensor:
        """Project features of shape (..., d) to (..., n_directions)."""
        return _standardise(features, self.mean, self.scale) @ self.components + self.offset

    def tensors(self) -> list[Tensor]:
        """Return what makes the space again."""
        return [self.mean, self.scale, self.components, self.offset]


def standardiser(values: Tensor) -> TargetSpace:
    """Return a space whose targets are the columns themselves, standardised."""
    flat = values.flatten(0, -2).float()
    scale = 1 / (flat.std(0, unbiased=False) + 1e-3)
    width = flat.shape[1]
    identity = torch.eye(width, device=flat.device)
    return TargetSpace(flat.mean(0), scale, identity, flat.new_zeros(width))


def _standardise(features: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    return ((features - mean) * scale).clamp(-_CLIP, _CLIP)
