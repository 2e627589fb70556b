"""`topgenre-audio.onnx`: one file from samples to answer, held to the Python path."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import signals
import topgenre
from topgenre.audio import SAMPLE_RATE, Segment
from topgenre.checksum import intact
from topgenre.network import fit_frames
from topgenre.spectrograms import compute, network_input

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "src" / "topgenre" / "model" / "topgenre.onnx"

audio_graph = pytest.importorskip("topgenre.training.audio_graph", reason="onnx is not installed")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "topgenre-audio.onnx"
    audio_graph.build(MODEL, path)
    return path


@pytest.fixture(scope="module")
def session(built: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(built.read_bytes(), options)


@pytest.fixture(scope="module")
def classifier() -> topgenre.Classifier:
    return topgenre.load()


def run(session: Any, samples: signals.Samples) -> dict[str, Any]:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"samples": samples}), strict=True))


def assert_alike(session: Any, classifier: topgenre.Classifier, samples: signals.Samples) -> None:
    inputs = network_input(compute(Segment(samples, 0.0, 10.0)))[None]
    expected = classifier.predict(inputs)
    found = run(session, samples)
    fitted = fit_frames(inputs, classifier.info.n_frames)[0]
    assert np.abs(found["input"] - fitted).max() < 1e-3
    assert np.abs(found["probabilities"] - expected.probabilities[0]).max() < 1e-4
    assert abs(found["music"] - expected.music[0]) < 1e-4
    assert np.abs(found["embedding"] - expected.embedding[0]).max() < 1e-2


@pytest.mark.parametrize("name", signals.ALL)
def test_it_answers_as_the_python_path_does(
    session: Any, classifier: topgenre.Classifier, name: str
) -> None:
    assert_alike(session, classifier, signals.ALL[name]())


@settings(max_examples=15, deadline=None)
@given(
    n_samples=st.integers(SAMPLE_RATE, 14 * SAMPLE_RATE),
    loudness=st.sampled_from([1e-4, 0.1, 1.0]),
    seed=st.integers(0, 99),
)
def test_any_length_will_do(
    session: Any,
    classifier: topgenre.Classifier,
    n_samples: int,
    loudness: float,
    seed: int,
) -> None:
    samples = signals.music(n_samples / SAMPLE_RATE, seed)[:n_samples] * np.float32(loudness)
    assert_alike(session, classifier, samples)


def test_it_holds_the_metadata_of_the_model(
    session: Any, built: Path, classifier: topgenre.Classifier
) -> None:
    assert intact(built.read_bytes())
    text = session.get_modelmeta().custom_metadata_map["topgenre"]
    assert text == classifier.info.to_json()
    assert built.with_suffix(".json").read_text("utf-8") == text


def test_the_example_in_python(
    built: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = tmp_path / "dist" / "pages" / "engine"
    engine.mkdir(parents=True)
    (engine / "topgenre-audio.onnx.gz").write_bytes(gzip.compress(built.read_bytes(), 1))
    shutil.copy(built.with_suffix(".json"), engine)
    page = (ROOT / "docs" / "pages.md").read_text("utf-8")
    example = re.search(r"^```python\n(.*?)^```", page, re.M | re.S)
    assert example
    monkeypatch.chdir(tmp_path)
    exec(example[1], {})
    assert capsys.readouterr().out.startswith("{'blues': ")
