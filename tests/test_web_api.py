"""The REST API of a real server on loopback."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

import audio_files
import bombs
import signals
import topgenre
from topgenre.cli.app import app
from web_server import Server, running, serving, until, wav

KEY = "a key that must not be in the log"


@cache
def song(seconds: float = 12.0) -> bytes:
    return wav(signals.music(seconds))


# Files that are odd by their names; what is changed is changed in the workers too, which load this
# script again.
ODD = """
import time
from pathlib import Path

import topgenre.web.work

classify = topgenre.web.work._classify

def odd(classifier, job, *rest):
    if job.name == "broken.wav":
        raise ZeroDivisionError("said to the log only")
    if job.name == "endless.wav":
        Path(__file__).with_name("taken").touch()
        time.sleep(600)
    return classify(classifier, job, *rest)

topgenre.web.work._classify = odd

if __name__ == "__main__":
    from topgenre.cli import main

    main()
"""
SITE = "https://music.example"


@contextmanager
def odd_server(folder: Path, **settings: object) -> Iterator[Server]:
    script = folder / "odd.py"
    script.write_text(ODD)
    with serving(folder, "--workers", "1", script=script, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that some files are too much for, with one place to wait."""
    folder = tmp_path_factory.mktemp("odd")
    with odd_server(folder, queue_size=1, memory_limit_bytes=64 << 20, rate_limit=0) as running:
        yield running


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server behind a proxy, for holders of a key, who may ask once a minute."""
    folder = tmp_path_factory.mktemp("locked")
    settings: dict[str, Any] = {"api_key": KEY, "allowed_origins": SITE, "rate_limit": 1}
    with odd_server(folder, **settings, trusted_proxies="127.0.0.1", time_limit=2) as running:
        yield running


def endless(server: Server, pool: ThreadPoolExecutor, **options: Any) -> Future[httpx.Response]:
    """Have the worker at work on a file until it is killed."""
    taken = server.log.with_name("taken")
    taken.unlink(missing_ok=True)
    answer = pool.submit(server.classify, song(2.0), "endless.wav", **options)
    until(taken.exists)
    return answer


def kill_worker(server: Server) -> None:
    [worker] = server.workers()
    worker.kill()


def problem(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    """Check that an answer is a well-formed problem of a kind."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = response.json()
    assert body["type"] == f"urn:topgenre:problem:{code}"
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["title"]
    assert body["detail"]
    assert "\n" not in str(body["detail"])
    return body


