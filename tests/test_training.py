"""Training from a folder of synthetic music to a model file that every face can load."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import typer

import signals
from topgenre import hpss
from topgenre.audio import Segment
from topgenre.checksum import stamped
from topgenre.classifier import load
from topgenre.cli import evaluate as command_line
from topgenre.demo import write_audio
from topgenre.errors import DatasetError
from topgenre.evaluation import retrieval
from topgenre.evaluation.calibration import fit_temperature, fit_whole_temperature, softmax
from topgenre.evaluation.dataset import Clip, hold_out, read_dataset, read_unlabelled
from topgenre.evaluation.evaluate import evaluate, judges_of_folds
from topgenre.evaluation.metrics import (
    area_under_curve,
    confusion,
    expected_calibration_error,
    figures,
    top_k_hits,
)
from topgenre.model_info import ModelInfo
from topgenre.spectrograms import compute, network_input
from topgenre.training import recipe
from topgenre.training.config import TrainConfig
from topgenre.training.examples import (
    BLOCK_SAMPLES,
    build_cache,
    concatenate,
    cut_blocks,
    fold_splits,
)
from topgenre.training.export import export
from topgenre.training.head import fit_last_layers
from topgenre.training.net import GenreNet, MaxFilter, MaxFilters
from topgenre.training.pitch_transform import PitchTransform
from topgenre.training.pool import Pool
from topgenre.training.recipe import Sources, train_model
from topgenre.training.sound import for_teachers, network_inputs, resample, running_median
from topgenre.training.sounds import read_sounds
from topgenre.training.tags import SOURCES
from topgenre.training.teacher import TAGS, MusicnnTeacher, column_weights
from topgenre.training.trainer import Trainer, read_trained
from topgenre.training.yamnet import N_CLASSES, N_FEATURES, YamnetTeacher

TINY = TrainConfig(
    widths=(4, 8, 8, 8),
    n_embedding=16,
    n_teacher=8,
    pretrain_steps=5,
    n_steps=30,
    warmup_steps=5,
    batch_size=8,
    learning_rate=1e-2,
    ema_decay=0.8,
    n_not_music=24,
    n_folds=2,
    clip_blocks=1,
    music_blocks=6,
    renew_every=40,
)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three genres that an ear tells apart at once, four clips each, one of them short."""
    folder = tmp_path_factory.mktemp("genres")
    makers = {"buzz": signals.noise, "hum": signals.tones, "tick": signals.clicks}
    for genre, make in makers.items():
        (folder / genre).mkdir()
        for number in range(4):
            samples = make(2.5 if number == 0 else 11.0)
            rng = np.random.default_rng(number)
            samples = samples + 1e-3 * rng.standard_normal(len(samples)).astype(np.float32)
            path = folder / genre / f"{genre}.{number:05}.wav"
            write_audio(path, np.stack([samples, samples]), signals.SAMPLE_RATE)
    return folder


