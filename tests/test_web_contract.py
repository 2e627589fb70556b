"""The OpenAPI document is what the server does: Schemathesis tries what it allows and forbids."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import httpx

from web_server import Server


def test_server_keeps_to_its_document(server: Server, tmp_path: Path) -> None:
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program
    document = httpx.get(f"{server.url}/openapi.json").json()
    operations = [o for path in document["paths"].values() for o in path.values()]
    assert len(operations) == 10
    assert all("200" in operation["responses"] for operation in operations)
    finished = subprocess.run(
        [
            program,
            "run",
            f"{server.url}/openapi.json",
            "--checks=all",
            # The query is checked before the body is read, and unknown parameters are ignored.
            "--exclude-checks=positive_data_acceptance,missing_required_header",
            "--max-examples=20",
            "--seed=1",
            "--generation-deterministic",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    log = server.log.read_text()
    assert '"level": "error"' not in log
