"""One shape of a result: what the server documents, the JSON schema, and the page's types."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

import topgenre
from topgenre.result import Result
from topgenre.web import schemas

ROOT = Path(__file__).parents[1]
TYPES = (Path(topgenre.__file__).parent / "web" / "static" / "js" / "types.js").read_text("utf-8")
SCHEMA = json.loads((ROOT / "docs" / "result.schema.json").read_text("utf-8"))["$defs"]["result"]

# What the server alone adds, and what the command line alone does.
OF_THE_SERVER = {"mode", "song", "spectrograms"}
OF_THE_COMMANDS = {"recommendations"}

PAGE: dict[str, type[BaseModel]] = {
    "GenreProbability": schemas.GenreProbability,
    "TimelineWindow": schemas.TimelineWindow,
    "Section": schemas.Section,
    "Tag": schemas.Tag,
    "Song": schemas.Song,
    "SpectrogramChannel": schemas.SpectrogramChannel,
    "Spectrograms": schemas.SpectrogramPictures,
    "Result": schemas.Classification,
    "Info": schemas.Info,
    "RecommendedItem": schemas.RecommendedItem,
    "RecommendationSection": schemas.RecommendationSection,
    "Neighbour": schemas.SimilarSong,
}
OF_THE_PAGE = {"Info": {"corrections"}, "Neighbour": {"path"}, "RecommendedItem": {"reason"}}
"""What other engines of the page may add."""


def typedef(name: str) -> dict[str, tuple[str, bool]]:
    """Return the properties of a type of the page, and whether they may be missing."""
    found = re.search(rf"@typedef \{{object\}} {name}\b(.*?)(?=@typedef|\*/)", TYPES, re.DOTALL)
    assert found, name
    properties = re.findall(r"@property \{((?:[^{}]|\{[^{}]*\})*)\}\s+(\[?)(\w+)", found[1])
    return {key: (kind, bool(optional)) for kind, optional, key in properties}


def test_results_and_their_schema_have_the_same_keys() -> None:
    documented = set(schemas.Classification.model_fields)
    assert documented - OF_THE_SERVER == set(SCHEMA["properties"]) - OF_THE_COMMANDS
    ranking = (topgenre.result.GenreProbability("jazz", 1.0),)
    window = topgenre.result.Window(0, 10, ranking)
    result = Result("a", ranking, False, 0.0, 10.0, "m", timeline=(window,)).to_dict()
    assert set(result) == documented - OF_THE_SERVER


def test_tiers_are_the_same_everywhere() -> None:
    annotation = schemas.Classification.model_fields["tier"].annotation
    assert list(get_args(annotation)) == SCHEMA["properties"]["tier"]["enum"]


@pytest.mark.parametrize("name", PAGE)
def test_the_page_knows_what_the_server_sends(name: str) -> None:
    fields = PAGE[name].model_fields
    known = typedef(name)
    assert known.keys() - OF_THE_PAGE.get(name, set()) <= fields.keys()
    for key, (kind, optional) in known.items():
        if key not in fields:
            continue
        annotation: Any = fields[key].annotation
        nullable = type(None) in get_args(annotation)
        if nullable and not optional:
            assert "null" in kind, f"{name}.{key} may be null"
        if key == "kind":  # the page has kinds of sections of its own
            continue
        literals = [value for value in get_args(annotation) if isinstance(value, str)]
        if literals and '"' in kind:
            assert set(literals) <= set(re.findall(r'"([^"]+)"', kind))