def test_answers_what_the_library_does(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(song())
    expected = topgenre.load().classify(path).to_dict()
    answer = server.classify(song()).json()
    assert answer["path"] == "song.wav"
    assert answer["mode"] == "middle"
    assert answer["timeline"] is None
    assert answer["spectrograms"] is None
    for key in ("genres", "uncertain", "segment", "duration", "model", "notices"):
        assert answer[key] == expected[key]
    assert server.classify(song(), top=2).json()["genres"] == expected["genres"][:2]


@pytest.mark.parametrize("name", ["mp3", "flac", "opus", "m4a"])
def test_takes_common_formats(server: Server, name: str) -> None:
    answer = server.classify(audio_files.sample(name, 3.0), "no suffix").json()
    assert len(answer["genres"]) == 10
    assert answer["notices"]  # shorter than ten seconds


def test_whole_track_over_time(server: Server) -> None:
    answer = server.classify(song(35.0), mode="whole").json()
    windows = answer["timeline"]
    assert [window["start"] for window in windows] == pytest.approx([0, 8.333, 16.667, 25], abs=1)
    assert windows[-1]["end"] == pytest.approx(35, abs=0.03)
    info = topgenre.load().info  # a mean over windows has a temperature of its own
    names = [genre["genre"] for genre in answer["genres"]]
    mean = np.mean([[window["probabilities"][name] for name in names] for window in windows], 0)
    powers = mean ** (info.temperature / info.temperature_whole)
    found = [genre["probability"] for genre in answer["genres"]]
    assert found == pytest.approx(powers / powers.sum(), abs=1e-5)
    assert answer["segment"] == {"start": 0, "end": pytest.approx(35, abs=0.03)}


@pytest.mark.parametrize("mode", ["middle", "whole"])
def test_spectrograms_to_draw(server: Server, mode: str) -> None:
    pictures = server.classify(song(), spectrograms=True, mode=mode).json()["spectrograms"]
    assert pictures["start"] == pytest.approx(1.0, abs=0.01)
    assert pictures["n_frames"] == 431
    assert [c["name"] for c in pictures["channels"]] == ["full", "harmonic", "percussive", "onset"]
    for channel in pictures["channels"]:
        pixels = np.frombuffer(base64.b64decode(channel["data"]), np.uint8)
        assert len(pixels) == channel["rows"] * pictures["n_frames"]
        assert pixels.max() > 100
        assert channel["low"] < channel["high"]
        assert np.all(np.diff(channel["bands_hz"]) > 0)


def test_pictures_show_where_the_sound_is(server: Server) -> None:
    t = np.arange(11 * signals.SAMPLE_RATE) / signals.SAMPLE_RATE
    tone = wav((0.5 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32))
    pictures = server.classify(tone, spectrograms=True).json()["spectrograms"]
    full = pictures["channels"][0]
    pixels = np.frombuffer(base64.b64decode(full["data"]), np.uint8).reshape(full["rows"], -1)
    loudest = full["bands_hz"][int(pixels.mean(axis=1).argmax())]
    assert loudest == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 415, "unsupported_media_type"),
        (b"#!/bin/sh\necho this is no music\n" * 50, 415, "unsupported_media_type"),
        (wav(signals.music(0.4)), 422, "too_short"),
        (wav(np.zeros(60_000, np.float32)), 422, "silent"),
        (b"\0" * 2_000_001, 413, "too_large"),
        (b"\0" * 2_500_000, 413, "too_large"),
    ],
)
def test_files_that_cannot_be_classified(
    server: Server, data: bytes, status: int, code: str
) -> None:
    body = problem(server.classify(data, "my file.mp3"), status, code)
    if len(data) < 2_100_000:
        assert str(body["detail"]).startswith("my file.mp3: ")
    assert not server.uploads()


@pytest.mark.parametrize(
    ("query", "word"),
    [("top=0", "top"), ("top=x", "top"), ("mode=half", "mode"), ("spectrograms=7", "spectrograms")],
)
def test_wrong_queries(server: Server, query: str, word: str) -> None:
    response = httpx.post(f"{server.url}/v1/classify?{query}", files={"file": song()})
    assert word in str(problem(response, 400, "invalid_request")["detail"])


MULTIPART = {"content-type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"", 415),
        ({"content-type": "audio/mpeg"}, b"abc", 415),
        ({"content-type": "multipart/form-data"}, b"abc", 415),
        (MULTIPART, b"", 400),
        (MULTIPART, b"what is this", 400),
        (MULTIPART, b"--x\r\n\r\n", 400),
        (MULTIPART, b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n--x--\r\n', 400),
        (MULTIPART, b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf a fi', 400),
        (
            MULTIPART,
            2 * b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n' + b"--x--\r\n",
            400,
        ),
        (MULTIPART, b"--x\r\n" + b"A: " + b"b" * 200_000 + b"\r\n\r\n", 400),
    ],
)
def test_bodies_that_are_no_form_with_a_file(
    server: Server, headers: dict[str, str], body: bytes, status: int
) -> None:
    response = httpx.post(f"{server.url}/v1/classify", content=body, headers=headers)
    code = "unsupported_media_type" if status == 415 else "invalid_request"
    problem(response, status, code)
    assert not server.uploads()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("../../etc/passwd.mp3", "passwd.mp3"),
        ("C:\\Music\\so what.mp3", "so what.mp3"),
        ("naïve 音楽.wav", "naïve 音楽.wav"),
        ("..", "upload"),
        ("x" * 500, "x" * 200),
    ],
)
def test_names_of_uploads_are_only_names(server: Server, sent: str, said: str) -> None:
    assert server.classify(song(2.0), sent).json()["path"] == said


