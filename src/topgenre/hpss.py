"""Harmonic and percussive masks of a spectrogram by median filtering (Fitzgerald 2010).

Sound with pitch draws horizontal lines in a spectrogram and drums draw vertical ones, so a median
along time keeps the first and a median along frequency the second. The definition (kernel 31,
reflected edges, soft masks of power 2, margin 1) is that of ``librosa.decompose.hpss``.

Nearly all of the cost is in the two 31-point running medians. Neighbouring windows share most of
their values, and this module never sorts a shared value twice: sixteen neighbouring windows have
sixteen values in common, each half of them has twenty-four, and so on down to a single window. A
block sorts its common values once and then halves itself four times, merging in only what the
half adds and keeping only the ranks from which the median can still come. That takes 28 minima
and maxima per output value, where a 31-point sorting network takes some 300, and each of them is
one vectorised NumPy call over many blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KERNEL_SIZE = 31  # points of each median: 0.72 s along time, 334 Hz along frequency

_BLOCK = 16  # windows that share a sorted core; (KERNEL_SIZE + 1) / 2 makes core and block equal
_TILE = 7168  # values of one vector of the network: its few dozen vectors stay in the L2 cache

Array = NDArray[np.float32]


def _compare(low: Array, high: Array) -> tuple[Array, Array]:
    return np.minimum(low, high), np.maximum(low, high)


def _sort_bitonic(values: list[Array]) -> list[Array]:
    """Sort a sequence that rises and then falls (or the reverse); its length is a power of 2."""
    half = len(values) // 2
    if not half:
        return values
    pairs = [_compare(values[i], values[i + half]) for i in range(half)]
    return _sort_bitonic([low for low, _ in pairs]) + _sort_bitonic([high for _, high in pairs])


def _merge(left: list[Array], right: list[Array]) -> list[Array]:
    """Merge two sorted sequences of equal length by Batcher's odd-even network."""
    if len(left) == 1:
        return list(_compare(left[0], right[0]))
    even = _merge(left[::2], right[::2])
    odd = _merge(left[1::2], right[1::2])
    merged = [even[0]]
    for low, high in zip(odd, even[1:], strict=False):
        merged += _compare(low, high)
    return [*merged, odd[-1]]


def _halve(kept: list[Array], added: list[Array]) -> list[Array]:
    """Take the middle third of the union of 2n kept and n added sorted values."""
    n = len(added)
    # A bitonic half-cleaner drops the n smallest of the union, a second one the n largest.
    above = [np.maximum(kept[i], added[n - 1 - i]) for i in range(n)]
    above = _sort_bitonic(above)
    middle = [np.minimum(above[i], kept[2 * n - 1 - i]) for i in range(n)]
    return _sort_bitonic(middle)


def _median_of_padded(padded: Array, out: Array) -> None:
    """Write the running medians of `padded` (rows are positions) to `out`.

    `padded` starts one row before the first window and has ``out.shape[0]`` + 46 rows,
    ``out.shape[0]`` being a multiple of the block.
    """
    # groups[n]: sorted runs of n neighbouring values; run k holds rows k * n ... k * n + n - 1.
    groups: dict[int, list[Array]] = {1: [padded]}
    for n in (1, 2, 4):
        halves = groups[n]
        groups[2 * n] = _merge([h[0::2] for h in halves], [h[1::2] for h in halves])

    # Windows first ... first + 15 of a block share rows first + 15 ... first + 30 of the input,
    # which are rows 16 ... 31 of the block in `padded`.
    n_blocks = len(out) // _BLOCK
    core = [
        [run[first : first + 2 * n_blocks : 2] for run in groups[_BLOCK // 2]] for first in (2, 3)
    ]
    _descend(_merge(*core), groups, out, 0)


def _descend(kept: list[Array], groups: dict[int, list[Array]], out: Array, first: int) -> None:
    """Split the windows first ... first + 2n - 1 of all blocks in two, down to single windows.

    The left half adds to the shared values the n rows that come just before them, the right half
    those just after. `kept` holds the 2n ranks in which the median can still be.
    """
    n = len(kept) // 2
    step = _BLOCK // n
    left = 2 * (first // (2 * n)) + 1
    right = left - 1 + 2 * step
    for child, start in ((first, left), (first + n, right)):
        stop = start + step * (len(out) // _BLOCK)
        added = [run[start:stop:step] for run in groups[n]]
        if n == 1:
            median = out[child::_BLOCK]
            np.maximum(kept[0], added[0], out=median)
            np.minimum(median, kept[1], out=median)
        else:
            _descend(_halve(kept, added), groups, out, child)


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
    n_blocks = -(-n // _BLOCK)
    rows = n_blocks * _BLOCK
    width = max(16, _TILE // n_blocks)
    if out is None:
        out = np.empty((n, m), np.float32)
    for first in range(0, m, width):
        columns = x[:, first : first + width]
        padded = np.zeros((rows + 48, columns.shape[1]), np.float32)
        padded[1 : 1 + reach] = columns[reach - 1 :: -1]
        padded[1 + reach : 1 + reach + n] = columns
        padded[1 + reach + n : 1 + 2 * reach + n] = columns[: -reach - 1 : -1]
        medians = np.empty((rows, columns.shape[1]), np.float32)
        _median_of_padded(padded, medians)
        out[:, first : first + width] = medians[:n]
    return out


def soft_masks(harmonic: Array, percussive: Array) -> tuple[Array, Array]:
    """Share each bin between two median-filtered magnitudes, as Wiener-like masks of power 2.

    Parameters
    ----------
    harmonic, percussive : ndarray of float32, same shape
        Magnitudes, 0 or more.

    Returns
    -------
    tuple of ndarray of float32
        The harmonic and the percussive mask; in every bin they sum to 1, and where both magnitudes
        are 0 each is 0.5 (``librosa.util.softmask(..., power=2, split_zeros=True)``).
    """
    # A ratio needs no scaling against underflow, unlike the two squares. The tiny addend, which
    # no audible magnitude notices, gives 0 / 0 the ratio 1.
    tiny = np.float32(1e-37)
    with np.errstate(over="ignore"):
        ratio = np.square((percussive + tiny) / (harmonic + tiny))
    np.minimum(ratio, np.float32(1e30), out=ratio)
    harmonic_mask = np.reciprocal(ratio + np.float32(1))
    ratio *= harmonic_mask
    return harmonic_mask, ratio


def share_power(power: Array, harmonic: Array, percussive: Array) -> None:
    """Turn two median-filtered magnitudes, in place, into the shares of power that they claim.

    Parameters
    ----------
    power : ndarray of float32, shape (n, m)
    harmonic, percussive : ndarray of float32, shape (n, m)
        Overwritten with `power` times the squared `soft_masks`: masks act on magnitudes.
    """
    step = max(1, _TILE // power.shape[1])
    for first in range(0, len(power), step):
        rows = slice(first, first + step)
        masks = soft_masks(harmonic[rows], percussive[rows])
        for target, mask in zip((harmonic, percussive), masks, strict=True):
            np.square(mask, out=mask)
            np.multiply(mask, power[rows], out=target[rows])
