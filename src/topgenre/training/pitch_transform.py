"""The timbre filters in a third of the multiplications, by spectra along pitch.

A filter that is half as tall as the map is expensive to move along pitch. A discrete Fourier
transform along pitch makes of that one product for each frequency (the convolution theorem), and
of every complex product three real ones (Gauss). The result is that of the convolution, but for
rounding.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from topgenre.spectrograms import N_MELS
from topgenre.training.net import FILTER_STRIDE, STEM_STRIDE, MaxFilter, MaxFilters

N_ROWS = N_MELS // STEM_STRIDE  # of the map
N_POSITIONS = N_ROWS // FILTER_STRIDE  # of a filter on them: the length of the transform

Matrix = NDArray[np.float32]


class PitchTransform(nn.Module):
    """Compute what the timbre filters do, for export.

    Rows of the map between two positions of a filter are treated as further channels.

    Parameters
    ----------
    filters : MaxFilters
        Shared, not copied.
    """

    of_map: Tensor
    of_filter: Tensor
    inverse: Tensor

    def __init__(self, filters: MaxFilters) -> None:
        super().__init__()
        self.filters = filters
        for name, matrix in zip(("of_map", "of_filter", "inverse"), transforms(), strict=True):
            self.register_buffer(name, torch.from_numpy(matrix), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, 64, t) to (batch, n_out, t / FILTER_STRIDE), as the filters do."""
        n, n_in, _, t = x.shape
        n_steps = -(-t // FILTER_STRIDE)
        rows = x.reshape(n, n_in, N_POSITIONS, FILTER_STRIDE, t).permute(0, 2, 3, 1, 4)
        rows = functional.pad(rows, (1, 1))  # filters are three steps long
        taps = [rows[..., k : k + FILTER_STRIDE * n_steps - 1 : FILTER_STRIDE] for k in range(3)]
        spectrum = self.of_map @ torch.cat(taps, 2).reshape(n, N_POSITIONS, -1)
        spectrum = spectrum.reshape(n, len(self.of_map), -1, n_steps)
        return torch.cat([self._answer(filters, spectrum) for filters in self.filters], 1)

    def _answer(self, filters: nn.Module, spectrum: Tensor) -> Tensor:
        """Map the map's spectrum (batch, m, n, t) to the answer of one height (batch, n_out, t)."""
        assert isinstance(filters, MaxFilter)
        weight = filters.answer.weight
        n_out, n_in, height, length = weight.shape
        weight = functional.pad(weight, (0, 0, 0, -height % FILTER_STRIDE))
        weight = weight.reshape(n_out, n_in, -1, FILTER_STRIDE, length).permute(2, 0, 4, 3, 1)
        n_taps = len(weight)
        weight = self.of_filter[:, :n_taps] @ weight.reshape(n_taps, -1)
        products = weight.reshape(len(weight), n_out, -1) @ spectrum
        n_valid = (N_ROWS - height) // FILTER_STRIDE + 1
        found = self.inverse[:n_valid] @ products.flatten(2)
        highest = found.amax(1).reshape(spectrum.shape[0], n_out, -1)
        return functional.relu(filters.norm(highest))


def transforms() -> tuple[Matrix, Matrix, Matrix]:
    """Return the matrices that turn a correlation into products.

    Returns
    -------
    tuple of ndarray of float32, shapes (m, n), (m, n) and (n, m)
        For a signal x and a filter w of length n, ``inverse @ ((of_map @ x) * (of_filter @ w))``
        is their circular correlation.

    Examples
    --------
    >>> of_map, of_filter, inverse = transforms()
    >>> x = np.arange(32.0)
    >>> w = np.zeros(32)
    >>> w[3] = 2.0
    >>> np.allclose(inverse @ ((of_map @ x) * (of_filter @ w)), 2 * np.roll(x, -3), atol=1e-4)
    True
    """
    angle = 2 * np.pi / N_POSITIONS * np.arange(N_POSITIONS)
    of_map, of_filter, inverse = [], [], []
    for frequency in range(N_POSITIONS // 2 + 1):
        cos, sin = np.cos(frequency * angle), np.sin(frequency * angle)
        if frequency in (0, N_POSITIONS // 2):  # real
            of_map.append(cos)
            of_filter.append(cos)
            inverse.append(cos / N_POSITIONS)
            continue
        # The map's component is a + ib, the filter's conjugate c + id. Their product is
        # c (a + b) - b (c + d) + i (c (a + b) + a (d - c)).
        a, b, c, d = cos, -sin, cos, sin
        of_map += [a + b, a, b]
        of_filter += [c, d - c, c + d]
        inverse += [2 * (cos - sin) / N_POSITIONS, -2 * sin / N_POSITIONS, -2 * cos / N_POSITIONS]
    return (
        np.array(of_map, np.float32),
        np.array(of_filter, np.float32),
        np.array(inverse, np.float32).T.copy(),
    )
