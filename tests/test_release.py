"""The version: the tag says it, wherever the sources come from, and asking for it costs nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import topgenre

ROOT = Path(__file__).parents[1]
NEEDED = (
    *("pyproject.toml", "README.md", "LICENSE"),
    *(".gitignore", ".gitattributes", ".git_archival.txt"),
)
UNKNOWN = "1.0.1.dev0"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a build needs of the sources, without their history."""
    folder = tmp_path / "copy"
    package = folder / "src" / "topgenre"
    package.mkdir(parents=True)
    for name in NEEDED:
        shutil.copy(ROOT / name, folder)
    shutil.copy(ROOT / "src" / "topgenre" / "__init__.py", package)
    shutil.copytree(ROOT / "src" / "beetsplug", folder / "src" / "beetsplug")
    return folder


@pytest.fixture
def checkout(copy: Path) -> Path:
    """The same with a history of one commit."""
    git(copy, "init", "--quiet")
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", "one")
    return copy


def run(folder: Path, *words: str, **variables: str) -> str:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "SETUPTOOLS_SCM", "PYTHONPATH"))
    }
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment | {"GIT_CONFIG_GLOBAL": os.devnull} | variables,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def git(folder: Path, *words: str) -> str:
    person = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    return run(folder, "git", *person, *words)


def version(folder: Path, **variables: str) -> str:
    """Return the version of what would be installed from a folder."""
    return run(folder, sys.executable, "-m", "hatchling", "metadata", "version", **variables)


def test_a_tagged_commit_is_that_version(checkout: Path) -> None:
    git(checkout, "tag", "v1.2.3")
    assert version(checkout) == "1.2.3"


def test_after_a_tag_it_is_a_development_of_the_next(checkout: Path) -> None:
    git(checkout, "tag", "v1.2.3")
    git(checkout, "commit", "--quiet", "--allow-empty", "--message", "two")
    commit = git(checkout, "rev-parse", "HEAD")
    found = re.fullmatch(r"1\.2\.4\.dev1\+g([0-9a-f]{7,})", version(checkout))
    assert found
    assert commit.startswith(found[1])


def test_without_tags_as_in_a_shallow_clone_it_names_the_commit(
    checkout: Path, tmp_path: Path
) -> None:
    git(checkout, "commit", "--quiet", "--allow-empty", "--message", "two")
    git(checkout, "tag", "v1.2.3")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-tags", checkout.as_uri(), str(clone))
    commit = git(clone, "rev-parse", "HEAD")
    found = re.fullmatch(r"1\.0\.1\.dev1\+g([0-9a-f]{7,})", version(clone))
    assert found
    assert commit.startswith(found[1])


def test_a_copy_without_git_can_be_installed(copy: Path) -> None:
    assert version(copy) == UNKNOWN
    # As the container is built, with and without a version.
    assert version(copy, SETUPTOOLS_SCM_PRETEND_VERSION="") == UNKNOWN
    assert version(copy, SETUPTOOLS_SCM_PRETEND_VERSION="1.2.3") == "1.2.3"


def test_a_checkout_on_a_machine_without_git_can_be_installed(checkout: Path) -> None:
    assert version(checkout, PATH=os.devnull) == UNKNOWN


def test_an_archive_of_a_tag_knows_it(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "tag", "v1.2.3")
    git(checkout, "archive", "--output", str(tmp_path / "archive.tar"), "v1.2.3")
    with tarfile.open(tmp_path / "archive.tar") as archive:
        archive.extractall(tmp_path / "archive", filter="data")
    assert version(tmp_path / "archive") == "1.2.3"


def test_both_packages_say_it_and_so_does_what_is_installed(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "tag", "v1.2.3")
    run(checkout, sys.executable, "-m", "hatchling", "build", "--target", "sdist")
    [sdist] = (checkout / "dist").iterdir()
    assert sdist.name == "topgenre-1.2.3.tar.gz"
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / "topgenre-1.2.3"
    run(unpacked, sys.executable, "-m", "hatchling", "build", "--target", "wheel")
    [wheel] = (unpacked / "dist").iterdir()
    assert wheel.name == "topgenre-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive_of_wheel:
        archive_of_wheel.extractall(tmp_path / "installed")
    said = "import topgenre; print(topgenre.__version__)"
    assert run(tmp_path / "installed", sys.executable, "-c", said) == "1.2.3"


def test_sources_that_were_never_built_have_a_version_too(copy: Path) -> None:
    said = "import topgenre; print(topgenre.__version__)"
    assert run(copy / "src", sys.executable, "-c", said) == UNKNOWN


def test_the_version_is_one_that_pip_understands_and_costs_no_look_at_metadata() -> None:
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?((a|b|rc)\d+)?(\.dev\d+)?(\+[a-z0-9.]+)?",
                        topgenre.__version__)  # fmt: skip
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, topgenre.cli.app; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert "topgenre" in loaded
    assert "importlib.metadata" not in loaded


def test_the_workflows_call_targets_that_make_has() -> None:
    workflows = (ROOT / ".github" / "workflows").glob("*.yml")
    lines = re.findall(
        r"\bmake ([a-z -]+)$", "\n".join(p.read_text("utf-8") for p in workflows), re.M
    )
    called = {target for line in lines for target in line.split()}
    assert {"dist", "smoke", "sbom", "test"} <= called
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert called <= set(targets)
