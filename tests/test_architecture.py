"""Imports point one way, as docs/architecture.md says: the rules are read from its tables."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")

# Single commands that import what the others may not.
ALONE = {"training": {"train"}, "demo": {"doctor"}, "web": {"serve"}}


class Import(NamedTuple):
    """One import: who imports, what, and whether when the module is loaded."""

    unit: str
    module: str
    target: str
    at_load: bool
    where: str


def table(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def names(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


ALLOWED = {min(names(row[0])): names(row[2]) for row in table("Who may import whom")}
HOMES = {package: names(row[1]) for row in table("Packages of others") for package in names(row[0])}
LAZY = names(PAGE.partition("Inside functions only")[2].partition(".")[0])


def unit_of(module: str) -> str:
    """Return the row of the table that a module belongs to."""
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] if package == "topgenre" else package


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


@cache
def imports() -> tuple[Import, ...]:
    found = []
    known = {module for module, _ in modules()}
    for module, path in modules():
        tree = ast.parse(path.read_text("utf-8"))
        for node, at_load in _with_place(tree):
            targets: list[str] = []
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path}: a relative import, which this test does not follow"
                whole = [f"{node.module}.{alias.name}" for alias in node.names]
                # A name that is imported may be a module itself.
                targets = [name if name in known else node.module or "" for name in whole]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                targets = [str(a.value) for a in node.args if isinstance(a, ast.Constant)]
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            found += [Import(unit_of(module), module, target, at_load, where) for target in targets]
    return tuple(found)


def _with_place(node: ast.AST, at_load: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Walk a tree, and say of each node whether it runs when the module is loaded."""
    for child in ast.iter_child_nodes(node):
        yield child, at_load
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        )
        yield from _with_place(child, at_load and not later)


def ours() -> list[Import]:
    """Return the imports of one unit of topgenre by another."""
    units = {unit_of(module) for module, _ in modules()}
    return [
        i
        for i in imports()
        if i.unit and i.target.startswith("topgenre.") and unit_of(i.target) in units - {i.unit}
    ]


def test_the_page_has_a_row_for_every_module() -> None:
    beside = {"", "__main__", "_version"}  # the build writes the last one
    found = {unit_of(module) for module, _ in modules()} - beside
    assert found == set(ALLOWED)


def test_the_rules_themselves_go_one_way() -> None:
    above: set[str] = set()
    for unit in reversed(ALLOWED):  # the table begins with what knows nobody
        assert not ALLOWED[unit] & above, f"{unit} may import what stands below it in the table"
        above.add(unit)
    assert all(allowed <= ALLOWED.keys() for allowed in ALLOWED.values())


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    known = {module for module, _ in modules()}
    graph: dict[str, set[str]] = {module: set() for module in known}
    for i in imports():
        target = i.target
        while target and target not in known:
            target = target.rpartition(".")[0]
        # A package may import its own modules; `topgenre` itself offers all public names.
        if target not in ("", "topgenre", i.module) and not i.module.startswith(f"{target}."):
            graph[i.module].add(target)
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_modules_import_only_what_the_page_allows() -> None:
    assert ours()
    wrong = [
        f"{i.where}: {i.unit} imports {i.target}"
        for i in ours()
        if i.unit != "__main__" and unit_of(i.target) not in ALLOWED[i.unit]
    ]
    assert not wrong


def test_the_page_allows_only_what_is_used() -> None:
    used = {(i.unit, unit_of(i.target)) for i in ours()}
    unused = [
        f"{unit} does not import {target}"
        for unit, allowed in ALLOWED.items()
        for target in sorted(allowed)
        if (unit, target) not in used
    ]
    assert not unused


@pytest.mark.parametrize("target", ALONE)
def test_single_commands_import_it_when_they_run(target: str) -> None:
    found = [i for i in ours() if i.unit == "cli" and unit_of(i.target) == target]
    assert {i.module.rpartition(".")[2] for i in found} == ALONE[target]
    assert not [i.where for i in found if i.at_load]


def test_packages_of_others_are_imported_in_their_place_alone() -> None:
    wrong = [
        f"{i.where}: {i.target}"
        for i in imports()
        if (package := i.target.partition(".")[0]) in {*HOMES, "librosa", "scipy"}
        and i.unit not in HOMES.get(package, set())
    ]
    assert not wrong


def test_packages_that_cost_time_wait_until_they_are_needed() -> None:
    assert {"onnxruntime", "matplotlib"} == LAZY
    wrong = [i.where for i in imports() if i.at_load and i.target.partition(".")[0] in LAZY]
    assert not wrong


def test_packages_of_others_are_declared() -> None:
    """CI installs what developers need along, so nothing else would miss a dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(w for e in extras.keys() - {"dev", "docs"} for w in extras[e]),
    ]
    declared = {re.split(r"[\[<>=]", name)[0].replace("-", "_") for name in wanted}
    declared |= {"pydantic", "starlette"}  # parts of FastAPI's own interface
    declared |= {"dotenv", "markupsafe"}  # python-dotenv; a part of Jinja2
    used = {i.target.partition(".")[0]: i.where for i in imports()}
    ours_or_pythons = {"topgenre", "beetsplug", *sys.stdlib_module_names}
    assert not {
        name: where for name, where in used.items() if name not in declared | ours_or_pythons
    }
