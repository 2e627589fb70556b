"""From a trained network to the one file that is shipped."""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from topgenre.checksum import stamped
from topgenre.classifier import Classifier
from topgenre.errors import ModelError
from topgenre.model_info import METADATA_KEY, ModelInfo
from topgenre.spectrograms import CHANNELS, N_MELS
from topgenre.training.net import GenreNet, MaxFilters
from topgenre.training.pitch_transform import PitchTransform

OPSET = 18
TOLERANCE = 1e-4  # between PyTorch and the exported file

_HALF_FROM = 256  # values; smaller tensors, such as biases, stay in full precision
_BYTES_FROM = 50_000  # values: seven tenths of the file; moves a probability by 0.003 in the mean


def export(net: GenreNet, info: ModelInfo, path: Path) -> float:
    """Write a network and all that belongs to it as one ONNX file, and check what it computes.

    Batch normalisation is folded into the convolutions. Large weights are stored as float16, and
    the largest as int8 with a scale for each output. They are widened when the file is loaded, so
    the arithmetic stays in float32.

    Parameters
    ----------
    net : GenreNet
        Left as it is.
    info : ModelInfo
        Metadata for the file.
    path : Path
        File to write.

    Returns
    -------
    float
        Largest difference between the file and PyTorch with the same rounded weights on random
        inputs: in probabilities, and in embeddings relative to the largest value.

    Raises
    ------
    ModelError
        If that difference is above `TOLERANCE`.
    """
    net = _folded(net)
    # Two, because PyTorch would take a size of one for a constant.
    example = torch.randn(2, len(CHANNELS), N_MELS, info.n_frames)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it lists operators we do not use
    program = torch.onnx.export(
        net,
        (example,),
        input_names=["spectrograms"],
        output_names=["logits", "music", "embedding", *(["tags"] if net.tags else [])],
        dynamic_shapes={"x": {0: torch.export.Dim("n", min=1)}},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise ModelError(f"{path}: PyTorch could not export the network")
    model = program.model_proto
    _drop_traces(model)
    _store_weights_small(model, set(net.state_dict()))
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, info.to_json()
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stamped(model.SerializeToString()))
    return _check(net, path, info)


def _folded(net: GenreNet) -> GenreNet:
    """Copy a network with batch normalisation folded in and large weights rounded."""
    net = copy.deepcopy(net).float().eval()
    for module in list(net.modules()):
        if not isinstance(module, nn.Sequential):
            continue
        for index in range(len(module) - 1):
            first, second = module[index], module[index + 1]
            if isinstance(first, nn.Conv1d | nn.Conv2d):
                if not isinstance(second, nn.BatchNorm1d | nn.BatchNorm2d):
                    continue
                module[index] = fuse_conv_bn_eval(first, second)
            elif isinstance(first, nn.Linear) and isinstance(second, nn.BatchNorm1d):
                module[index] = fuse_linear_bn_eval(first, second)
            else:
                continue
            module[index + 1] = nn.Identity()
    with torch.no_grad():
        # Buffers too: those of a normalisation that nothing could be folded into are in the file.
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.numel() >= _BYTES_FROM:
                whole, scale = _as_bytes(tensor.numpy())
                tensor.copy_(torch.from_numpy(whole * scale))
            elif tensor.numel() >= _HALF_FROM:
                tensor.data = tensor.half().float().contiguous()
    if isinstance(net.timbre, MaxFilters):
        net.timbre = PitchTransform(net.timbre)
    return net


def _as_bytes(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return whole numbers of 8 bits, and the scale of each row (n, 1, ...)."""
    highest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    scale = np.maximum(highest, np.float32(1e-12)) / np.float32(127)
    return np.rint(values / scale).astype(np.int8), scale


def _drop_traces(model: onnx.ModelProto) -> None:
    """Remove what PyTorch notes about its own source: a tenth of the file, with paths."""
    del model.graph.value_info[:]
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def _store_weights_small(model: onnx.ModelProto, weights: Collection[str]) -> None:
    """Store large weights in fewer bits, with the nodes that widen them.

    Other constants, which `_folded` has not rounded, stay as they are.
    """
    added, nodes = [], []
    for tensor in model.graph.initializer:
        values, name = numpy_helper.to_array(tensor), tensor.name
        if name not in weights or values.size < _HALF_FROM:
            continue
        if values.size < _BYTES_FROM:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
            continue
        whole, scale = _as_bytes(values)
        tensor.CopyFrom(numpy_helper.from_array(whole, f"{name}.bytes"))
        added.append(numpy_helper.from_array(scale, f"{name}.scale"))
        nodes.append(
            helper.make_node("Cast", [f"{name}.bytes"], [f"{name}.whole"], to=TensorProto.FLOAT)
        )
        nodes.append(helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name]))
    model.graph.initializer.extend(added)
    for index, node in enumerate(nodes):
        model.graph.node.insert(index, node)


def _check(net: GenreNet, path: Path, info: ModelInfo) -> float:
    """Compare what the file computes with what the network does, on a scale of 0 to 1."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(-1, 1, (4, len(CHANNELS), N_MELS, info.n_frames)).astype(np.float32)
    with torch.no_grad():
        logits, music, embedding, *tags = net(torch.from_numpy(inputs))
    found = Classifier(path).predict(inputs)
    pairs = [
        (found.probabilities, torch.softmax(logits / info.temperature, 1)),
        (found.music, music),
        (found.embedding / embedding.max().item(), embedding / embedding.max()),
        *((found.tags, expected) for expected in tags),
    ]
    difference = max(float(np.abs(one - other.numpy()).max()) for one, other in pairs)
    if not difference <= TOLERANCE:  # not a number is no parity either
        raise ModelError(f"{path}: differs from PyTorch by {difference:.1e}, over {TOLERANCE:.0e}")
    return difference