def test_lists_genres_and_itself(server: Server) -> None:
    genres = server.get("/v1/genres").json()
    assert genres["genres"] == list(topgenre.load().genres)
    info = server.get("/v1/info").json()
    assert info["version"] == topgenre.__version__
    assert info["max_upload_bytes"] == 2_000_000
    assert ".mp3" in info["suffixes"]
    assert info["needs_api_key"] is False
    assert {"search-links"} <= {provider["name"] for provider in info["recommendation_providers"]}


def test_recommendations_follow_the_weights(server: Server) -> None:
    query = {"genre": ["jazz:0.7", "blues:0.3"], "limit": 10}
    sections = server.get("/v1/recommendations", params=query).json()["sections"]
    assert [section["provider"] for section in sections] == ["search-links"]
    found = [item["genre"] for item in sections[0]["items"]]
    assert found[0] == "jazz"
    assert set(found) == {"jazz", "blues"}
    assert all(item["url"].startswith("https://open.spotify.com/") for item in sections[0]["items"])


def test_a_provider_that_is_not_set_up_says_so(server: Server) -> None:
    query = {"genre": "Jazz:2", "provider": ["spotify", "search-links"]}
    spotify, links = server.get("/v1/recommendations", params=query).json()["sections"]
    assert spotify["provider"] == "spotify"
    assert not spotify["items"]
    assert "TOPGENRE_SPOTIFY_CLIENT_ID" in spotify["notices"][0]
    assert {item["genre"] for item in links["items"]} == {"jazz"}


@pytest.mark.parametrize(
    "query",
    ["", "genre=", "genre=jazz:0", "genre=jazz:nan", "genre=jazz:1e7", "genre=jazz&limit=0",
     "genre=jazz&provider=nobody", "genre=a%00b"],
)  # fmt: skip
def test_recommendations_that_cannot_be(server: Server, query: str) -> None:
    problem(server.get(f"/v1/recommendations?{query}"), 400, "invalid_request")


def test_addresses_that_are_none(server: Server) -> None:
    problem(server.get("/v2/classify"), 404, "not_found")
    problem(server.get("/static/../settings.py"), 404, "not_found")
    problem(server.get("/static/%2e%2e/settings.py"), 404, "not_found")
    response = server.get("/v1/classify")
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_every_answer_is_hardened(server: Server) -> None:
    for path in ("/", "/v1/genres", "/nowhere", "/healthz"):
        headers = server.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


def test_health_and_metrics(server: Server) -> None:
    assert server.get("/healthz").json() == {"status": "ok"}
    assert server.get("/readyz").json() == {"status": "ready"}
    server.get("/never/heard/of")
    text = server.get("/metrics").text
    assert 'topgenre_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert "never" not in text


def test_names_and_sites_that_are_not_the_servers_own(server: Server) -> None:
    strange = server.get("/v1/genres", headers={"Host": "rebound.example"})
    problem(strange, 400, "invalid_request")
    response = server.classify(song(2.0), headers={"Origin": "https://evil.example"})
    problem(response, 403, "forbidden_origin")
    assert server.get("/v1/genres", headers={"Origin": server.url}).status_code == 200


def test_log_is_json_and_holds_no_names(server: Server) -> None:
    server.classify(song(2.0), "a private name.wav")
    until(lambda: '"status": 200' in server.log.read_text())
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert {"request_id", "route", "status", "ms"} <= lines[-1].keys()
    assert "private" not in server.log.read_text()


def test_a_fault_of_ours_is_told_to_the_log_only(odd: Server) -> None:
    workers = odd.workers()
    answer = odd.classify(song(2.0), "broken.wav")
    body = problem(answer, 500, "internal")
    assert "ZeroDivisionError" not in answer.text
    lines = [json.loads(line) for line in odd.log.read_text().splitlines()]
    told = [line for line in lines if line["request_id"] == body["request_id"]]
    [line] = [line for line in told if line["level"] == "error"]
    assert "said to the log only" in line["traceback"]
    assert odd.workers() == workers


