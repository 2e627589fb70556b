"""Progress: one line that is never mixed with results, whatever goes to the terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("terminals of Unix", allow_module_level=True)

N_FILES = 30
SCRIPT = f"""
import time
import typer
from topgenre.cli.progress import Progress, run

def outcomes():
    for number in range({N_FILES}):
        time.sleep(0.005)
        yield number

def show(number):
    typer.echo(f"outcome {{number}}")

run(outcomes(), show, Progress({N_FILES}))
"""


def on_screen(command: str, folder: Path) -> str:
    """Run a shell command whose standard error is a terminal; return what was written there."""
    master, slave = os.openpty()
    with subprocess.Popen(
        ["sh", "-c", command], stdin=slave, stdout=slave, stderr=slave, cwd=folder
    ) as process:
        os.close(slave)
        written = b""
        while True:
            try:
                block = os.read(master, 1 << 16)
            except OSError:  # nobody has the terminal open any more
                break
            if not block:
                break
            written += block
    os.close(master)
    assert process.returncode == 0
    return written.decode()


def screen(written: str) -> list[str]:
    """Return the lines that a person sees in the end: a carriage return goes back to column 0."""
    lines = []
    for text in written.split("\n"):
        cells: list[str] = []
        for part in text.split("\r"):
            cells[: len(part)] = part
        lines.append("".join(cells).rstrip())
    return lines


@pytest.mark.parametrize(
    ("rest", "seen", "bar"),
    [
        ("", range(N_FILES), True),
        ("> results.txt", (), True),
        ("| cat", range(N_FILES), False),
        ("| head -n 99", range(N_FILES), False),
        ("| cat > results.txt", (), False),
    ],
)
def test_results_and_progress_are_never_on_one_line(
    tmp_path: Path, rest: str, seen: range, bar: bool
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    written = on_screen(f"PYTHONIOENCODING=utf-8 {sys.executable} script.py {rest}", tmp_path)
    assert [line for line in screen(written) if line] == [f"outcome {number}" for number in seen]
    assert bool(re.search(r"━.* \d+/30 files", written)) is bar
