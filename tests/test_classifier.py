"""The shipped model: answers, calibration arithmetic, and model files that are none."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import signals
import topgenre
from topgenre import preprocessed
from topgenre.audio import Segment
from topgenre.checksum import intact, stamp, stamped
from topgenre.classifier import Classifier, analyse
from topgenre.demo import write_audio
from topgenre.errors import ModelError
from topgenre.network import fit_frames
from topgenre.result import rank
from topgenre.spectrograms import compute, network_input
from topgenre.training.not_music import not_music

GENRES = {
    "blues", "classical", "country", "disco", "hiphop",
    "jazz", "metal", "pop", "reggae", "rock",
}  # fmt: skip


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return topgenre.load()


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("songs") / "song.flac"
    write_audio(path, np.stack([signals.music(30.0)] * 2), signals.SAMPLE_RATE)
    return path


def test_all_genres_ranked_with_probabilities_of_sum_one(
    classifier: Classifier, song: Path
) -> None:
    result = classifier.classify(song)
    assert {genre for genre, _ in result.genres} == GENRES
    probabilities = [probability for _, probability in result.genres]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert (result.start, result.end) == (10.0, 20.0)
    assert result.path == str(song)
    assert result.model == classifier.info.name


def test_top_n(classifier: Classifier, song: Path) -> None:
    result = classifier.classify(song)
    assert result.top(3) == result.genres[:3]
    assert len(result.top(99)) == 10
    assert len(result.to_dict(top=2)["genres"]) == 2
    with pytest.raises(ValueError, match="at least 1"):
        result.top(0)


def test_preprocessed_file_gives_the_same_answer(
    classifier: Classifier, song: Path, tmp_path: Path
) -> None:
    path = tmp_path / "song.npz"
    preprocessed.save(analyse(song), path)
    assert classifier.classify(path) == classifier.classify(song)


def test_open_file_gives_the_same_answer(classifier: Classifier, song: Path) -> None:
    with song.open("rb") as file:
        result = classifier.classify(file, name="upload")
    assert result.path == "upload"
    assert result.genres == classifier.classify(song).genres


def test_volume_does_not_change_the_answer(classifier: Classifier) -> None:
    def probabilities(gain: float) -> np.ndarray:
        segment = Segment(gain * signals.music(), 0.0, 10.0)
        return classifier.predict(network_input(compute(segment))[None]).probabilities

    np.testing.assert_allclose(probabilities(0.1), probabilities(1.0), atol=5e-3)


def test_predictions_do_not_depend_on_the_batch(classifier: Classifier) -> None:
    inputs = np.stack(
        [network_input(compute(Segment(signal(), 0.0, 10.0))) for signal in signals.ALL.values()]
    )
    together = classifier.predict(inputs)
    alone = [classifier.predict(one[None]) for one in inputs]
    for index, joint in enumerate(together):
        single = np.concatenate([prediction[index] for prediction in alone])
        np.testing.assert_allclose(joint, single, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(together.probabilities.sum(axis=1), 1, atol=1e-5)


def test_noises_and_tones_are_no_confident_genre(classifier: Classifier) -> None:
    results = [
        classifier.classify_spectrograms(compute(Segment(samples, 0.0, 10.0)))
        for samples in not_music(40, seed=2026)
    ]
    assert sum(result.uncertain for result in results) >= 38
    assert any(result.verdict == "Does not sound like music" for result in results)


def test_short_sounds_are_repeated_and_long_ones_cut_to_the_middle() -> None:
    inputs = np.arange(10.0, dtype=np.float32).reshape(1, 1, 1, 10)
    assert fit_frames(inputs, 4).ravel().tolist() == [3, 4, 5, 6]
    assert fit_frames(inputs[..., :3], 7).ravel().tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_equal_probabilities_rank_alphabetically() -> None:
    assert [g for g, _ in rank({"rock": 0.2, "jazz": 0.2, "pop": 0.6})] == ["pop", "jazz", "rock"]


def test_missing_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: no such model file"):
        topgenre.load(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 500])
def test_damaged_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx: not a usable topgenre model") as caught:
        topgenre.load(path)
    assert "\n" not in str(caught.value)


def test_a_single_wrong_bit_in_the_weights_is_noticed(
    classifier: Classifier, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    with resources.as_file(resources.files("topgenre") / "model" / "topgenre.onnx") as shipped:
        path.write_bytes(shipped.read_bytes())
    stamp(path)
    content = path.read_bytes()
    assert topgenre.load(path).info == classifier.info
    for place in np.random.default_rng(0).integers(len(content) - 200, size=20):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"model\.onnx: damaged") as caught:
            topgenre.load(path)
        assert str(caught.value).isprintable()


def test_a_checksum_takes_the_place_of_another() -> None:
    assert stamped(stamped(b"content")) == stamped(b"content")
    assert intact(stamped(b"content"))
    assert intact(b"content")  # of before there were checksums
    assert intact(b"")


def test_importing_topgenre_is_cheap() -> None:
    script = (
        "import sys, topgenre; heavy = {'numpy', 'av', 'onnxruntime', 'matplotlib', 'torch', "
        "'librosa', 'scipy'} & sys.modules.keys(); sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_classifying_needs_neither_torch_nor_librosa(song: Path) -> None:
    script = (
        "import sys, topgenre; topgenre.load().classify(sys.argv[1]); heavy = "
        "{'matplotlib', 'torch', 'librosa', 'scipy'} & sys.modules.keys(); "
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", script, str(song)], check=True)


def test_nothing_is_reported_to_the_makers_of_the_runtime(song: Path, tmp_path: Path) -> None:
    """ONNX Runtime's telemetry would leave the file of its session in the temporary folder."""
    code = f"import topgenre; topgenre.load().classify({str(song)!r})"
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment["TMPDIR"] = str(tmp_path)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert not list(tmp_path.iterdir())