def test_a_full_queue_says_when_to_come_back_and_a_killed_worker_loses_its_request_only(
    odd: Server,
) -> None:
    crashed = 'topgenre_lost_workers_total{reason="crashed"}'
    before = odd.metric(crashed)
    with ThreadPoolExecutor() as pool:
        lost = endless(odd, pool)
        waiting = pool.submit(odd.classify, song(2.0))
        until(lambda: odd.metric("topgenre_admitted_requests") == 2)
        refused = odd.classify(song(2.0))
        body = problem(refused, 503, "busy")
        assert int(refused.headers["retry-after"]) == body["retry_after"]
        assert odd.get("/healthz").status_code == 200
        kill_worker(odd)
        problem(lost.result(), 422, "crashed")
        assert waiting.result().status_code == 200
    assert odd.metric(crashed) == before + 1
    until(lambda: odd.metric("topgenre_admitted_requests") == 0)


def test_a_client_that_leaves_frees_its_place(odd: Server) -> None:
    address = httpx.URL(odd.url)
    request = httpx.Request("POST", f"{odd.url}/v1/classify", files={"file": song(2.0)})
    lines = [f"{name}: {value}\r\n".encode() for name, value in request.headers.items()]
    data = b"POST /v1/classify HTTP/1.1\r\n" + b"".join(lines) + b"\r\n" + request.read()
    with ThreadPoolExecutor() as pool:
        first = endless(odd, pool)
        with socket.create_connection((address.host, address.port or 0), 60) as client:
            client.sendall(data)
            until(lambda: odd.uploads() == 2)
        until(lambda: odd.uploads() == 1)
        kill_worker(odd)
        problem(first.result(), 422, "crashed")


def test_a_file_that_takes_too_much_memory(odd: Server) -> None:
    # Its table is unpacked as a whole: decoding runs into the limit, and its process lives on.
    until(lambda: odd.classify(song(2.0)).status_code == 200)
    workers = odd.workers()
    for mode in ("middle", "whole"):
        problem(odd.classify(bombs.repeated_chunks(), mode=mode), 422, "overrun")
    assert odd.workers() == workers
    assert odd.classify(song(2.0)).status_code == 200
    assert not odd.uploads()


_numbers = count(1)


def visitor(**more: str) -> dict[str, str]:
    """The headers of somebody new."""
    return {"X-Forwarded-For": f"203.0.113.{next(_numbers)}", **more}


def test_key_limits_and_allowed_sites(locked: Server) -> None:
    response = locked.classify(song(2.0), headers=visitor())
    problem(response, 401, "unauthorized")
    assert "x-api-key" in response.headers["www-authenticate"].lower() or (
        "X-API-Key" in response.text
    )
    genres = f"{locked.url}/v1/genres"
    problem(httpx.get(genres, headers=visitor(**{"X-API-Key": KEY[:-1]})), 401, "unauthorized")
    problem(locked.get("/metrics", headers=visitor()), 401, "unauthorized")
    for path in ("/", "/healthz", "/v1/info"):
        assert locked.get(path).status_code == 200
    mine = visitor(**{"X-API-Key": KEY, "Origin": SITE})
    allowed = httpx.get(genres, headers=mine)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == SITE
    limited = httpx.get(genres, headers=mine)
    body = problem(limited, 429, "rate_limited")
    assert int(limited.headers["retry-after"]) == body["retry_after"]
    preflight = httpx.options(
        f"{locked.url}/v1/classify",
        headers=visitor(
            **{
                "Origin": SITE,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "X-API-Key",
            }
        ),
    )
    assert preflight.status_code == 200
    guess = visitor(**{"X-API-Key": "a guess"})
    assert [httpx.get(genres, headers=guess).status_code for _ in range(2)] == [401, 429]
    assert KEY not in locked.log.read_text()


def test_a_file_that_takes_too_long(locked: Server) -> None:
    def classify(name: str) -> httpx.Response:
        return locked.classify(song(2.0), name, headers=visitor(**{"X-API-Key": KEY}))

    slow = problem(classify("endless.wav"), 422, "overrun")
    assert "2 s" in str(slow["detail"])
    until(lambda: classify("song.wav").status_code == 200)


