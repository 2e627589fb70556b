"""One ONNX file from samples to answer, so that a page, a phone or a player can run all of it.

The network's file takes spectrograms, which only this package computes. This module writes the
steps of `topgenre.spectrograms` and `topgenre.hpss` as ONNX operators in front of any such file,
and its calibration behind it. The operators are plain ones: matrix products, minima, maxima. The
STFT operator of ONNX Runtime is slow on a CPU for many short frames.

Axes are named in comments: F frames, B bins (1025).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper

from topgenre.checksum import stamped
from topgenre.classifier import Classifier
from topgenre.files import ANYTHING, write_whole
from topgenre.hpss import BLOCK, TINY
from topgenre.model_info import METADATA_KEY, ModelInfo
from topgenre.spectrograms import (
    AMIN,
    CHANNELS,
    HOP_LENGTH,
    LEVEL_FLOOR,
    LEVEL_UNIT_DB,
    N_BINS,
    N_FFT,
    N_MELS,
    ONSET_CHANNELS,
    ONSET_DELAY,
    ONSET_UNIT_DB,
    TOP_DB,
    hann_window,
    mel_project,
)

_FIRST = 32  # points of the first step of the Fourier transform; the second has N_FFT / _FIRST
_BANDS_AT_ONCE = 8  # of the mel projection


class _Graph:
    """ONNX nodes under construction; every method adds one and returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[bytes, str] = {}
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, value: object, dtype: type = np.int64) -> str:
        array: NDArray[Any] = np.asarray(value, dtype)
        key = array.tobytes() + repr((array.shape, array.dtype)).encode()
        if key not in self.constants:
            self.constants[key] = f"c{len(self.constants)}"
            self.initializers.append(numpy_helper.from_array(array, self.constants[key]))
        return self.constants[key]

    def real(self, value: object) -> str:
        return self.constant(value, np.float32)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def add(self, kind: str, inputs: list[str], output: str) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output]))

    def ops(self, kind: str, n_outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        outputs = [f"t{len(self.nodes)}_{i}" for i in range(n_outputs)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs

    def slice(self, x: str, first: str | int, end: str | int, axis: int) -> str:
        ends = [self.constant([at]) if isinstance(at, int) else at for at in (first, end)]
        return self.op("Slice", x, *ends, self.constant([axis]))


def _frames(g: _Graph, samples: str) -> tuple[str, str]:
    """Cut samples (n,) into windows (F, 2048); return them and F as a tensor (1,)."""
    half = N_FFT // 2
    length = g.op("Shape", samples)
    n_frames = g.op("Add", g.op("Div", length, g.constant([HOP_LENGTH])), g.constant([1]))
    overlap = N_FFT // HOP_LENGTH - 1
    n_rows = g.op("Add", n_frames, g.constant([overlap]))
    padded = g.op("Pad", samples, g.constant([half, half]))
    used = g.slice(padded, 0, g.op("Mul", n_rows, g.constant([HOP_LENGTH])), 0)
    rows = g.op("Reshape", used, g.constant([-1, HOP_LENGTH]))
    parts = [
        g.slice(rows, i, g.op("Add", n_frames, g.constant([i])), 0) for i in range(overlap + 1)
    ]
    return g.op("Concat", *parts, axis=1), n_frames


def _power(g: _Graph, frames: str) -> str:
    """Return the power (B, F) of windows (F, 2048) by a Fourier transform in two steps.

    With n = m n2 + n1 and k = k1 + r k2, r m = 2048: the first step transforms the r values of
    every n1 = 0 ... m - 1, for k1 = 0 ... r / 2 only, as the rest are conjugates. The second step
    turns and transforms the m values of every k1.
    """
    r, m = _FIRST, N_FFT // _FIRST
    half = r // 2 + 1
    k1, n2 = np.arange(half)[:, None], np.arange(r)
    angles = 2 * np.pi * k1 * n2 / r
    first = np.stack([np.cos(angles), -np.sin(angles)], 1).reshape(2 * half, r)
    windowed = g.op("Mul", frames, g.real(hann_window()))
    columns = g.op("Reshape", windowed, g.constant([-1, r, m]))
    step = g.op("MatMul", g.real(first), columns)  # (F, half * 2, m)
    step = g.op("Reshape", step, g.constant([-1, half, 2 * m]))
    step = g.op("Transpose", step, perm=[1, 0, 2])  # (half, F, [re, im] * m)
    # The matrices of the second step are computed when the file is loaded: they would double it.
    k1s = g.constant(np.arange(half)[:, None, None])
    k2s = g.constant(r * np.arange(m))
    n1s = g.constant(np.arange(m)[:, None])
    turns = g.op("Mod", g.op("Mul", g.op("Add", k1s, k2s), n1s), g.constant(N_FFT))
    radians = g.op("Mul", g.op("Cast", turns, to=TensorProto.FLOAT), g.real(2 * np.pi / N_FFT))
    cos, sin = g.op("Cos", radians), g.op("Sin", radians)  # (half, m of n1, m of k2)
    to_real = g.op("Concat", cos, sin, axis=1)
    to_imaginary = g.op("Concat", g.op("Neg", sin), cos, axis=1)
    second = g.op("Concat", to_real, to_imaginary, axis=2)
    spectrum = g.op("MatMul", step, second)  # (half, F, [re, im] * m)
    squares = g.op("Mul", spectrum, spectrum)
    real, imaginary = g.ops("Split", 2, squares, g.constant([m, m]), axis=2)
    power = g.op("Transpose", g.op("Add", real, imaginary), perm=[0, 2, 1])
    power = g.op("Reshape", power, g.constant([half * m, -1]))
    bins = np.arange(N_BINS)
    bins = np.where(bins % r < half, bins, (N_FFT - bins) % N_FFT)
    return g.op("Gather", power, g.constant((bins % r) * m + bins // r))


def _merge(g: _Graph, left: list[str], right: list[str]) -> list[str]:
    """Merge two sorted runs; a run is a list of tensors, one for each rank."""
    low, high = _exchange(g, left, right[::-1])
    return _sort_bitonic(g, low) + _sort_bitonic(g, high)


def _sort_bitonic(g: _Graph, run: list[str]) -> list[str]:
    half = len(run) // 2
    if not half:
        return run
    low, high = _exchange(g, run[:half], run[half:])
    return _sort_bitonic(g, low) + _sort_bitonic(g, high)


def _exchange(g: _Graph, left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    pairs = list(zip(left, right, strict=True))
    return [g.op("Min", *pair) for pair in pairs], [g.op("Max", *pair) for pair in pairs]


def _bit_reversed(n: int) -> NDArray[np.int64]:
    order = np.zeros(1, np.int64)
    while len(order) < n:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def _running_median(g: _Graph, x: str, n: str) -> str:
    """Return the running medians of 31 rows of x (n, m).

    See `topgenre.hpss` for the algorithm. Here a list of tensors is its axis of ranks. Each tensor
    has rows of `m` for all runs and all blocks; the runs are in the order of their reversed bits,
    so that the even ones are the first half of the tensor and the odd ones the second.
    """
    zero, one, two, block = (g.constant(value) for value in (0, 1, 2, BLOCK))
    n_blocks = g.op("Div", g.op("Add", n, g.constant(BLOCK - 1)), block)
    padded = g.op("Add", n_blocks, two)
    blocks = g.op("Range", zero, n_blocks, one)
    padded_blocks = g.op("Range", zero, padded, one)
    twice = g.op("Mul", n, two)
    last = g.op("Sub", twice, one)

    def reflected(rows: str) -> str:
        """Gather rows of x that may lie a block before or behind it: 1 0 | 0 1 ... n-1 | n-1."""
        wrapped = g.op("Mod", rows, twice)
        return g.op("Gather", x, g.op("Min", wrapped, g.op("Sub", last, wrapped)))

    first_rows = g.op("Mul", g.op("Sub", padded_blocks, one), block)
    halves = []
    for odd in (0, 1):
        of_block = 2 * _bit_reversed(BLOCK // 2) + odd
        rows = g.op("Add", g.constant(of_block[:, None]), first_rows)
        halves.append([reflected(g.op("Reshape", rows, g.constant([-1])))])
    runs: dict[int, list[str]] = {}
    for size in (2, 4, 8):
        runs[size] = _merge(g, *halves)
        if size < BLOCK // 2:
            pairs = [g.ops("Split", 2, run, axis=0, num_outputs=2) for run in runs[size]]
            halves = [list(half) for half in zip(*pairs, strict=True)]
    # The windows of a block have all rows of the block behind it in common.
    end = g.op("Sub", padded, one)
    sides = ((one, end), (g.op("Add", padded, one), g.op("Add", padded, end)))
    bounds = [[g.op("Reshape", x, g.constant([1])) for x in side] for side in sides]
    core = [[g.slice(run, first, behind, 0) for run in runs[size]] for first, behind in bounds]
    kept = _merge(g, *core)
    groups: tuple[int, ...] = ()
    for size in (8, 4, 2, 1):
        # The first half of a group's windows shares the rows before the common ones: those of odd
        # runs. The second half shares the rows behind: those of even runs, two blocks on.
        n_groups = BLOCK // (2 * size)
        late = np.array([0, 2]).reshape(2, *(1 for _ in groups), 1)
        if size > 1:
            numbers = np.stack([np.arange(n_groups) + n_groups, np.arange(n_groups)])
            at = g.op("Mul", g.constant(numbers.reshape(2, *groups, 1)), padded)
            at = g.op("Add", g.op("Add", at, g.constant(late)), blocks)
            added = [g.op("Gather", run, at) for run in runs[size]]
        else:
            even = 2 * _bit_reversed(n_groups)
            of_block = np.stack([even + 1, even]).reshape(2, *groups, 1) + BLOCK * (late - 1)
            rows = g.op("Add", g.constant(of_block), g.op("Mul", blocks, block))
            added = [reflected(rows)]
        middle = [
            g.op("Min", g.op("Max", low, new), high)
            for low, new, high in zip(kept[:size], added[::-1], kept[size:], strict=True)
        ]
        kept = _sort_bitonic(g, middle)
        groups = (2, *groups)
    (medians,) = kept
    rows = g.op("Range", zero, n, one)
    run = g.op("Gather", g.constant(_bit_reversed(BLOCK)), g.op("Mod", rows, block))
    at = g.op("Add", g.op("Mul", run, n_blocks), g.op("Div", rows, block))
    return g.op("Gather", g.op("Flatten", medians, axis=len(groups) + 1), at)


def _mel(g: _Graph, powers: str) -> str:
    """Project powers (k, B, F) onto 128 mel bands: (k, 128, F)."""
    weights = mel_project(np.eye(N_BINS, dtype=np.float32))
    parts = []
    for first in range(0, N_MELS, _BANDS_AT_ONCE):
        bands = weights[first : first + _BANDS_AT_ONCE]
        covered = np.flatnonzero(bands.any(axis=0))
        low, high = int(covered[0]), int(covered[-1]) + 1
        parts.append(g.op("MatMul", g.real(bands[:, low:high]), g.slice(powers, low, high, 1)))
    return g.op("Concat", *parts, axis=1)


def _log10(g: _Graph, x: str) -> str:
    return g.op("Mul", g.op("Log", x), g.real(1 / np.log(10)))


def _onset(g: _Graph, mel: str, n_frames: str) -> str:
    """Return the onset strengths (4, F) of mel power (128, F)."""
    level = g.op("Mul", _log10(g, g.op("Max", mel, g.real(AMIN))), g.real(10))
    floor = g.op("Sub", g.op("ReduceMax", level, keepdims=0), g.real(TOP_DB))
    level = g.op("Max", level, floor)
    later = g.slice(level, 1, np.iinfo(np.int64).max, 1)
    earlier = g.slice(level, 0, -1, 1)
    rise = g.op("Relu", g.op("Sub", later, earlier))
    n_bands = len(ONSET_CHANNELS) - 1
    rise = g.op("Reshape", rise, g.constant([n_bands, N_MELS // n_bands, -1]))
    bands = g.op("ReduceMean", rise, g.constant([1]), keepdims=0)
    kept = g.slice(bands, 0, g.op("Sub", n_frames, g.constant([ONSET_DELAY])), 1)
    return g.op("Pad", kept, g.constant([0, ONSET_DELAY, 0, 0]))


def _network_input(g: _Graph, samples: str, n_wanted: int) -> str:
    """Return `topgenre.spectrograms.network_input` of samples (n,): (4, 128, n_wanted)."""
    frames, n_frames = _frames(g, samples)
    power = _power(g, frames)
    scalar = g.op("Squeeze", n_frames)
    harmonic = _running_median(g, g.op("Transpose", power, perm=[1, 0]), scalar)
    harmonic = g.op("Transpose", harmonic, perm=[1, 0])
    percussive = _running_median(g, power, g.constant(N_BINS))
    axis = g.constant([0])
    parts = [g.op("Unsqueeze", x, axis) for x in (harmonic, percussive)]
    both = g.op("Add", g.op("Concat", *parts, axis=0), g.real(TINY))
    masks = g.op("Div", both, g.op("ReduceSum", both, axis))
    power = g.op("Unsqueeze", power, axis)
    shares = g.op("Mul", g.op("Mul", masks, masks), power)
    levels = _mel(g, g.op("Concat", power, shares, axis=0))
    full = g.op("Gather", levels, g.constant(0))
    reference = g.op("Max", g.op("ReduceMean", full, keepdims=0), g.real(AMIN))
    levels = g.op("Max", g.op("Div", levels, reference), g.real(LEVEL_FLOOR))
    levels = g.op("Mul", _log10(g, levels), g.real(10 / LEVEL_UNIT_DB))
    onset = g.op("Mul", _onset(g, full, n_frames), g.real(1 / ONSET_UNIT_DB))
    n_bands = len(ONSET_CHANNELS) - 1
    each = np.repeat(np.arange(n_bands), N_MELS // n_bands)
    onset = g.op("Gather", onset, g.constant(each[None]))
    channels = g.op("Concat", levels, onset, axis=0)
    # Longer ones are cut to their middle, shorter ones repeated.
    spare = g.op("Sub", n_frames, g.constant([n_wanted]))
    first = g.op("Max", g.op("Div", spare, g.constant([2])), g.constant([0]))
    at = g.op("Mod", g.op("Add", g.constant(np.arange(n_wanted)), first), n_frames)
    return g.op("Gather", channels, at, axis=2)


def build(model: Path, path: Path) -> ModelInfo:
    """Write the file from samples to answer that belongs to a network's file.

    Its input is ``samples``, shape (n,): mono sound at 22 050 Hz, at least 1 s of it. Its outputs
    are ``probabilities`` of the genres, calibrated; ``music``, ``embedding`` and, if the network
    has them, ``tags``; and ``input``, the network's input. Its metadata are those of the network.

    Parameters
    ----------
    model : Path
        File of the network.
    path : Path
        File to write. Beside it, the metadata are written as JSON for programs that cannot read
        them from the model, with the ending ``.json``.

    Returns
    -------
    ModelInfo
        The metadata.

    Raises
    ------
    ModelError
        If the model is not one of topgenre's.
    """
    info = Classifier(model).info
    network = compose.add_prefix(onnx.load(model), "network/")
    shapes = {output.name: _shape(output)[1:] for output in network.graph.output}
    g = _Graph()
    g.add("Identity", [_network_input(g, "samples", info.n_frames)], "input")
    g.add("Unsqueeze", ["input", g.constant([0])], network.graph.input[0].name)
    g.nodes.extend(network.graph.node)
    g.initializers.extend(network.graph.initializer)
    scaled = g.op("Mul", "network/logits", g.real(1 / info.temperature))
    found = {"probabilities": (g.op("Softmax", scaled, axis=1), shapes.pop("network/logits"))}
    found |= {name.removeprefix("network/"): (name, shape) for name, shape in shapes.items()}
    for name, (tensor, _) in found.items():
        g.add("Squeeze", [tensor, g.constant([0])], name)
    outputs = {name: shape for name, (_, shape) in found.items()}
    outputs["input"] = [len(CHANNELS), N_MELS, info.n_frames]
    graph = helper.make_graph(
        g.nodes,
        "topgenre-audio",
        [helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["n_samples"])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        g.initializers,
    )
    built = helper.make_model(graph, opset_imports=network.opset_import)
    built.ir_version = network.ir_version
    helper.set_model_props(built, {METADATA_KEY: info.to_json()})
    onnx.checker.check_model(built)
    write_whole(path, stamped(built.SerializeToString()), ANYTHING)
    write_whole(path.with_suffix(".json"), info.to_json().encode(), ANYTHING)
    return info


def _shape(output: onnx.ValueInfoProto) -> list[int]:
    return [dimension.dim_value for dimension in output.type.tensor_type.shape.dim]
