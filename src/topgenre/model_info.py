"""Read and write the metadata of a model file: genres, calibration, tags, card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from topgenre.result import Borders

MODEL_FORMAT = 1
METADATA_KEY = "topgenre"
_DEFAULT_BORDERS = Borders()


class TagInfo(NamedTuple):
    """A tag that a model can assign.

    Attributes
    ----------
    name : str
    threshold : float
        Least probability to assign the tag.
    outside : bool
        Whether it is a style outside the model's genres. Music with such a tag is marked uncertain.
    """

    name: str
    threshold: float
    outside: bool = False


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The metadata of a model file.

    Attributes
    ----------
    name : str
        Name and version, as in results.
    genres : tuple of str
        In the order of the network's outputs.
    temperature : float
        Divisor of the logits that calibrates the probabilities (Guo et al. 2017).
    temperature_whole : float
        The same for the mean over the windows of a whole track.
    uncertain_below : float
        Results whose top probability is lower are marked uncertain.
    borders : Borders
        Borders between the tiers of confidence.
    tags : tuple of TagInfo
        In the order of the network's output for tags; empty if it lacks one.
    n_frames : int
        Input frames of the network.
    card : dict
        Data, splits and figures; see the model card in the documentation.
    """

    name: str
    genres: tuple[str, ...]
    temperature: float
    uncertain_below: float
    n_frames: int
    card: dict[str, Any]
    temperature_whole: float
    borders: Borders = _DEFAULT_BORDERS
    tags: tuple[TagInfo, ...] = ()

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Parse a model file's metadata; raises ValueError, KeyError or TypeError."""
        data = json.loads(text)
        if data["format"] != MODEL_FORMAT:
            raise ValueError(f"format {data['format']}, not {MODEL_FORMAT}")
        return cls(
            name=str(data["name"]),
            genres=tuple(map(str, data["genres"])),
            temperature=float(data["temperature"]),
            uncertain_below=float(data["uncertain_below"]),
            n_frames=int(data["n_frames"]),
            card=dict(data["card"]),
            temperature_whole=float(data.get("temperature_whole", data["temperature"])),
            borders=Borders(**data.get("borders", {})),
            tags=tuple(TagInfo(**tag) for tag in data.get("tags", ())),
        )

    def to_json(self) -> str:
        """Return the metadata entry for a model file."""
        return json.dumps(
            {
                "format": MODEL_FORMAT,
                "name": self.name,
                "genres": self.genres,
                "temperature": self.temperature,
                "uncertain_below": self.uncertain_below,
                "n_frames": self.n_frames,
                "card": self.card,
                "temperature_whole": self.temperature_whole,
                "borders": self.borders._asdict(),
                "tags": [tag._asdict() for tag in self.tags],
            }
        )