@pytest.fixture(scope="session")
def teacher_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the teacher's shapes: its arithmetic is tested, not its taste.

    As in the real ones, most filters of its first layers are switched off.
    """
    rng = np.random.default_rng(0)
    kernels = {
        "conv2d": (7, 38, 1, 204), "conv2d_1": (7, 67, 1, 204), "conv2d_2": (128, 1, 1, 51),
        "conv2d_3": (64, 1, 1, 51), "conv2d_4": (32, 1, 1, 51), "conv2d_5": (7, 561, 1, 64),
        "conv2d_6": (7, 64, 1, 64), "conv2d_7": (7, 64, 1, 64), "dense": (1506, 200),
        "dense_1": (200, 50),
    }  # fmt: skip
    weights: dict[str, np.ndarray] = {}
    for name, shape in kernels.items():
        weights[f"{name}.kernel"] = rng.normal(0, shape[0] ** -0.5 / 30, shape).astype(np.float32)
        weights[f"{name}.bias"] = rng.normal(0, 0.1, shape[-1]).astype(np.float32)
    for index, size in enumerate([1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200]):
        name = f"batch_normalization_{index}" if index else "batch_normalization"
        for part in ("gamma", "moving_variance"):
            weights[f"{name}.{part}"] = np.ones(size, np.float32)
        for part in ("beta", "moving_mean"):
            weights[f"{name}.{part}"] = np.zeros(size, np.float32)
        if 1 <= index <= 5:
            weights[f"{name}.gamma"][size // 5 :] = 1e-6
    path = tmp_path_factory.mktemp("teacher") / "teacher.npz"
    np.savez(path, allow_pickle=False, **weights)
    return path


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two other collections, one clip of which is of none of the genres."""
    folder = tmp_path_factory.mktemp("elsewhere")
    rows = ["path,genre,style,collection"]
    for number, (genre, style, collection, make) in enumerate(
        (
            ("hum", "", "a", signals.tones),
            ("tick", "", "a", signals.clicks),
            ("buzz", "", "b", signals.noise),
            ("", "electronic", "b", signals.music),
        )
    ):
        write_audio(folder / f"{number}.wav", np.stack([make(11.0)] * 2), signals.SAMPLE_RATE)
        rows.append(f"{number}.wav,{genre},{style},{collection}")
    (folder / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


class StubYamnet:
    """Stands in for the second teacher: features that follow the spectrum."""

    name = "yamnet"

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        generator = torch.Generator().manual_seed(1)
        self._projection = torch.randn(64, N_FEATURES + N_CLASSES, generator=generator) / 8

    def __call__(self, sound: torch.Tensor) -> dict[str, torch.Tensor]:
        windows = sound[:, :160_000].reshape(len(sound), 5, 32_000)
        spectrum = torch.fft.rfft(windows).abs()
        bands = spectrum[..., : 64 * 250].reshape(len(sound), 5, 64, -1).mean(3).log1p()
        return {self.name: bands @ self._projection}


@pytest.fixture(scope="session")
def trained(
    dataset: Path,
    teacher_weights: Path,
    collections: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run with everything: both teachers, collections, unlabelled music, sounds."""
    run_dir = tmp_path_factory.mktemp("run")
    sources = Sources(
        dataset,
        unlabelled=(dataset / "hum", dataset / "tick"),
        collections=(collections,),
        not_music=(dataset / "buzz",),
        musicnn=teacher_weights,
        yamnet=teacher_weights,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "YamnetTeacher", StubYamnet)
        return train_model(sources, run_dir, TINY, "tiny 1")


def test_trained_model_loads_and_knows_its_genres(trained: Path, dataset: Path) -> None:
    classifier = load(trained)
    assert classifier.genres == ("buzz", "hum", "tick")
    assert classifier.info.name == "tiny 1"
    assert stamped(trained.read_bytes()) == trained.read_bytes()  # it has its checksum
    result = classifier.classify(dataset / "hum" / "hum.00001.wav")
    assert sum(p for _, p in result.genres) == pytest.approx(1, abs=1e-5)


def test_trained_model_tells_noise_from_tones_from_clicks(trained: Path, dataset: Path) -> None:
    classifier = load(trained)
    evaluation = evaluate([(classifier, clip) for clip in read_dataset(dataset)])
    assert evaluation.n == 12
    assert evaluation.failed == ()
    assert evaluation.figures["accuracy"].value > 0.6
    assert evaluation.confusion.sum() == 12
    json.dumps(evaluation.to_dict())


def test_models_of_the_folds_give_the_figures_of_the_card(
    trained: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = json.loads(trained.with_name("card.json").read_text(encoding="utf-8"))
    command_line.evaluate(dataset, run_dir=trained.parent, as_json=True)
    record = json.loads(capsys.readouterr().out)
    assert record["n"] == card["measured"]["n"]
    assert record["confusion"] == card["measured"]["confusion"]
    for name, (value, *_) in card["measured"]["figures"].items():
        assert record["figures"][name]["value"] == pytest.approx(value, abs=0.02)


def test_whole_clips_robustness_and_pictures(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = tmp_path / "clips"
    for genre, make in (("buzz", signals.noise), ("hum", signals.tones)):
        (clips / genre).mkdir(parents=True)
        for number, seconds in enumerate((4.0, 21.0)):
            path = clips / genre / f"{number}.wav"
            write_audio(path, np.stack([make(seconds)] * 2), signals.SAMPLE_RATE)
    options = {"model": trained, "whole": True, "robustness": True, "pictures": tmp_path / "drawn"}
    command_line.evaluate(clips, as_json=True, **options)  # type: ignore[arg-type]
    record = json.loads(capsys.readouterr().out)
    assert record["n"] == 4
    assert record["robustness"]["n"] == 2
    shares = {name: f["value"] for name, f in record["robustness"]["same_answer"].items()}
    assert len(shares) == 11
    # Volume is what the network cannot hear at all.
    assert shares["6 dB softer"] == 1
    for name in ("reliability.png", "confusion.png"):
        assert (tmp_path / "drawn" / name).read_bytes().startswith(b"\x89PNG")


def test_card_states_split_size_and_intervals(trained: Path) -> None:
    card = json.loads(trained.with_name("card.json").read_text(encoding="utf-8"))
    assert card["clips"] == {"train": 9, "valid": 3, "collections": 4, "unlabelled": 8}
    assert card["teachers"] == ["musicnn", "yamnet"]
    assert card["measured"]["n"] == 12
    assert card["measured_elsewhere"]["n"] == 3
    value, low, high = card["measured"]["figures"]["accuracy"]
    assert low <= value <= high
    assert card == load(trained).info.card


def test_an_interrupted_run_goes_on_and_is_then_read(dataset: Path, tmp_path: Path) -> None:
    genres = ("buzz", "hum", "tick")
    sounds = read_sounds(hold_out(read_dataset(dataset)), genres, tmp_path / "sounds.raw", "cpu")
    rows = np.arange(len(sounds.label))
    generator = torch.Generator().manual_seed(0)
    pools = [Pool(sounds, rows, [], generator, mixed=0.0, repeated=0.3)]
    train = sounds.clip != "hum/hum.00001.wav"

    class InterruptedRunError(Exception):
        pass

    class Stops(Trainer):
        def _train_step(self) -> torch.Tensor:
            if self.step == 7:
                self._save()
                raise InterruptedRunError
            return super()._train_step()

    config = TrainConfig(
        widths=TINY.widths, n_embedding=16, n_steps=12, batch_size=4, warmup_steps=2
    )
    folder = tmp_path / "fold"
    with pytest.raises(InterruptedRunError):
        Stops(genres, pools, train, config, folder).run()
    assert read_trained(folder, set()) is None
    resumed = Trainer(genres, pools, train, config, folder)
    assert resumed.step == 7
    net = resumed.run().net
    trained = read_trained(folder, {"hum/hum.00001.wav"})
    assert trained is not None
    for one, other in zip(net.parameters(), trained.net.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(DatasetError, match="other clips"):
        Trainer(genres, pools, ~train, config, folder)
    with pytest.raises(DatasetError, match="other clips"):
        read_trained(folder, {"hum/hum.00002.wav"})


def test_folds_keep_clips_whole_and_judge_each_once(dataset: Path, tmp_path: Path) -> None:
    clips = hold_out(read_dataset(dataset))
    blocks = build_cache(clips, tmp_path, hop_seconds=5.0)
    judged: list[str] = []
    for split in fold_splits(blocks, 3):
        assert not set(blocks.clip[split == "train"]) & set(blocks.clip[split == "valid"])
        assert set(blocks.label[split == "train"]) == {0, 1, 2}
        judged += list(blocks.clip[(split == "valid") & blocks.middle])
    assert sorted(judged) == sorted(clip.name for clip in clips)
    assert (fold_splits(blocks, 3)[0] == blocks.split).all()


def test_a_network_is_blind_to_what_it_is_not_shown() -> None:
    net = GenreNet(3, widths=(4, 8, 8, 8), n_embedding=16, channels=("percussive",)).eval()
    x = torch.randn(1, 4, 128, 431)
    changed = x.clone()
    changed[:, [0, 1, 3]] += 1
    assert torch.equal(net(x)[0], net(changed)[0])
    changed[:, 2] += 1
    assert not torch.equal(net(x)[0], net(changed)[0])


def test_music_without_labels_shows_what_music_is(dataset: Path, tmp_path: Path) -> None:
    labelled = [clip for clip in read_dataset(dataset) if clip.genre == "hum"]
    parts = [
        build_cache(clips, tmp_path, hop_seconds=10.0)
        for clips in (labelled, read_unlabelled(dataset / "tick"))
    ]
    blocks = concatenate(parts)
    noise = build_cache(read_unlabelled(dataset / "buzz"), tmp_path, hop_seconds=10.0).inputs
    sounds = [noise[row] for row in range(len(noise))]
    judged = []
    for known in (blocks.label >= 0, np.ones(len(blocks.label), bool)):
        torch.manual_seed(0)
        net = GenreNet(1, widths=TINY.widths, n_embedding=TINY.n_embedding)
        fit_last_layers(net, blocks, known, TINY, sounds, None)
        both = np.stack([parts[1].inputs[1], noise[1]]).astype(np.float32)
        with torch.no_grad():
            judged.append(net(torch.from_numpy(both))[1].tolist())
    (song_before, noise_before), (song_now, noise_now) = judged
    assert song_now > max(song_before, 0.5)
    assert noise_before < 0.5
    assert noise_now < 0.5


def test_the_file_computes_what_the_network_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = GenreNet(3)
    for name, buffer in net.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    info = ModelInfo(
        "random 1", ("a", "b", "c"), 1.0, 0.4, n_frames=431, card={}, temperature_whole=1.0
    )
    path = tmp_path / "model.onnx"
    assert export(net, info, path) < 1e-5
    assert b"net.py" not in path.read_bytes()  # PyTorch notes the lines and where they lie


@pytest.mark.parametrize("n_steps", [216, 75])
def test_filters_answer_alike_by_convolution_and_by_spectra(n_steps: int) -> None:
    torch.manual_seed(0)
    filters = MaxFilters(MaxFilter(8, 16, (height, 3), 2) for height in (23, 40)).eval()
    x = torch.randn(2, 8, 64, n_steps)
    with torch.no_grad():
        slid, multiplied = filters(x), PitchTransform(filters)(x)
    assert multiplied.shape == (2, 32, -(-n_steps // 2))
    torch.testing.assert_close(multiplied, slid, atol=1e-5, rtol=0)


def test_cache_is_not_computed_twice(dataset: Path, tmp_path: Path) -> None:
    clips = read_dataset(dataset)
    first = build_cache(clips, tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    second = build_cache(clips, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    np.testing.assert_array_equal(first.inputs[3], second.inputs[3])
    assert first.middle.sum() == len(clips)


def test_a_bad_clip_is_left_out_with_a_warning(
    dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF nothing more")
    clips = [*read_dataset(dataset)[:2], Clip(bad, "bad.wav", "hum", "")]
    blocks = build_cache(clips, tmp_path / "cache")
    assert set(blocks.clip) == {"buzz/buzz.00000.wav", "buzz/buzz.00001.wav"}
    assert "bad.wav" in caplog.text


def test_index_file_is_followed(dataset: Path) -> None:
    index = dataset / "index.csv"
    index.write_text(
        "split,path,genre,seconds,kind\n"
        "train,hum/hum.00001.wav,hum,11,full\nvalid,hum/hum.00002.wav,hum,11,full\n",
        encoding="utf-8",
    )
    try:
        assert [(c.name, c.split) for c in read_dataset(dataset)] == [
            ("hum/hum.00001.wav", "train"),
            ("hum/hum.00002.wav", "valid"),
        ]
        index.write_text("split,path,genre\ntrain,hum/gone.wav,hum\n", encoding="utf-8")
        with pytest.raises(DatasetError, match=r"gone\.wav"):
            read_dataset(dataset)
        index.write_text("a,b\n1,2\n", encoding="utf-8")
        with pytest.raises(DatasetError, match="columns"):
            read_dataset(dataset)
    finally:
        index.unlink()


def test_split_files_filter(dataset: Path, tmp_path: Path) -> None:
    lists = {
        "train_filtered.txt": "hum/hum.00001.au\n",
        "valid_filtered.txt": "tick/tick.00002.wav",
    }
    paths = []
    for name, text in lists.items():
        paths.append(tmp_path / name)
        paths[-1].write_text(text, encoding="utf-8")
    assert [(c.name, c.split) for c in read_dataset(dataset, paths)] == [
        ("hum/hum.00001.wav", "train"),
        ("tick/tick.00002.wav", "valid"),
    ]


def test_data_sets_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a folder"):
        read_dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no music"):
        read_dataset(tmp_path)
    with pytest.raises(DatasetError, match="no music"):
        read_unlabelled(tmp_path)


def test_no_clip_is_judged_by_a_network_that_has_seen_it(
    trained: Path, dataset: Path, tmp_path: Path
) -> None:
    clips = hold_out(read_dataset(dataset))
    for classifier, clip in judges_of_folds(trained.parent, clips):
        number = int(classifier.info.name[-1])
        assert classifier.info.name == f"tiny 1, fold {number}"
        assert (number == 0) == (clip.split == "valid")
    with pytest.raises(DatasetError, match="fold-"):
        judges_of_folds(tmp_path, clips)
    with pytest.raises(typer.BadParameter, match="not both"):
        command_line.evaluate(dataset, model=trained, run_dir=trained.parent)


def test_unknown_genres_cannot_be_evaluated(trained: Path, dataset: Path) -> None:
    clip = Clip(dataset / "hum" / "hum.00001.wav", "x", "polka", "")
    with pytest.raises(DatasetError, match="polka"):
        evaluate([(load(trained), clip)])


def test_blocks_hold_the_middle_ten_seconds() -> None:
    samples = np.arange(30 * signals.SAMPLE_RATE, dtype=np.float32)
    blocks = list(cut_blocks(samples, 5.0))
    assert len(blocks) == 5
    middle = next(block for block, is_middle in blocks if is_middle)
    assert middle[0] == 10 * signals.SAMPLE_RATE
    assert all(len(block) == BLOCK_SAMPLES for block, _ in blocks)
    assert [is_middle for _, is_middle in cut_blocks(samples[:1000], 5.0)] == [True]


@pytest.mark.parametrize("device", ["cuda:77", "abacus"])
def test_a_device_that_is_not_there(dataset: Path, tmp_path: Path, device: str) -> None:
    with pytest.raises(DatasetError, match=f"{device}: PyTorch cannot compute there"):
        train_model(Sources(dataset), tmp_path, TINY, "none 1", device)


def test_a_checkpoint_of_another_version_is_told(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"config": {"freeze_front": True}, "step": 1}, path)
    with pytest.raises(DatasetError, match=r"checkpoint\.pt: unknown setting 'freeze_front'"):
        read_trained(tmp_path, set())


def test_settings_come_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text("n_steps = 7\nwidths = [4, 4, 4, 4]\n", encoding="utf-8")
    config = TrainConfig.load(path)
    assert (config.n_steps, config.widths) == (7, (4, 4, 4, 4))
    path.write_text("n_stepps = 7\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="n_stepps"):
        TrainConfig.load(path)
    path.write_text("n_steps = \n", encoding="utf-8")
    with pytest.raises(DatasetError, match="TOML"):
        TrainConfig.load(path)


def sound_of(samples: np.ndarray) -> torch.Tensor:
    """What the teachers hear of one sound."""
    return for_teachers(torch.from_numpy(samples)[None])


def test_teacher_is_deaf_to_volume(teacher_weights: Path) -> None:
    teacher = MusicnnTeacher(teacher_weights)
    targets = teacher(sound_of(signals.music()))
    windows = targets["musicnn"]
    assert windows.shape == (1, 5, len(column_weights(windows.shape[2])))
    for name, soft in teacher(sound_of(0.1 * signals.music())).items():
        torch.testing.assert_close(soft, targets[name], atol=1e-3, rtol=1e-3)
    assert teacher.tag_logits(windows.half().numpy()).shape == (1, len(TAGS))


def test_second_teacher_answers_for_the_same_windows(tmp_path: Path) -> None:
    """Random weights of its shapes: a pair of convolutions after another, then the classes."""
    rng = np.random.default_rng(0)
    widths = (32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)
    shapes: list[tuple[int, ...]] = [(32, 3, 3, 1)]
    for n_in, n_out in itertools.pairwise(widths):
        shapes += [(1, 3, 3, n_in), (n_out, 1, 1, n_in)]
    shapes.append((N_CLASSES, N_FEATURES))
    weights = {"mel": rng.random((64, 257)), "window": np.hanning(401)[:-1]}
    for number, shape in enumerate(shapes):
        size = shape[-1] if shape[0] == 1 else shape[0]
        fan_in = 9 if shape[0] == 1 else np.prod(shape[1:])
        weights[f"{number}.weight"] = rng.normal(0, (2 / fan_in) ** 0.5, shape)
        weights[f"{number}.bias"] = rng.normal(0, 0.1, size)
    path = tmp_path / "yamnet.npz"
    np.savez(path, allow_pickle=False, **{k: v.astype(np.float32) for k, v in weights.items()})
    teacher = YamnetTeacher(path)
    sound = sound_of(signals.music())
    answers = teacher(sound)["yamnet"]
    assert answers.shape == (1, 5, N_FEATURES + N_CLASSES)
    later = torch.cat([torch.zeros(1, 28_000), sound], 1)[:, :160_000]
    torch.testing.assert_close(
        teacher(later)["yamnet"][:, 1:], answers[:, :4], atol=1e-3, rtol=1e-3
    )
    features = answers[..., :N_FEATURES]
    logits = features @ torch.from_numpy(weights["27.weight"].astype(np.float32)).T
    logits += torch.from_numpy(weights["27.bias"].astype(np.float32))
    torch.testing.assert_close(answers[..., N_FEATURES:], logits, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("seconds", [2.0, 10.0])
def test_training_hears_what_classification_hears(seconds: float) -> None:
    sounds = [make(seconds) for make in (signals.music, signals.clicks, signals.noise)]
    expected = [network_input(compute(Segment(one, 0.0, seconds))) for one in sounds]
    found = network_inputs(torch.from_numpy(np.stack(sounds))).numpy()
    np.testing.assert_allclose(found, np.stack(expected), atol=2e-3)


def test_medians_of_batches_are_those_of_one() -> None:
    x = np.random.default_rng(0).random((3, 40, 70), dtype=np.float32)
    down = np.stack([hpss.running_median(one) for one in x])
    along = np.stack([hpss.running_median(one.T).T for one in x])
    np.testing.assert_array_equal(running_median(torch.from_numpy(x), 1).numpy(), down)
    np.testing.assert_array_equal(running_median(torch.from_numpy(x), 2).numpy(), along)


def test_resampling_keeps_what_both_rates_hold() -> None:
    def tone(hertz: float, sample_rate: int) -> torch.Tensor:
        seconds = torch.arange(sample_rate, dtype=torch.float64) / sample_rate
        return torch.sin(2 * torch.pi * hertz * seconds).float()[None]

    heard = resample(tone(1000, 22_050), 16_000)
    torch.testing.assert_close(heard, tone(1000, 16_000), atol=1e-4, rtol=0)
    assert resample(tone(9000, 22_050), 16_000).abs().max() < 1e-4


def test_blocks_of_a_pool_are_cut_from_their_clips(dataset: Path, tmp_path: Path) -> None:
    genres = ("buzz", "hum", "tick")
    sounds = read_sounds(read_dataset(dataset), genres, tmp_path / "sounds.raw", "cpu")
    generator = torch.Generator().manual_seed(0)
    rows = np.repeat(np.arange(12), 2)
    pool = Pool(sounds, rows, [StubYamnet(Path())], generator, mixed=0.0, repeated=0.5)
    assert pool.inputs.shape == (24, 4, 128, 431)
    assert torch.isfinite(pool.inputs).all()
    chosen = torch.zeros(24)
    chosen[6] = 1
    before = pool.inputs.clone()
    batch = pool.draw(chosen, 5, 216)
    assert batch.inputs.shape == (5, 4, 128, 216)
    assert batch.targets["yamnet"].shape == (5, 2, N_FEATURES + N_CLASSES)
    assert set(batch.rows.tolist()) == {3}
    for _ in range(4):
        pool.renew()
    assert (pool.inputs != before).any()
    # Clicks begin and end at once, tones do not: their onsets tell them apart in any block.
    strength = pool.inputs[:, 3].float().amax((1, 2))
    ticks = torch.from_numpy(sounds.label[rows] == 2)
    hums = torch.from_numpy(sounds.label[rows] == 1)
    assert strength[ticks].median() > strength[hums].median()


def test_teacher_computes_what_its_paper_says(teacher_weights: Path) -> None:
    """All filters, in single precision, window by window."""
    with np.load(teacher_weights) as archive:
        weights = {name: torch.from_numpy(archive[name]) for name in archive}

    def norm(index: int, x: torch.Tensor) -> torch.Tensor:
        name = f"batch_normalization_{index}" if index else "batch_normalization"
        mean, variance = weights[f"{name}.moving_mean"], weights[f"{name}.moving_variance"]
        gamma, beta = weights[f"{name}.gamma"], weights[f"{name}.beta"]
        return torch.nn.functional.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)

    def conv(index: int, x: torch.Tensor) -> torch.Tensor:
        name = f"conv2d_{index}" if index else "conv2d"
        kernel = weights[f"{name}.kernel"].permute(3, 2, 0, 1)
        return torch.relu(torch.nn.functional.conv2d(x, kernel, weights[f"{name}.bias"]))

    def pad(x: torch.Tensor, before: int, after: int) -> torch.Tensor:
        return torch.nn.functional.pad(x, (0, 0, before, after))

    teacher = MusicnnTeacher(teacher_weights)
    sound = sound_of(signals.music())
    targets = {name: values[0].numpy() for name, values in teacher(sound).items()}
    x = norm(0, teacher.spectrogram(sound)[None, :, :187])
    front = [norm(i + 1, conv(i, pad(x, 3, 3))) for i in (0, 1)]
    front += [
        norm(i + 1, conv(i, pad(x, (n - 1) // 2, n // 2))) for i, n in ((2, 128), (3, 64), (4, 32))
    ]
    found = [torch.cat([answer.amax(3) for answer in front], 1)]
    for index in (5, 6, 7):
        before = pad(found[-1].transpose(1, 2)[:, None], 3, 3)
        feature = norm(index + 1, conv(index, before))[..., 0]
        found.append(feature + found[-1] if index > 5 else feature)
    local = torch.cat(found, 1)
    pooled = torch.stack([local.amax(2), local.mean(2)], 2).flatten(1)
    hidden = norm(9, pooled) @ weights["dense.kernel"] + weights["dense.bias"]
    penultimate = norm(10, torch.relu(hidden))[0].numpy()
    spread = penultimate.std()
    np.testing.assert_allclose(targets["musicnn"][0, :200], penultimate, atol=0.05 * spread)

    live = list(range(40)) + list(range(204, 244))
    # A step is 186 ms, 11.6 frames of 16 ms.
    answers = found[0][0, live].numpy()
    steps = np.stack([answers[:, :12].mean(1), answers[:, 12:23].mean(1)])
    np.testing.assert_allclose(targets["timbre"][:2], steps, atol=0.05 * steps.std())


def test_teacher_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(b"none")
    for kind in (MusicnnTeacher, YamnetTeacher):
        with pytest.raises(DatasetError, match=r"weights\.npz"):
            kind(path)


def test_collections_are_held_out_whole_and_judged_where_they_are_unseen(
    trained: Path, collections: Path
) -> None:
    clips = read_dataset(collections)
    judges = judges_of_folds(trained.parent, clips)
    assert sorted(clip.name for _, clip in judges) == [clip.name for clip in clips]
    owner = {clip.name: classifier.info.name for classifier, clip in judges}
    assert owner["0.wav"] == owner["1.wav"] != owner["2.wav"] == owner["3.wav"]
    evaluation = evaluate(judges)
    assert evaluation.n == 3
    assert evaluation.n_outside == 1
    assert sum(n for n, _ in evaluation.tiers.values()) == 3


def test_tags_follow_the_teachers(trained: Path, dataset: Path) -> None:
    info = load(trained).info
    known = {source.name: source for source in SOURCES}
    for tag in info.tags:
        assert known[tag.name].outside == tag.outside
        assert 0 < tag.threshold <= 1


def test_similar_clips_of_one_artist_do_not_count() -> None:
    clips = [Clip(Path(), f"{genre}.{10 * n:05}", genre) for genre in "ab" for n in range(12)]
    angle = np.array([0.0 if clip.genre == "a" else 1.5 for clip in clips])
    vectors = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    assert retrieval.precision(vectors, clips).min() == 1
    same = [Clip(Path(), clip.name, clip.genre, collection="one") for clip in clips]
    assert not len(retrieval.precision(vectors, same))


def test_calibration_error_of_known_cases() -> None:
    labels = np.array([0, 0, 1, 1])
    sure = np.array([[1.0, 0.0]] * 4)
    assert expected_calibration_error(sure, labels) == pytest.approx(0.5)
    honest = np.array([[0.75, 0.25]] * 4)
    assert expected_calibration_error(honest, np.array([0, 0, 0, 1])) == pytest.approx(0.0)


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 5))
    labels = np.array([rng.choice(5, p=p) for p in softmax(logits)])
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.1)
    kinds = np.arange(4000) < 40
    few = fit_temperature(np.where(kinds[:, None], 9, 1) * logits, labels, kinds)
    assert few > fit_temperature(np.where(kinds[:, None], 9, 1) * logits, labels)
    assert fit_whole_temperature(softmax(3 * logits), 1.0, labels) == pytest.approx(3, rel=0.1)


def test_area_under_the_curve_counts_ties_as_half() -> None:
    positive = np.array([True, True, False, False])
    assert area_under_curve(np.array([4.0, 3, 2, 1]), positive) == 1
    assert area_under_curve(np.array([1.0, 1, 1, 1]), positive) == 0.5
    assert area_under_curve(np.array([2.0, 1, 1, 0]), positive) == pytest.approx(0.875)


def test_figures_enclose_their_value() -> None:
    rng = np.random.default_rng(0)
    probabilities = softmax(rng.normal(0, 1, (200, 4)))
    labels = rng.integers(0, 4, 200)
    for figure in figures(probabilities, labels).values():
        assert figure.low <= figure.value <= figure.high
    assert top_k_hits(probabilities, labels, 4).all()
    assert confusion(probabilities, labels).sum() == 200