def test_a_worker_that_dies_while_idle_is_nobodys_fault(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(Path(topgenre.__file__).parent / "model" / "topgenre.onnx", model)
    flags = ("--workers", "1", "--model", str(model))
    with serving(tmp_path, *flags, rate_limit=0) as server, ThreadPoolExecutor() as pool:
        kill_worker(server)
        assert server.classify(song(2.0)).status_code == 200
        assert server.metric('topgenre_lost_workers_total{reason="died"}') == 1
        # The next one cannot start at first: who waits for it must not wait for ever.
        model.rename(tmp_path / "elsewhere")
        kill_worker(server)
        waiting = pool.submit(server.classify, song(2.0))
        until(lambda: "no new worker process" in server.log.read_text())
        problem(server.get("/readyz"), 503, "busy")
        assert not waiting.done()
        (tmp_path / "elsewhere").rename(model)
        assert waiting.result().status_code == 200
        assert server.get("/readyz").status_code == 200


def test_ends_gracefully(tmp_path: Path) -> None:
    """Whose file is there gets an answer, and whose file is not is told so."""
    with (
        serving(tmp_path, "--workers", "1", stall_limit=2) as server,
        ThreadPoolExecutor() as pool,
    ):
        workers = server.workers()
        address = httpx.URL(server.url)
        with socket.create_connection((address.host, address.port or 0), 60) as client:
            client.sendall(
                b"POST /v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
                b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf'
            )
            until(server.uploads)
            request = pool.submit(server.classify, song(), mode="whole")
            until(lambda: server.uploads() == 2 or request.done())
            server.process.send_signal(signal.SIGTERM)
            assert b"408" in client.recv(100)
        assert request.result().status_code == 200
        assert server.process.wait(60) == -signal.SIGTERM
        assert not any(server.temporary.iterdir())
        assert not any(running(worker) for worker in workers)


def test_servers_that_cannot_be(server: Server, tmp_path: Path) -> None:
    port = str(httpx.URL(server.url).port)
    for flags, word in (
        (["--port", port], "cannot listen"),
        (["--model", str(tmp_path / "none.onnx")], "no such model file"),
    ):
        refused = CliRunner().invoke(app, ["serve", *flags])
        assert refused.exit_code == 1
        assert word in refused.stderr
        assert len(refused.stderr.splitlines()) == 1


def test_load(tmp_path: Path) -> None:
    """64 clients, 150 uploads, some damaged or too large: each gets its answer."""
    kinds = [
        (song(2.0), {200, 503}),
        (song(12.0), {200, 503}),
        (b"no music at all" * 1000, {415, 503}),
        (song(12.0)[:60_000], {200, 503}),
        (b"\0" * 1_500_000, {413, 503}),
    ]
    health: list[int] = []
    done = threading.Event()

    with serving(
        tmp_path, "--workers", "2", max_upload_bytes=1_000_000, rate_limit=0, queue_size=32
    ) as server:

        def watch() -> None:
            while not done.wait(0.05):
                health.append(server.get("/healthz").status_code)

        def upload(number: int) -> int:
            data, expected = kinds[number % len(kinds)]
            while True:
                response = client.post(f"{server.url}/v1/classify", files={"file": data})
                assert response.status_code in expected, response.text
                if response.status_code != 503:
                    return response.status_code
                time.sleep(min(0.5, float(response.headers["retry-after"])))

        def resident() -> int:
            processes = [psutil.Process(server.process.pid), *server.workers()]
            return sum(process.memory_info().rss for process in processes)

        with httpx.Client(timeout=60, limits=httpx.Limits(max_connections=64)) as client:
            for number in range(20):
                upload(number)
            before = resident()
            watcher = threading.Thread(target=watch)
            watcher.start()
            with ThreadPoolExecutor(64) as pool:
                statuses = list(pool.map(upload, range(150)))
            done.set()
            watcher.join()
        assert set(statuses) == {200, 413, 415}
        assert set(health) <= {200}
        assert resident() - before < 100 << 20
        assert not server.uploads()
