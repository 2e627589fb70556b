"""Taught genres: labels, heads, figures, corrections, and the commands around them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import topgenre
from topgenre.cli.app import app
from topgenre.errors import OutputError, TeachingError
from topgenre.head import GenreHead
from topgenre.library.catalogue import Catalogue, model_hash
from topgenre.library.song import Analysis, Tags
from topgenre.result import Result, rank
from topgenre.teaching.examples import TaggedSong, gather
from topgenre.teaching.labels import clean_labels, key_of, split_genres
from topgenre.teaching.linear import fit_linear
from topgenre.teaching.measure import assign_folds, cross_validate
from topgenre.teaching.review import doubtful_tags
from topgenre.teaching.teach import teach_examples
from topgenre.teaching.view import open_catalogue

N_EMBEDDING = 256
NETWORK = "ab" * 32


def centre(genre: str) -> np.ndarray:
    return np.random.default_rng(sum(genre.encode())).normal(size=N_EMBEDDING)


def songs(
    genres: dict[str, int], *, artists: int = 4, spread: float = 1.0, seed: int = 0
) -> list[TaggedSong]:
    """Return songs whose embeddings lie around a centre per genre."""
    rng = np.random.default_rng(seed)
    return [
        TaggedSong(
            path=f"/music/{genre}/{n}.mp3",
            embeddings=(centre(genre) + rng.normal(0, spread, (1, N_EMBEDDING))).astype(np.float32),
            genres=(genre,),
            group=f"{genre} artist {n % artists}",
        )
        for genre, count in genres.items()
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Shoegaze", ["Shoegaze"]),
        ("(17)", ["Rock"]),
        ("17", ["Rock"]),
        ("(17)Shoegaze; Dream Pop", ["Shoegaze", "Dream Pop"]),
        ("House/Techno, Ambient|Dub", ["House", "Techno", "Ambient", "Dub"]),
        ("  Jazz ;; Jazz ", ["Jazz"]),
        ("(255)", []),
        ("", []),
        ("2 Step", ["2 Step"]),
    ],
)
def test_genre_tags_are_split(text: str, names: list[str]) -> None:
    assert list(split_genres(text)) == names


@pytest.mark.parametrize(
    "spellings",
    [
        ("Hip Hop", "hip-hop", "HipHop", "HIP_HOP"),
        ("R&B", "RnB", "r'n'b", "R & B"),
        ("Drum & Bass", "Drum'n'Bass", "drum n bass"),
        ("Música", "musica\u0301".replace("a\u0301", "a"))[:1],
        ("ロック", "ロック "),
    ],
)
def test_spellings_of_one_genre_share_a_key(spellings: tuple[str, ...]) -> None:
    assert len({key_of(name) for name in spellings}) == 1


def test_labels_are_merged_and_dropped_with_reasons() -> None:
    tags = [["Hip Hop"]] * 4 + [["hip-hop"]] * 2 + [["Other"]] * 3 + [["Polka"]] + [["Jazz"]] * 3
    labels = clean_labels(tags)
    assert labels.genres == ("Hip Hop", "Jazz")
    assert labels.merged == {"Hip Hop": ("hip-hop",)}
    assert {(d.name, d.n_songs) for d in labels.dropped} == {("Other", 3), ("Polka", 1)}
    assert labels.of_songs[6] == ()


def test_a_map_renames_merges_and_drops() -> None:
    tags = [["House"]] * 3 + [["Techno"]] * 3 + [["Speech"]] * 3 + [["Jazz"]] * 3
    labels = clean_labels(tags, names={"house": "Electronic", "TECHNO": "Electronic", "speech": ""})
    assert labels.genres == ("Electronic", "Jazz")
    assert [d.name for d in labels.dropped] == ["Speech"]


@given(st.lists(st.lists(st.text(max_size=12), max_size=4), max_size=40), st.integers(1, 4))
@settings(deadline=None)
def test_any_tags_make_consistent_labels(tags: list[list[str]], min_songs: int) -> None:
    labels = clean_labels([split_genres("; ".join(song)) for song in tags], min_songs=min_songs)
    assert len(labels.of_songs) == len(tags)
    assert len({key_of(genre) for genre in labels.genres}) == len(labels.genres)
    for number in range(len(labels.genres)):
        assert sum(number in of_song for of_song in labels.of_songs) >= min_songs


def test_the_linear_classifier_finds_the_minimum() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 8)) * np.arange(1, 9)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 200)]
    weights = rng.uniform(0.5, 2, 200).astype(np.float32)

    def loss(flat: np.ndarray) -> float:
        w = flat.reshape(9, 3)
        mean = (weights[:, None] * x).sum(0) / weights.sum()
        scale = np.sqrt((weights[:, None] * (x - mean) ** 2).sum(0) / weights.sum()) + 1e-3
        logits = (x - mean) / scale @ w[:8] + w[8]
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        cross = -(weights[:, None] * y * log_p).sum() / weights.sum()
        return float(cross + 0.05 * (w[:8] ** 2).sum())

    from scipy.optimize import minimize

    best = minimize(loss, np.zeros(27), method="BFGS", options={"gtol": 1e-6})
    mean = (weights[:, None] * x).sum(0) / weights.sum()
    scale = np.sqrt((weights[:, None] * (x - mean) ** 2).sum(0) / weights.sum()) + 1e-3
    linear = fit_linear(x, y, weights, 0.1, max_steps=200)
    slopes = (linear.weights * scale).T
    found = np.concatenate([slopes, (linear.offsets + linear.weights @ mean)[None]])
    assert loss(found.ravel()) <= best.fun + 2e-3


def test_figures_keep_artists_together_and_find_what_cannot_be_told() -> None:
    given = songs({"cumbia": 20, "lullaby": 20}, spread=4.0)
    twins = songs({"garage": 20}, spread=4.0) + [
        TaggedSong(f"{s.path}.b", s.embeddings, ("2-step",), s.group.replace("garage", "2-step"))
        for s in songs({"garage": 20}, spread=4.0, seed=7)
    ]
    measured = cross_validate(gather(given + twins))
    assert measured is not None
    by_genre = {figures.genre: figures for figures in measured.genres}
    assert by_genre["cumbia"].recall > 0.9
    assert measured.same == (("2-step", "garage"),)
    assert measured.accuracy.low <= measured.accuracy.value <= measured.accuracy.high
    assert measured.baseline == 0.25
    assert np.allclose(measured.probabilities.sum(axis=1), 1, atol=1e-5)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=2, max_size=60))
def test_folds_never_split_a_group(rows: list[tuple[int, int]]) -> None:
    groups = np.unique([group for group, _ in rows], return_inverse=True)[1]
    genres = np.array([genre for _, genre in rows])
    fold = assign_folds(groups, genres, min(5, int(groups.max()) + 1))
    assert all(len(set(fold[groups == group])) == 1 for group in groups)
    assert set(fold) == set(range(fold.max() + 1))


def test_random_tags_are_no_better_than_chance_and_that_is_said() -> None:
    rng = random.Random(0)
    given = [
        TaggedSong(s.path, s.embeddings, (rng.choice("abcd"),), f"artist {n}")
        for n, s in enumerate(songs({"x": 200}))
    ]
    measured = cross_validate(gather(given))
    assert measured is not None
    assert measured.accuracy.low < 0.3
    assert measured.ece < 0.15


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (songs({"jazz": 9}), "only one genre"),
        (songs({"jazz": 1, "rock": 2}), "no genre with at least 3 songs"),
        ([], "no genre"),
    ],
)
def test_too_little_to_learn_from(given: list[TaggedSong], message: str) -> None:
    with pytest.raises(TeachingError, match=message):
        gather(given)


def test_one_song_per_genre_and_one_artist_can_be_taught() -> None:
    taught = teach_examples(gather(songs({"a": 1, "b": 1, "c": 1}), min_songs=1), NETWORK)
    assert taught.head.genres == ("a", "b", "c")
    one = [TaggedSong(s.path, s.embeddings, s.genres, "one") for s in songs({"a": 5, "b": 5})]
    assert teach_examples(gather(one), NETWORK).measured is None


def test_many_genres_in_any_script() -> None:
    names = [chr(0x3041 + n % 80) * (1 + n // 80) + str(n) for n in range(300)]
    head = teach_examples(gather(songs(dict.fromkeys(names, 3)), min_songs=3), NETWORK).head
    assert len(head.genres) == 300


def test_a_correction_counts_more_than_a_tag_and_moves_its_neighbours() -> None:
    given = songs({"dub": 12, "ska": 12}, spread=2.0)
    near = (centre("dub") + 0.5).astype(np.float32)[None]
    before = teach_examples(gather(given), NETWORK).head
    corrected = [TaggedSong("/c.mp3", near, ("ska",), "someone", corrected=True)]
    after = teach_examples(gather(given + corrected * 4), NETWORK).head
    ska = before.genres.index("ska")
    assert after.probabilities(near)[0, ska] > before.probabilities(near)[0, ska]


def test_doubtful_tags_are_found_surest_first() -> None:
    given = songs({"dub": 30, "ska": 30}, artists=10)
    wrong = TaggedSong("/wrong.mp3", given[0].embeddings + 0.01, ("ska",), "mislabelled")
    doubts = doubtful_tags(teach_examples(gather([*given, wrong]), NETWORK))
    assert [(d.path, d.tagged, d.suggested) for d in doubts] == [("/wrong.mp3", ("ska",), "dub")]


@pytest.fixture(scope="module")
def head() -> GenreHead:
    return teach_examples(gather(songs({"dub": 9, "ska": 9})), model_hash(None).hex(), "mine").head


def test_a_file_of_genres_keeps_everything(head: GenreHead, tmp_path: Path) -> None:
    head.save(tmp_path / "mine.genres")
    again = GenreHead.load(tmp_path / "mine.genres")
    assert (again.genres, again.network, again.figures) == (head.genres, head.network, head.figures)
    np.testing.assert_array_equal(again.weights, head.weights)
    inputs = np.random.default_rng(0).normal(size=(3, N_EMBEDDING)).astype(np.float32)
    np.testing.assert_array_equal(again.probabilities(inputs), head.probabilities(inputs))


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_a_damaged_file_of_genres_is_refused(head: GenreHead, data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.genres"
        head.save(path)
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 2))
        if data.draw(st.booleans()):
            content = content[:place]
        else:
            content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        with pytest.raises(TeachingError, match=r"mine\.genres"):
            GenreHead.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 100_000, b'{\n "format": "topgenre-genres 1",']
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.genres"
    path.write_bytes(content)
    with pytest.raises(TeachingError):
        GenreHead.load(path)
    with pytest.raises(TeachingError, match="cannot be read"):
        GenreHead.load(tmp_path / "none.genres")
    with pytest.raises(TeachingError, match="cannot be read"):
        GenreHead.load(tmp_path)


def test_a_file_of_genres_never_replaces_another_file(head: GenreHead, tmp_path: Path) -> None:
    song = tmp_path / "song.genres"
    song.write_bytes(b"music")
    with pytest.raises(OutputError):
        head.save(song)
    assert song.read_bytes() == b"music"


def test_genres_of_another_model_are_refused(head: GenreHead) -> None:
    other = GenreHead("mine", head.genres, head.weights, head.offsets, 1.0, 0.5, network=NETWORK)
    with pytest.raises(TeachingError, match="taught to another model"):
        topgenre.load(genres=other)


def test_results_rank_taught_genres_and_keep_the_models_own(
    head: GenreHead, tmp_path: Path
) -> None:
    from topgenre.audio import Segment
    from topgenre.spectrograms import compute

    classifier = topgenre.load(genres=head)
    assert classifier.genres == ("dub", "ska")
    samples = np.random.default_rng(0).normal(0, 0.1, 22050 * 10).astype(np.float32)
    result = classifier.classify_spectrograms(compute(Segment(samples, 0.0, 10.0)))
    assert {genre for genre, _ in result.genres} == {"dub", "ska"}
    assert len(result.base_genres) == 10
    assert result.model.endswith(" + mine")
    assert [entry["genre"] for entry in result.to_dict()["base_genres"]]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return a catalogue of tagged songs."""
    path = tmp_path / "catalogue.sqlite3"
    with Catalogue(path) as catalogue:
        for number, song in enumerate(songs({"Dub": 12, "Ska": 12, "ska!": 2}, artists=6)):
            result = Result(song.path, rank({"reggae": 0.9, "pop": 0.1}), False, 0.0, 10.0, "m")
            tags = Tags(artist=song.group, genre=song.genres[0])
            found = Analysis(number.to_bytes(32, "big"), result, song.embeddings[0], tags)
            catalogue.add(song.path, 1, 1, model_hash(None), found)
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_teach_from_tags_correct_and_review(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.genres"
    printed = run("teach", "--from-tags", "--catalogue", library, "-o", out)
    assert "ska! → Ska" in printed
    assert "first genre right" in printed
    assert GenreHead.load(out).genres == ("Dub", "Ska")

    record = json.loads(run("teach", "--from-tags", "--catalogue", library, "-o", out, "--json"))
    assert record["genres"] == ["Dub", "Ska"]

    printed = run("correct", "/music/Dub/0.mp3", "Ska", "--catalogue", library, "--genres", out)
    assert "of 26 songs" in printed
    [found] = run("review", "--catalogue", library, "--json").splitlines() or [""]
    assert found == ""  # the corrected song is settled


@pytest.mark.parametrize(
    "arguments",
    [
        ("teach",),
        ("teach", "music", "--from-tags"),
        ("teach", "--from-tags", "-o", "song.mp3"),
        ("teach", "/nowhere"),
        ("correct", "/nowhere.mp3", "ska"),
        ("correct", "/music/Dub/0.mp3", "  "),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(
    arguments: tuple[str, ...], library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [*arguments, "--catalogue", str(library)])
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("*.genres"))


def test_a_catalogue_is_seen_through_taught_genres(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.genres"
    run("teach", "--from-tags", "--catalogue", library, "-o", out)
    before = library.read_bytes()
    folder = tmp_path / "lists"
    run("playlists", folder, "--catalogue", library, "--genres", out)
    assert sorted(path.stem for path in folder.iterdir()) == ["Dub", "Ska"]
    with open_catalogue(library, out) as catalogue:
        assert set(catalogue.genres(model_hash(None))) == {"Dub", "Ska"}
        for song in catalogue.songs():
            assert song.analysis is not None
            first = song.analysis.result.genres[0].genre
            assert first[:3].casefold() == song.path.split("/")[2][:3].casefold()
        assert len(list(catalogue.surest("Dub", model_hash(None)))) > 5
    run("report", "--catalogue", library, "--genres", out, "--out", tmp_path / "page.html")
    assert "Ska" in (tmp_path / "page.html").read_text("utf-8")
    assert library.read_bytes() == before
