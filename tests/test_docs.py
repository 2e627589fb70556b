"""The documentation: its links lead somewhere, its commands exist, its examples run."""

from __future__ import annotations

import doctest
import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
import typer

from topgenre import errors
from topgenre.cli.app import app
from topgenre.demo import STYLES, synthesise, write_audio
from topgenre.spectrograms import compute
from web_server import Server

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
REFERENCE = DOCS / "rest-reference.md"  # exists on the site only

FENCED = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")
HEADING = re.compile(r"^#+ +(.+?)$", re.MULTILINE)
IDENTIFIER = re.compile(r"^::: (\S+)$", re.MULTILINE)


def script(name: str) -> ModuleType:
    """Import one of the scripts in the folder of the documentation."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def text_of(page: Path) -> str:
    return script("rest_reference").page() if page == REFERENCE else page.read_text("utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str | None = None) -> Iterator[str]:
    """Give the fenced blocks of a page, or those in one language."""
    for _, found, block in FENCED.findall(text_of(page)):
        if language is None or found == language:
            yield block


def prose(page: Path) -> str:
    """Return a page without its code."""
    return INLINE.sub("", FENCED.sub("", text_of(page)))


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that a page has both on the site and where it is read as it is."""
    titles = [
        re.sub(r"[^\w\s-]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)).strip().lower()
        for title in HEADING.findall(FENCED.sub("", text_of(page)))
    ]
    on_the_site = {re.sub(r"[-\s]+", "-", title) for title in titles}
    if page == REFERENCE:
        return on_the_site
    as_it_is = {title.replace(" ", "-") for title in titles}
    return (on_the_site & as_it_is) | set(IDENTIFIER.findall(text_of(page)))


def links(page: Path) -> list[str]:
    return [link for link in LINK.findall(prose(page)) if not re.match(r"[a-z][a-z0-9+.-]*:", link)]


@pytest.mark.parametrize("page", [*PAGES, REFERENCE], ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not (target.exists() or (target == REFERENCE and page.is_relative_to(DOCS))) or (
            anchor and anchor not in anchors(target)
        ):
            broken.append(link)
    assert not broken


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    entries = re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert sorted(entries) == sorted({*pages, REFERENCE.name})


def command_lines(page: Path) -> Iterator[list[str]]:
    """Give the words of each line of a page's code that calls topgenre."""
    for block in blocks(page):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.strip().removeprefix("$ ")
            if not line.startswith("topgenre "):
                continue
            words = shlex.shlex(line, posix=True, punctuation_chars="|<>&;")
            words.whitespace_split = True
            yield list(takewhile(lambda word: not set(word) <= set("|<>&;"), words))[1:]


def commands() -> Any:
    group: Any = typer.main.get_command(app)
    for name in group.list_commands(None):
        group.get_command(None, name)  # which imports it
    return group


CAST = script("cast")
LINES = [(name_of(page), words) for page in PAGES for words in command_lines(page)]
LINES += [("docs/cast.py", shlex.split(command)[1:]) for command in CAST.COMMANDS]


@pytest.mark.parametrize(
    ("page", "words"), LINES, ids=[f"{page}: {' '.join(words)}" for page, words in LINES]
)
def test_every_command_line_would_be_accepted(page: str, words: list[str]) -> None:
    group = commands()
    context = group.make_context("topgenre", words, resilient_parsing=True)
    name, command, rest = group.resolve_command(context, words)
    assert command, f"there is no command {words[0]}"
    command.make_context(name, rest, parent=context)  # raises what a user would be told


def test_the_command_lines_are_found() -> None:
    assert ["classify", "song.mp3", "--top", "3"] in [words for _, words in LINES]
    assert ["classify", "-", "--json"] in [words for _, words in LINES]
    used = {words[0] for _, words in LINES}
    assert used == set(commands().commands)  # and no command is without an example


def test_scripts_that_pages_name_take_what_is_said() -> None:
    named = re.compile(r"(PYTHONPATH=tests )?python3? ((?:benchmarks|docs|fuzz|pages)/\w+\.py)(.*)")
    lines = [line for page in PAGES for line in named.findall(text_of(page))]
    assert len(lines) > 8
    for finds_tests, path, rest in lines:
        source = (ROOT / path).read_text("utf-8")
        imported = re.findall(r"^(?:from|import) (\w+)", source, re.MULTILINE)
        needs_tests = any((ROOT / "tests" / f"{name}.py").exists() for name in imported)
        assert needs_tests == bool(finds_tests), path
        for option in re.findall(r"--[a-z-]+", rest.partition("`")[0]):
            assert f'"{option}"' in source, f"{path} {option}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_option_in_the_prose_exists(page: Path) -> None:
    group = commands()
    for code in INLINE.findall(FENCED.sub("", text_of(page))):
        program, *words = code.split()
        if program != "topgenre" or not words:
            continue
        command = group.commands.get(words[0], group)
        known = {"-h", "--help", "--version"}
        for parameter in command.params:
            known |= {*parameter.opts, *parameter.secondary_opts}
        options = {word.partition("=")[0] for word in words if re.match(r"--?\w", word)}
        assert command is not group or words[0].startswith("-"), code
        assert options <= known, code


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(">>>" in b for b in blocks(p, "python"))], ids=name_of
)
def test_examples_do_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = "\n".join(block for block in blocks(page, "python") if ">>>" in block)
    test = doctest.DocTestParser().get_doctest(examples, {}, page.name, str(page), 0)
    said: list[str] = []
    outcome = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert outcome.attempted
    assert not outcome.failed, "".join(said)


