"""Load a model file and run its network.

A model is one ONNX file. Its metadata hold everything that belongs to the weights: the genres, the
temperature that calibrates them, the thresholds of doubt, and the model card.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topgenre.checksum import intact
from topgenre.errors import ModelError
from topgenre.model_info import METADATA_KEY, ModelInfo

Array = NDArray[np.float32]


class Network:
    """The network of a model file, on one thread; it may be shared by threads.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    info : ModelInfo
    sha256 : str
        Of the file, in hexadecimal.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or not a topgenre model.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        onnxruntime = _runtime()
        if not Path(path).is_file():
            raise ModelError(f"{path}: no such model file; name one that `topgenre train` wrote")
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ModelError(
                f"{path}: cannot be read ({error.strerror}); check the file and its permissions"
            ) from error
        if not intact(content):
            raise ModelError(
                f"{path}: damaged (its checksum is wrong); get a fresh copy of the model"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.info = ModelInfo.from_json(metadata[METADATA_KEY])
        except Exception as error:  # ONNX Runtime's own exceptions share no base class
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(
                f"{path}: not a usable topgenre model ({reason}); "
                "name one that `topgenre train` wrote"
            ) from error
        self.sha256 = hashlib.sha256(content).hexdigest()

    def run(self, inputs: Array) -> tuple[Array, Array, Array, Array]:
        """Run the network on many inputs at once.

        Parameters
        ----------
        inputs : ndarray of float32, shape (n, 4, 128, t)
            Of any length; see `fit_frames`.

        Returns
        -------
        tuple of ndarray of float32
            Uncalibrated logits (n, n_genres); probabilities of music (n,); embeddings
            (n, n_embedding); probabilities of tags (n, n_tags).
        """
        fitted = fit_frames(inputs, self.info.n_frames)
        logits, music, embedding, *tags = self._session.run(None, {"spectrograms": fitted})
        none = np.zeros((len(logits), 0), np.float32)
        return logits, music, embedding, tags[0] if tags else none


def fit_frames(inputs: Array, n_frames: int) -> Array:
    """Repeat or cut network inputs (n, 4, 128, t) to `n_frames` along time."""
    found = inputs.shape[3]
    if found < n_frames:
        return np.tile(inputs, -(-n_frames // found))[..., :n_frames]
    first = (found - n_frames) // 2
    return np.ascontiguousarray(inputs[..., first : first + n_frames])


def _runtime() -> Any:
    """Import ONNX Runtime without letting it report to its maker, as its wheels do from 1.29 on."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # the variable is too late if it was imported before
    return onnxruntime
