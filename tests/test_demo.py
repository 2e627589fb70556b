"""The demo songs: sound that plays anywhere, and files that get in nobody's way."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from topgenre.audio import load_segment
from topgenre.demo import STYLES, synthesise, write_audio, write_demo
from topgenre.demo.__main__ import main
from topgenre.errors import OutputError


@pytest.mark.parametrize("style", STYLES)
def test_songs_are_sound(style: str) -> None:
    samples = synthesise(style, seconds=12.0)
    assert samples.shape == (2, 12 * 44_100)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() == pytest.approx(10 ** (-1 / 20), rel=1e-3)
    assert abs(samples.mean()) < 1e-3
    assert np.abs(samples[0] - samples[1]).max() > 0.01


def test_a_seed_is_a_performance() -> None:
    one, same, other = (synthesise("disco", seconds=3.0, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01


def test_drums_where_drums_belong() -> None:
    def percussive_share(style: str) -> float:
        from topgenre.audio import Segment
        from topgenre.spectrograms import compute

        samples = synthesise(style, seconds=6.0, sample_rate=22_050).mean(axis=0)
        stack = compute(Segment(np.ascontiguousarray(samples), 0.0, 6.0))
        return float(stack.percussive.sum() / stack.full.sum())

    assert percussive_share("metal") > 2 * percussive_share("classical arpeggios")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"style": "polka"}, "polka"),
        ({"style": "disco", "seconds": 0.0}, "seconds"),
        ({"style": "disco", "sample_rate": 100}, "sample_rate"),
    ],
)
def test_what_cannot_be_played(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        synthesise(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "suffix",
    [".wav", ".flac", ".aiff", ".au", ".mp3", ".ogg", ".opus", ".m4a", ".wma", ".webm", ".mp4"],
)
def test_every_format_can_be_written_and_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song{suffix}"
    write_audio(path, synthesise("reggae", seconds=12.0))
    segment = load_segment(path)
    assert len(segment.samples) == 220_500
    assert np.abs(segment.samples).max() > 0.2


def test_other_formats_and_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.xyz"):
        write_audio(tmp_path / "song.xyz", np.zeros(10, np.float32))
    with pytest.raises(ValueError, match="shape"):
        write_audio(tmp_path / "song.wav", np.zeros((3, 10), np.float32))
    with pytest.raises(ValueError, match="finite"):
        write_audio(tmp_path / "song.wav", np.full(10, np.nan, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_demo_songs_are_written_once_and_replace_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("topgenre.demo.synthesise", partial(synthesise, seconds=2.0))
    assert main([str(tmp_path / "demo")]) == 0
    songs = sorted((tmp_path / "demo").iterdir())
    assert len(songs) == len(STYLES)
    assert capsys.readouterr().err.count("wrote ") == len(STYLES)
    stamps = [song.stat().st_mtime_ns for song in songs]
    assert sorted(write_demo(tmp_path / "demo")) == songs
    assert [song.stat().st_mtime_ns for song in songs] == stamps

    songs[0].write_bytes(b"mine")
    assert main([str(tmp_path / "demo")]) == 1
    assert "is in the way" in capsys.readouterr().err
    assert songs[0].read_bytes() == b"mine"


def test_demo_needs_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
