"""The second teacher: YAMNet (Google, Apache-2.0), trained on the 521 classes of AudioSet.

It has heard two million videos of all kinds, so it knows speech, rap and electronic music better
than `topgenre.training.teacher.MusicnnTeacher`, which knows songs. `convert` reads the weights of
its TensorFlow Lite file once; `YamnetTeacher` then computes in PyTorch, on any device, what that
file does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from topgenre.errors import DatasetError

PATCH_SAMPLES = 15_600  # 0.975 s
PATCHES_PER_WINDOW = 3
N_WINDOWS = 5
PATCH_HOP = 14_000  # 0.875 s, half the distance between the network's windows
N_PATCHES = 2 * (N_WINDOWS - 1) + PATCHES_PER_WINDOW
N_FEATURES, N_CLASSES, N_MELS = 1024, 521, 64

_FRAME_LENGTH, _FRAME_STEP, _N_FFT = 400, 160, 512
_LOG_OFFSET = 1e-3
_N_PAIRS = 13  # of a depthwise and a pointwise convolution
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)

# Numbers of the file's tensors: weight and bias of the convolution that comes first, of the pairs'
# convolutions in turn, and of the last layer.
_WEIGHT_TENSORS = (
    43, 62, 44, 63, 45, 64, 46, 65, 47, 66, 48, 67, 49, 68, 50, 69, 51, 70, 52, 71, 53, 72, 54,
    73, 55, 74, 56, 12,
)  # fmt: skip
_BIAS_TENSORS = (
    13, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 14, 15, 16, 17, 18, 19,
    20, 21, 22, 23, 1,
)  # fmt: skip
_MEL_TENSOR, _WINDOW_TENSOR = 42, 6


def convert(model: Path, weights: Path) -> None:
    """Write the weights of ``yamnet.tflite`` as a plain ``.npz``; needs ``ai-edge-litert``.

    Weights of 8 bits are widened to float32.

    Parameters
    ----------
    model : Path
    weights : Path
        File to write.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model))
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}

    def read(index: int) -> NDArray[np.float32]:
        values: NDArray[np.float32] = interpreter.get_tensor(index).astype(np.float32)
        quantized = details[index]["quantization_parameters"]
        scales = quantized["scales"]
        if len(scales):
            shape = [1] * values.ndim
            shape[quantized["quantized_dimension"]] = -1
            zeros = quantized["zero_points"].astype(np.float32).reshape(shape)
            values = np.asarray((values - zeros) * scales.reshape(shape), np.float32)
        return values

    arrays = {"mel": read(_MEL_TENSOR), "window": read(_WINDOW_TENSOR)[0]}
    for number, (weight, bias) in enumerate(zip(_WEIGHT_TENSORS, _BIAS_TENSORS, strict=True)):
        arrays[f"{number}.weight"], arrays[f"{number}.bias"] = read(weight), read(bias)
    np.savez(weights, **arrays)


class YamnetTeacher:
    """Features and class logits of YAMNet for the five windows of 10-s blocks.

    Parameters
    ----------
    weights : Path
        File that `convert` wrote.
    device : str

    Raises
    ------
    DatasetError
        If the file cannot be read.
    """

    name = "yamnet"

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        try:
            with np.load(weights, allow_pickle=False) as archive:
                stored = {name: torch.from_numpy(archive[name]).to(device) for name in archive}
            layers = [(stored[f"{i}.weight"], stored[f"{i}.bias"]) for i in range(2 * _N_PAIRS + 2)]
            self._mel, self._window = stored["mel"], stored["window"]
        except (OSError, ValueError, KeyError) as error:
            raise DatasetError(f"{weights}: not a file of YAMNet's weights ({error})") from error
        self._last = layers.pop()
        # (out, height, width, in) of a convolution; depthwise (1, height, width, channels).
        self._layers = [
            (w.permute(3, 0, 1, 2) if len(w) == 1 else w.permute(0, 3, 1, 2), b) for w, b in layers
        ]

    @torch.no_grad()
    def __call__(self, sound: Tensor) -> dict[str, Tensor]:
        """Return ``yamnet`` (b, 5, 1545), features and then logits, of sounds at 16 kHz.

        Parameters
        ----------
        sound : Tensor, shape (b, n)
            `topgenre.training.sound.for_teachers`, of at least 9.725 s.
        """
        patches = sound.clamp(-1, 1).unfold(1, PATCH_SAMPLES, PATCH_HOP)[:, :N_PATCHES]
        answers = self._answer(patches.flatten(0, 1)).view(len(sound), N_PATCHES, -1)
        return {self.name: answers.unfold(1, PATCHES_PER_WINDOW, 2).mean(3)}

    def _answer(self, patches: Tensor) -> Tensor:
        frames = patches.unfold(1, _FRAME_LENGTH, _FRAME_STEP) * self._window
        magnitude = torch.fft.rfft(frames, _N_FFT).abs()
        x = (magnitude @ self._mel.T + _LOG_OFFSET).log()[:, None]
        (weight, bias), *pairs = self._layers
        x = self._convolve(x, weight, bias, 2, 1)
        for number, stride in enumerate(_STRIDES):
            weight, bias = pairs[2 * number]
            x = self._convolve(x, weight, bias, stride, len(weight))
            weight, bias = pairs[2 * number + 1]
            x = functional.relu(functional.conv2d(x, weight, bias))
        features = x.mean((2, 3))
        weight, bias = self._last
        return torch.cat([features, functional.linear(features, weight, bias)], 1)

    @staticmethod
    def _convolve(x: Tensor, weight: Tensor, bias: Tensor, stride: int, groups: int) -> Tensor:
        """Convolve by 3 x 3; TensorFlow pads the far side alone where it strides."""
        edges = (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)
        x = functional.pad(x, edges)
        return functional.relu(functional.conv2d(x, weight, bias, stride, 0, 1, groups))


if __name__ == "__main__":
    import sys

    if len(sys.argv) != 3:
        sys.exit("usage: python -m topgenre.training.yamnet yamnet.tflite WEIGHTS.npz")
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
