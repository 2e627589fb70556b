"""Fuzz one surface for a while: ``python fuzz/run.py TARGET --seconds 60``.

The work is done in a child process, which a native crash may end. What ended it is kept in
``fuzz/findings/TARGET``, and a new child goes on until the time is over. What was learnt is kept in
``fuzz/corpus/TARGET``; the next run begins with it. The exit code is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

import seeds

_HERE = Path(__file__).parent
_SLOWEST = 20  # s that one input may take
_LARGEST = 2048  # MiB that the process may take


def fuzz(target: str, seconds: int) -> int:
    """Fuzz a surface, and return how many inputs were found that it does not stand."""
    corpus, found = _HERE / "corpus" / target, _HERE / "findings" / target
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    seeds.write(_HERE / "seeds")
    before = set(found.iterdir())
    tried, end = 0, time.monotonic() + seconds
    while (left := round(end - time.monotonic())) > 0:
        tried += _child(target, left, corpus, found)
    new = sorted(set(found.iterdir()) - before)
    sys.stdout.write(f"{target}: {tried} inputs in {seconds} s, {len(new)} findings\n")
    for path in new:
        sys.stdout.write(f"  try it again: python fuzz/child.py {target} {path}\n")
    return len(new)


def _child(target: str, seconds: int, corpus: Path, found: Path) -> int:
    flags = [
        *(f"-max_total_time={seconds}", f"-timeout={_SLOWEST}", f"-rss_limit_mb={_LARGEST}"),
        # Slower than half of that is no finding: the clock goes on while other programs run.
        *(f"-report_slow_units={_SLOWEST}", f"-artifact_prefix={found}/"),
        *("-print_final_stats=1", "-reload=0"),
    ]
    command = [sys.executable, str(_HERE / "child.py"), target, *flags]
    folders = [str(corpus), str(_HERE / "seeds" / target)]
    ended = subprocess.run([*command, *folders], capture_output=True, text=True, errors="replace")
    counted = re.search(r"number_of_executed_units: (\d+)", ended.stderr)
    if ended.returncode:
        sys.stderr.write(ended.stderr[-4000:])
    return int(counted[1]) if counted else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    sys.exit(bool(fuzz(arguments.target, arguments.seconds)))
