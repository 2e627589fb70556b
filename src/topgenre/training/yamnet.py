"""The second teacher: YAMNet (Google, Apache-2.0), trained on the 521 classes of AudioSet.

It has heard two million videos of all kinds, so it knows speech, rap and electronic music better
than `topgenre.training.teacher.MusicnnTeacher`, which knows songs. Needs ``ai-edge-litert``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from topgenre.audio import SAMPLE_RATE as BLOCK_SAMPLE_RATE
from topgenre.errors import DatasetError

SAMPLE_RATE = 16_000  # Hz
PATCH_SAMPLES = 15_600  # 0.975 s
PATCHES_PER_WINDOW = 3
N_WINDOWS = 5
PATCH_HOP = 14_000  # 0.875 s, half the distance between the network's windows
RMS = 0.12  # of every block: the network cannot hear the volume, so its targets must not show it
N_FEATURES, N_CLASSES = 1024, 521

_FEATURES_TENSOR, _LOGITS_TENSOR = 121, 122


class YamnetTeacher:
    """Features and class logits of YAMNet for the five windows of a 10-s block.

    Parameters
    ----------
    model : Path
        The file ``yamnet.tflite``.

    Raises
    ------
    DatasetError
        If the file or the interpreter cannot be loaded.
    """

    def __init__(self, model: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter

            content = _with_inner_outputs(model.read_bytes())
            self._interpreter = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ImportError, OSError, ValueError) as error:
            raise DatasetError(f"{model}: cannot be used as a teacher ({error})") from error

    def __call__(self, samples: NDArray[np.float32]) -> dict[str, NDArray[np.float16]]:
        """Return ``yamnet``, shape (5, 1545): features, then logits; short sounds are repeated."""
        scaled = samples * (RMS / np.sqrt(np.mean(np.square(samples), dtype=np.float64)))
        resampled = soxr.resample(scaled.astype(np.float32), BLOCK_SAMPLE_RATE, SAMPLE_RATE)
        hops = 2 * (N_WINDOWS - 1) + PATCHES_PER_WINDOW
        wanted = (hops - 1) * PATCH_HOP + PATCH_SAMPLES
        sound = np.clip(np.resize(resampled, wanted), -1, 1)
        patches = np.empty((hops, N_FEATURES + N_CLASSES), np.float32)
        for patch in range(hops):
            first = patch * PATCH_HOP
            self._interpreter.set_tensor(0, sound[None, first : first + PATCH_SAMPLES])
            self._interpreter.invoke()
            patches[patch, :N_FEATURES] = self._interpreter.get_tensor(_FEATURES_TENSOR)
            patches[patch, N_FEATURES:] = self._interpreter.get_tensor(_LOGITS_TENSOR)
        windows = [patches[2 * i : 2 * i + PATCHES_PER_WINDOW].mean(0) for i in range(N_WINDOWS)]
        return {"yamnet": np.stack(windows).astype(np.float16)}


def _with_inner_outputs(content: bytes) -> bytes:
    """Make the features and the logits outputs of the graph, so that it runs optimised.

    Preserving all tensors would also show them, at three times the cost.
    """
    from ai_edge_litert import schema_py_generated as schema

    table = schema.Model.GetRootAs(bytearray(content), 0).Subgraphs(0)._tab
    first = table.Vector(table.Offset(8))  # the two entries of Subgraph.outputs
    inner = np.array([_LOGITS_TENSOR, _FEATURES_TENSOR], np.int32).tobytes()
    return content[:first] + inner + content[first + len(inner) :]
