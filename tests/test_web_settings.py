"""Settings that cannot work are refused, risky ones are warned of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from topgenre.web.settings import Settings
from web_server import serving

NUMBERS = ("time_limit", "stall_limit", "head_limit")
KEYS = (
    *(" ", "        ", "a", "secret", " a long key that is", "schl\u00fcssel-der-lang-ist"),
    *("a long key\nof lines", "a long key of\x7f"),
)
ORIGINS = (
    *("*", "https://a.example,*", "https://*.example", "null", "a.example", "https://a.example/"),
    *("https://a.example/path", "ftp://a.example", "http://[", "https://", "https://A.example"),
    *("https://a.example:port", "https://me@a.example", "file://", "https://\u00e4.example"),
)
HOSTS = ("*", "a.example:80", "http://a.example", "a b", "[::", "\u00e4")
REFUSED = [
    *((name, value) for name in NUMBERS for value in ("inf", "-inf", "nan", "0", "-1", "1e9", "x")),
    *(("api_key", key) for key in KEYS),
    *(("allowed_origins", text) for text in ORIGINS),
    *(("allowed_hosts", text) for text in HOSTS),
    *(("trusted_proxies", text) for text in ("proxy", "10.0.0.0/33", "::g")),
    *(("max_connections", text) for text in ("0", "-1", "100000000")),
    *(("rate_limit", text) for text in ("-1", "inf")),
    *(("workers", text) for text in ("0", "100000")),
    *(("max_upload_bytes", "0"), ("memory_limit_bytes", "1"), ("port", "65536")),
    *(("queue_size", "-1"), ("library_play", "1")),  # the last one without a catalogue
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_settings_that_cannot_work_are_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TOPGENRE_{name.upper()}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "secret" not in str(caught.value.errors(include_input=False, include_url=False))


ACCEPTED = [
    ("time_limit", "0.5"),
    ("api_key", ""),
    ("api_key", "correct horse battery staple"),
    ("allowed_origins", "https://a.example, http://b.example:8080,http://[::1]:80"),
    ("allowed_hosts", "a.example,[::1],10.0.0.1"),
    ("trusted_proxies", "10.0.0.0/8, ::1"),
    ("trusted_proxies", "*"),
    ("max_connections", "10"),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_settings_that_can_work(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TOPGENRE_{name.upper()}", value)
    Settings()


RISKY = [
    ({"host": "0.0.0.0"}, "TOPGENRE_API_KEY"),
    ({"api_key": "ten-letter"}, "fewer than 16"),
    ({"trusted_proxies": "*"}, "TOPGENRE_TRUSTED_PROXIES"),
    ({"host": "0.0.0.0", "api_key": "correct horse battery", "rate_limit": 0}, "RATE_LIMIT"),
    ({"host": "::", "catalog": "x", "library_play": True}, "play the songs"),
]


@pytest.mark.parametrize(("chosen", "said"), RISKY)
def test_risky_settings_are_warned_of(chosen: dict[str, object], said: str) -> None:
    assert any(said in warning for warning in Settings.model_validate(chosen).warnings())


def test_the_defaults_are_not_risky(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TOPGENRE_")]:
        monkeypatch.delenv(name)
    assert Settings().warnings() == []


def test_uploads_are_unlimited_on_loopback_alone() -> None:
    assert Settings().upload_limit is None
    assert Settings(host="0.0.0.0").upload_limit == 100 << 20
    assert Settings(max_upload_bytes=5).upload_limit == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "a"),
        ("time_limit", "inf"),
        ("allowed_origins", "http://["),
        ("library_play", "1"),
    ],
)
def test_a_refusal_is_one_line_that_names_the_setting(name: str, value: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "topgenre", "serve", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {f"TOPGENRE_{name.upper()}": value},
        check=False,
    )
    assert finished.returncode == 1
    assert f"TOPGENRE_{name.upper()}" in finished.stderr
    assert len(finished.stderr.splitlines()) == 1


def test_a_risk_is_told_in_the_log(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", api_key="ten-letter") as server:
        assert "fewer than 16 characters" in server.log.read_text()
        assert "ten-letter" not in server.log.read_text()
