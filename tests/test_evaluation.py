"""Measuring needs ONNX Runtime alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import signals
from topgenre.demo import write_audio

BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "onnxscript", "tensorflow"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Block())
from topgenre.cli import main
main()
"""


def test_evaluate_runs_without_pytorch(tmp_path: Path) -> None:
    for genre, make in (("jazz", signals.music), ("rock", signals.noise)):
        (tmp_path / genre).mkdir()
        write_audio(tmp_path / genre / "1.wav", np.stack([make(11.0)] * 2), signals.SAMPLE_RATE)
    command = [sys.executable, "-c", BLOCK, "evaluate", str(tmp_path), "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    record = json.loads(answer.stdout)
    assert record["n"] == 2
    assert sum(tier["n"] for tier in record["tiers"].values()) == 2
