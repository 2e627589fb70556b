"""Verdicts, tiers of confidence and sections."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topgenre.result import (
    Borders,
    Failure,
    GenreProbability,
    Result,
    Section,
    Tag,
    Window,
    display_name,
    find_sections,
    rank,
)
from topgenre.text import json_safe


def result_of(**given: object) -> Result:
    probabilities = given.pop("probabilities", {"jazz": 0.9, "blues": 0.06, "rock": 0.04})
    assert isinstance(probabilities, dict)
    fields = {"uncertain": False, "start": 0.0, "end": 10.0, "model": "m", **given}
    return Result("song.mp3", rank(probabilities), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "tier", "verdict"),
    [
        ({}, "sure", "Jazz"),
        ({"probabilities": {"hiphop": 0.95, "pop": 0.05}}, "sure", "Hip-hop"),
        ({"probabilities": {"jazz": 0.7, "blues": 0.3}}, "probable", "Probably jazz"),
        ({"probabilities": {"jazz": 0.5, "blues": 0.4, "pop": 0.1}}, "close", "Jazz or blues"),
        ({"probabilities": {"jazz": 0.5, "b": 0.1, "c": 0.4 / 3}}, "probable", "Probably jazz"),
        (
            {"uncertain": True, "probabilities": {"pop": 0.3, "rock": 0.2, "jazz": 0.1}},
            "unsure",
            "Not sure: closest are pop and rock",
        ),
        ({"uncertain": True, "probabilities": {"pop": 1.0}}, "unsure", "Not sure: closest is pop"),
        ({"uncertain": True, "music": 0.2}, "unsure", "Does not sound like music"),
        (
            {"uncertain": True, "tags": (Tag("piano", 0.9), Tag("electronic", 0.8, True))},
            "unsure",
            "None of the 3; sounds like electronic",
        ),
        (
            {"sections": (Section(0, 30, "classical"), Section(30, 60, "jazz"))},
            "sure",
            "Changes: classical → jazz",
        ),
    ],
)
def test_the_verdict_has_as_much_confidence_as_the_tier(
    given: dict[str, object], tier: str, verdict: str
) -> None:
    result = result_of(**given)
    assert (result.tier, result.verdict) == (tier, verdict)
    record = result.to_dict()
    assert (record["tier"], record["verdict"]) == (tier, verdict)


def test_names_of_genres() -> None:
    assert [display_name(g) for g in ("hiphop", "jazz", "r&b", "")] == [
        "Hip-hop",
        "Jazz",
        "R&B",
        "",
    ]


def timeline(*windows: tuple[str, float]) -> list[Window]:
    return [
        Window(10.0 * n, 10.0 * n + 10, (GenreProbability(genre, p), GenreProbability("x", 1 - p)))
        for n, (genre, p) in enumerate(windows)
    ]


def test_a_track_that_changes_has_sections() -> None:
    windows = timeline(
        *[("classical", 0.9)] * 3, ("pop", 0.4), ("metal", 0.9), *[("jazz", 0.8)] * 2
    )
    assert find_sections(windows, 0.6) == (Section(0, 30, "classical"), Section(50, 70, "jazz"))


def test_a_short_break_does_not_split_a_section() -> None:
    windows = timeline(*[("jazz", 0.9)] * 3, ("metal", 0.9), *[("jazz", 0.8)] * 2)
    assert find_sections(windows, 0.6) == ()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), max_size=30))
def test_sections_are_in_order_and_neighbours_differ(windows: list[tuple[str, float]]) -> None:
    sections = find_sections(timeline(*windows), 0.6)
    assert len(sections) != 1
    for before, after in pairwise(sections):
        assert before.end <= after.start
        assert before.genre != after.genre


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.booleans())
def test_every_ranking_has_a_tier_and_a_verdict(shares: list[float], uncertain: bool) -> None:
    total = sum(shares) or 1.0
    ranked = rank({f"g{n}": share / total for n, share in enumerate(shares)})
    tier = Borders().tier(ranked, uncertain)
    assert (tier == "unsure") == uncertain
    assert Result("p", ranked, uncertain, 0, 10, "m").verdict


def test_undecodable_names_are_safe_as_json_at_any_depth() -> None:
    name = b"\xff.mp3".decode("utf-8", "surrogateescape")
    record = json_safe({"notices": [name, (name, {"deep": [name]})], name: 1})
    assert json.loads(json.dumps(record, ensure_ascii=False).encode())


def test_a_failure_is_one_line() -> None:
    from topgenre.errors import NotAudioError

    failure = Failure.of("a\nb.mp3", NotAudioError("a\nb.mp3: not a song"))
    assert "\n" not in str(failure.error)
