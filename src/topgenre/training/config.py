"""What one training run is: every choice, its default and the reason for it."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from topgenre.errors import DatasetError
from topgenre.spectrograms import CHANNELS


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of a training run; a TOML file with the same names overrides the defaults."""

    seed: int = 0
    channels: tuple[str, ...] = CHANNELS  # spectrograms that the network sees; others are zeroed
    widths: tuple[int, int, int, int] = (8, 64, 32, 192)  # 0.3 GMAC for 10 s
    n_embedding: int = 256
    n_teacher: int = 256  # principal components of the teachers' features that are regressed
    genre_l2: float = 0.1  # half the squared weights of the last layer, against the mean loss
    genre_directions: float = 1.0  # variance of the teachers' genre logits, relative to those

    n_folds: int = 3  # of the cross-validation; 1 for the published split alone
    pretrain_steps: int = 1400  # on music without labels alone: what all folds begin with
    pretrain_learning_rate: float = 1e-3
    n_steps: int = 1000  # on everything, the labelled clips of a fold left out
    learning_rate: float = 1e-3
    batch_size: int = 32  # what a processor learns in minutes; a GPU takes six times as many
    crop_frames: int = 216  # 5 s: two windows a crop, twice the variety of 10 s at equal cost
    warmup_steps: int = 200
    weight_decay: float = 0.03
    ema_decay: float = 0.998  # the average of the last five hundred steps is what ships

    timbre_weight: float = 0.5  # of the teacher's filters, against what it makes of them
    other_weight: float = 3.0  # of a clip of another collection, against one of the data set
    genre_weight: float = 0.2  # the labels are few; the teacher's features carry the training
    label_smoothing: float = 0.1
    labelled_share: float = 0.5  # of each batch; the rest is unlabelled music

    clip_blocks: int = 10  # of each labelled clip in the pool at any time, if there is room
    labelled_blocks: int = 8000  # at most; a block takes half a megabyte of memory
    music_blocks: int = 4000  # of music without labels
    renew_every: int = 4  # steps between batches of new blocks
    mixed: float = 0.4  # share of blocks of unlabelled music that are mixed with another piece
    repeated: float = 0.3  # of labelled blocks, and a third as many of others, in which a short
    # piece repeats, as short clips do

    eq_db: float = 8.0  # random smooth equaliser: recordings differ in timbre, genres do not
    floor_chance: float = 0.3  # random noise floor: old, noisy or heavily coded sound
    band_limit_chance: float = 0.25  # random low-pass: telephones, small speakers, low bit rates
    high_pass_chance: float = 0.25  # random high-pass: small speakers have no bass

    n_not_music: int = 320  # synthetic noises and tones

    checkpoint_minutes: float = 2.0

    @classmethod
    def load(cls, path: Path) -> TrainConfig:
        """Read settings from a TOML file.

        Raises
        ------
        DatasetError
            If the file cannot be read, is not TOML or names an unknown setting.
        """
        try:
            values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path}: cannot be read as TOML ({error})") from error
        config = cls.from_dict(values, path)
        strange = set(config.channels) - set(CHANNELS)
        if strange or not config.channels:
            raise DatasetError(f"{path}: channels must be some of {', '.join(CHANNELS)}")
        return config

    @classmethod
    def from_dict(cls, values: dict[str, Any], path: Path) -> TrainConfig:
        """Return the settings of a file.

        Raises
        ------
        DatasetError
            If one of them is unknown.
        """
        unknown = values.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise DatasetError(f"{path}: unknown setting {sorted(unknown)[0]!r}")
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists})

    def to_dict(self) -> dict[str, Any]:
        """Return the settings for the checkpoint and the model card."""
        return asdict(self)
