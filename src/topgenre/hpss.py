"""Compute harmonic and percussive masks by median filtering (Fitzgerald 2010).

Pitched sound makes horizontal lines in a spectrogram and drums make vertical ones. So a median
along time keeps the former, and a median along frequency the latter. The definition (kernel 31,
reflected edges, soft masks of power 2, margin 1) is that of ``librosa.decompose.hpss``. librosa
uses magnitudes; here everything is power, their square. Squaring keeps the order of values, so it
commutes with the median, and masks of power 2 are ratios of powers.

Nearly all of the cost is in the two 31-point running medians. Neighbouring windows share most of
their values, and this module never sorts a shared value twice: sixteen neighbouring windows have
sixteen values in common, each half of them has twenty-four, and so on down to a single window. A
block sorts its common values once and then halves itself four times, merging in only what the
half adds and keeping only the ranks from which the median can still come. That takes 24 minima
and maxima per output value, where a 31-point sorting network takes some 300, and each NumPy call
takes one step of the network for all blocks of a tile at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KERNEL_SIZE = 31  # points of each median: 0.72 s along time, 334 Hz along frequency
BLOCK = (KERNEL_SIZE + 1) // 2  # windows that share a sorted core, which is as large then
TINY = np.float32(1e-37)  # inaudible power that avoids 0 / 0

_TILE = 7168  # values of one plane: long enough for NumPy's loops, short enough for the caches
_CHUNK = 4 * _TILE  # values to which the masks are applied at once

Array = NDArray[np.float32]


def _sort_bitonic(runs: Array) -> Array:
    """Sort bitonic runs by Batcher's network.

    Parameters
    ----------
    runs : ndarray of float32, shape (n_runs, n, ...)
        Contiguous; n is a power of 2. Each run is sorted along the second axis.
    """
    half = runs.shape[1] // 2
    tail = runs.shape[2:]
    steps = runs
    while half:
        pairs = steps.reshape(-1, 2, half, *tail)
        steps = np.empty_like(pairs)
        np.minimum(pairs[:, 0], pairs[:, 1], out=steps[:, 0])
        np.maximum(pairs[:, 0], pairs[:, 1], out=steps[:, 1])
        half //= 2
    return steps.reshape(runs.shape)


def _merge(left: Array, right: Array) -> Array:
    """Merge sorted runs (n_runs, n, ...) pairwise into sorted runs (n_runs, 2n, ...)."""
    n_runs, n, *tail = left.shape
    halves = np.empty((n_runs, 2, n, *tail), np.float32)
    # A rising and a falling run are bitonic together; this first step parts low from high.
    np.minimum(left, right[:, ::-1], out=halves[:, 0])
    np.maximum(left, right[:, ::-1], out=halves[:, 1])
    return _sort_bitonic(halves.reshape(2 * n_runs, n, *tail)).reshape(n_runs, 2 * n, *tail)


def _middle_third(kept: Array, added: Array, out: Array) -> None:
    """Write the middle n of 2n kept and n added sorted values, as bitonic runs.

    Result i is the median of three: kept[i], kept[n + i] and added[n - 1 - i]. The 0-1 principle
    shows that these are the ones: let the first z of kept and the first y of added be 0, the rest
    1. If z <= n, the results n - y <= i < z are 0, otherwise z - n <= i < n - y are 1. Either way
    that is one stretch, and its length leaves z + y - n zeros, as the middle third has.
    """
    n = added.shape[1]
    np.maximum(kept[:, :n], added[:, ::-1], out=out)
    np.minimum(out, kept[:, n:], out=out)


def _medians_of_planes(planes: Array) -> Array:
    """Return the running medians of padded rows.

    Parameters
    ----------
    planes : ndarray of float32, shape (16, n_blocks + 2, width)
        Padded row 16 b + r at [r, b], the first window beginning with padded row 1. So rows of
        all blocks that meet in the network form contiguous planes.

    Returns
    -------
    ndarray of float32, shape (16, n_blocks, width)
        The median of window 16 b + r at [r, b].
    """
    # runs[n]: run k of a block holds its rows k * n ... k * n + n - 1, sorted.
    runs = {1: planes[:, None]}
    for n in (1, 2, 4):
        runs[2 * n] = _merge(runs[n][0::2], runs[n][1::2])

    # The windows of a block b have all rows of block b + 1 in common.
    core = runs[BLOCK // 2][:, :, 1:-1]
    kept = _merge(core[:1], core[1:])
    for n in (8, 4, 2, 1):
        # kept[g]: the 2n ranks in which the medians of windows 2n * g ... 2n * g + 2n - 1 can
        # still be. Of these windows, the first half shares the n rows just before the rows common
        # to all and the second half the n rows just after: odd runs of block b, even ones of b + 2.
        children = np.empty((len(kept), 2, n, *kept.shape[2:]), np.float32)
        _middle_third(kept, runs[n][1::2, :, :-2], children[:, 0])
        _middle_third(kept, runs[n][0::2, :, 2:], children[:, 1])
        kept = _sort_bitonic(children.reshape(-1, *children.shape[2:]))
    return kept[:, 0]


def running_median(x: Array, out: Array | None = None) -> Array:
    """Take the running median of 31 points down the columns, with reflected edges.

    Parameters
    ----------
    x : ndarray of float32, shape (n, m)
        At least 15 rows; each column is filtered on its own.
    out : ndarray of float32, shape (n, m), optional
        Where to put the result; a transposed view saves transposing it later.

    Returns
    -------
    ndarray of float32, shape (n, m)
        Equal to ``scipy.ndimage.median_filter(x, size=(31, 1), mode="reflect")``.

    Raises
    ------
    ValueError
        If `x` has under 15 rows.
    """
    reach = KERNEL_SIZE // 2
    n, m = x.shape
    if n < reach:
        raise ValueError(f"x must have at least {reach} rows, not {n}")
    if out is None:
        out = np.empty((n, m), np.float32)
    n_blocks = -(-n // BLOCK)
    padding = (BLOCK, (n_blocks + 1) * BLOCK - n)
    rows = np.pad(np.arange(n), padding, mode="symmetric").reshape(-1, BLOCK).T
    n_tiles = -(-m * n_blocks // _TILE)
    width = -(-m // n_tiles)
    for first in range(0, m, width):
        columns = slice(first, first + width)
        medians = _medians_of_planes(x[:, columns][rows])
        out[:, columns] = medians.swapaxes(0, 1).reshape(-1, medians.shape[2])[:n]
    return out


def soft_masks(harmonic: Array, percussive: Array) -> tuple[Array, Array]:
    """Share each bin between two median-filtered powers, as Wiener filters do.

    Parameters
    ----------
    harmonic, percussive : ndarray of float32, same shape
        Powers, 0 or more.

    Returns
    -------
    tuple of ndarray of float32
        The harmonic and the percussive mask; in every bin they sum to 1, and where both powers
        are 0 each is 0.5. Equal to ``librosa.util.softmask(..., power=2, split_zeros=True)`` of
        the magnitudes.
    """
    harmonic_mask = harmonic + TINY
    percussive_mask = percussive + TINY
    total = harmonic_mask + percussive_mask
    harmonic_mask /= total
    percussive_mask /= total
    return harmonic_mask, percussive_mask


def share_power(power: Array, harmonic: Array, percussive: Array) -> None:
    """Turn two median-filtered powers, in place, into their shares of power.

    Parameters
    ----------
    power : ndarray of float32, shape (n, m)
    harmonic, percussive : ndarray of float32, shape (n, m)
        Overwritten with `power` times the squared `soft_masks`: masks act on magnitudes.
    """
    step = max(1, _CHUNK // power.shape[1])
    for first in range(0, len(power), step):
        rows = slice(first, first + step)
        masks = soft_masks(harmonic[rows], percussive[rows])
        for target, mask in zip((harmonic, percussive), masks, strict=True):
            np.square(mask, out=mask)
            np.multiply(mask, power[rows], out=target[rows])