def test_the_http_example_talks_to_a_real_server(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    [example] = (b for b in blocks(DOCS / "integrator-guide.md", "python") if "import httpx" in b)
    monkeypatch.chdir(tmp_path)
    write_audio("song.flac", synthesise("disco", seconds=12))
    exec(example.replace("http://127.0.0.1:8000", server.url.rstrip("/")), {})
    assert re.fullmatch(r"(\w+ \d+\.\d%\n){3}", capsys.readouterr().out)


def test_every_kind_of_error_that_a_file_can_have_is_explained() -> None:
    of_a_file = {kind.code for kind in errors.AudioError.__subclasses__()} | {
        kind.code
        for kind in (
            *(errors.PreprocessedFileError, errors.CrashedError, errors.OverrunError),
            *(errors.TagError, errors.InternalError),
        )
    }
    table = text_of(DOCS / "json-output.md").partition("| `type` |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == of_a_file


def test_the_rest_reference_names_every_address_and_object() -> None:
    from topgenre.web.app import create_app

    document = create_app().openapi()
    page = text_of(REFERENCE)
    for address, methods in document["paths"].items():
        for method in methods:
            assert f"## `{method.upper()} {address}`\n" in page
    for name, schema in document["components"]["schemas"].items():
        assert f"### {name}\n" in page
        for field in schema["properties"]:
            assert f"| `{field}` |" in page


def test_the_script_draws_the_pictures_that_the_page_shows() -> None:
    pictures = script("pictures")
    whole, middle = pictures.song()
    drawn = pictures.figures(whole, middle, compute(middle))
    shown = {Path(link).name for link in links(DOCS / "how-it-works.md")}
    assert set(drawn) == {name for name in shown if name.startswith("how-")}


def seen(drawing: str) -> list[str]:
    """Read a drawn terminal as people do, line by line from left to right."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for piece in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text"):
        place = rows.setdefault(float(piece.attrib["y"]), [])
        place.append((float(piece.attrib["x"]), piece.text or ""))
    return [" ".join(word for _, word in sorted(rows[y])) for y in sorted(rows)]


def test_the_drawn_session_is_what_was_printed_in_a_terminal(tmp_path: Path) -> None:
    for style in ("disco", "reggae"):
        write_audio(tmp_path / f"<{style}> & co.flac", synthesise(style, seconds=12))
    turns = CAST.record(
        ["topgenre classify '<disco> & co.flac'", "topgenre classify .", "echo $PWD"], tmp_path
    )
    first, several, place = (list(map(str, turn.lines)) for turn in turns)
    assert first[0] == "<disco> & co.flac  0:01-0:11"
    assert re.fullmatch(r"  \w+ +\d+\.\d% ━+╸?", first[2])  # below the verdict
    assert len(several) >= 2  # and nothing of the line that said how far it had come
    assert place == ["/home/you"]
    drawing = CAST.draw(turns)
    printed = [f"$ {turns[0].command}", *first, f"$ {turns[1].command}", *several]
    printed += [f"$ {turns[2].command}", *place]
    without_bars = [" ".join(re.sub("[━╸]", "", line).split()) for line in printed]
    assert [" ".join(line.split()) for line in seen(drawing)] == without_bars
    bars = ElementTree.fromstring(drawing).findall(".//{*}g/{*}rect")
    lengths = [float(bar.attrib["width"]) for bar in bars]
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) == 3


def test_a_session_that_fails_is_not_drawn(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"song\.mp3: there is no such file"):
        CAST.record(["topgenre classify song.mp3"], tmp_path)


def test_the_cast_of_the_front_page_is_of_today_and_asks_nobody_for_anything() -> None:
    drawing = (DOCS / "images" / CAST.NAME).read_text("utf-8")
    commands = [line.removeprefix("$ ") for line in seen(drawing) if line.startswith("$ ")]
    assert commands == list(CAST.COMMANDS)
    assert len(drawing) < 300_000
    assert re.findall(r"https?:[^\s\"]*", drawing) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"url\(|@import|<script|href", drawing)


def test_the_photographed_library_is_scanned_and_reported(tmp_path: Path) -> None:
    page = script("browser_pictures").write_report(tmp_path, 1)
    songs = sorted(path.name for path in (tmp_path / "Music").rglob("*.flac"))
    assert len(songs) == len(STYLES)
    text = page.read_text("utf-8")
    assert all(song.removesuffix(".flac") in text for song in songs)
