"""The REST API of a real server on loopback."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

import audio_files
import bombs
import signals
import topgenre
from web_server import Server, serving, until, wav

KEY = "a key that must not be in the log"


@cache
def song(seconds: float = 12.0) -> bytes:
    return wav(signals.music(seconds))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, "--workers", "1", max_upload_bytes=2_000_000, rate_limit=0) as running:
        yield running


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


FAULTY = """
import topgenre.web.work

classify = topgenre.web.work._classify

def broken(classifier, job, *rest):
    if job.name == "broken.wav":
        raise ZeroDivisionError("said to the log only")
    return classify(classifier, job, *rest)

topgenre.web.work._classify = broken  # in the workers too, which load this script again

if __name__ == "__main__":
    from topgenre.cli import main

    main()
"""


def test_a_fault_of_ours_is_told_to_the_log_only(tmp_path: Path) -> None:
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY)
    with serving(tmp_path, "--workers", "1", script=script) as server:
        workers = server.workers()
        answer = server.classify(song(2.0), "broken.wav")
        body = problem(answer, 500, "internal")
        assert "ZeroDivisionError" not in answer.text
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
        [line] = [line for line in lines if line["level"] == "error"]
        assert line["request_id"] == body["request_id"]
        assert "said to the log only" in line["traceback"]
        assert server.workers() == workers


def test_key_limits_and_allowed_sites(tmp_path: Path) -> None:
    site = "https://music.example"
    settings: dict[str, Any] = {"api_key": KEY, "allowed_origins": site, "rate_limit": 30}
    with serving(tmp_path, "--workers", "1", **settings) as server:
        response = server.classify(song(2.0))
        problem(response, 401, "unauthorized")
        assert "x-api-key" in response.headers["www-authenticate"].lower() or (
            "X-API-Key" in response.text
        )
        problem(server.get("/v1/genres", headers={"X-API-Key": KEY[:-1]}), 401, "unauthorized")
        problem(server.get("/metrics"), 401, "unauthorized")
        for path in ("/", "/healthz", "/v1/info"):
            assert server.get(path).status_code == 200
        headers = {"X-API-Key": KEY, "Origin": site}
        allowed = server.classify(song(2.0), headers=headers)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == site
        preflight = httpx.options(
            f"{server.url}/v1/classify",
            headers={
                "Origin": site,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "X-API-Key",
            },
        )
        assert preflight.status_code == 200
        answers = [server.get("/v1/genres", headers={"X-API-Key": KEY}) for _ in range(12)]
        limited = [answer for answer in answers if answer.status_code == 429]
        assert 1 < len(limited) < 12
        body = problem(limited[0], 429, "rate_limited")
        assert int(limited[0].headers["retry-after"]) == body["retry_after"]
        guesses = [server.get("/v1/genres", headers={"X-API-Key": f"{n}"}) for n in range(12)]
        assert {answer.status_code for answer in guesses} <= {401, 429}
        assert sum(answer.status_code == 429 for answer in guesses) > 1
        log = server.log.read_text()
        assert KEY not in log


def test_a_killed_worker_loses_its_request_only(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2", rate_limit=0) as server, ThreadPoolExecutor() as pool:
        long = song(150.0)
        both = [pool.submit(server.classify, long, mode="whole") for _ in range(2)]
        until(lambda: server.uploads() == 2)
        time.sleep(0.3)
        server.workers()[0].kill()
        answers = sorted((future.result() for future in both), key=lambda a: a.status_code)
        assert [answer.status_code for answer in answers] == [200, 422]
        problem(answers[1], 422, "crashed")
        until(lambda: len(server.workers()) == 2)
        assert [server.classify(song(2.0)).status_code for _ in range(4)] == [200] * 4
        assert 'topgenre_lost_workers_total{reason="crashed"} 1.0' in server.get("/metrics").text


def test_a_worker_that_dies_while_idle_is_nobodys_fault(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(Path(topgenre.__file__).parent / "model" / "topgenre.onnx", model)

    def end_worker(server: Server) -> None:
        [worker] = server.workers()
        worker.kill()

    flags = ("--workers", "1", "--model", str(model))
    with serving(tmp_path, *flags, rate_limit=0) as server, ThreadPoolExecutor() as pool:
        end_worker(server)
        assert server.classify(song(2.0)).status_code == 200
        assert 'topgenre_lost_workers_total{reason="died"} 1.0' in server.get("/metrics").text
        # The next one cannot start at first: who waits for it must not wait for ever.
        model.rename(tmp_path / "elsewhere")
        end_worker(server)
        waiting = pool.submit(server.classify, song(2.0))
        until(lambda: "no new worker process" in server.log.read_text())
        problem(server.get("/readyz"), 503, "busy")
        assert not waiting.done()
        (tmp_path / "elsewhere").rename(model)
        assert waiting.result().status_code == 200
        assert server.get("/readyz").status_code == 200


def test_a_file_that_takes_too_long(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", time_limit=0.7) as server:
        slow = problem(server.classify(song(300.0), mode="whole"), 422, "overrun")
        assert "0.7 s" in str(slow["detail"])
        until(lambda: server.get("/readyz").status_code == 200)
        assert server.classify(song(2.0)).status_code == 200


def test_a_file_that_takes_too_much_memory(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", memory_limit_bytes=64 << 20) as server:
        # Its table is unpacked as a whole: decoding runs into the limit, and its process lives on.
        workers = server.workers()
        for mode in ("middle", "whole"):
            problem(server.classify(bombs.repeated_chunks(), mode=mode), 422, "overrun")
        assert server.workers() == workers
        assert server.classify(song(2.0)).status_code == 200
        assert not server.uploads()


def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--workers", "1", queue_size=0) as server,
        ThreadPoolExecutor() as pool,
    ):
        first = pool.submit(server.classify, song(150.0), mode="whole")
        until(lambda: server.uploads())
        assert "topgenre_admitted_requests 1.0" in server.get("/metrics").text
        refused = server.classify(song())
        body = problem(refused, 503, "busy")
        assert int(refused.headers["retry-after"]) == body["retry_after"]
        assert server.get("/healthz").status_code == 200
        assert first.result().status_code == 200
        assert "topgenre_admitted_requests 0.0" in server.get("/metrics").text
        assert server.classify(song(2.0)).status_code == 200


def test_uploads_that_stall_or_break_off(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", queue_size=0, stall_limit=0.5) as server:
        address = httpx.URL(server.url)
        head = (
            b"POST /v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf'
        )
        with socket.create_connection((address.host, address.port or 0), 10) as stalled:
            stalled.sendall(head)
            assert b"408" in stalled.recv(100)
        with socket.create_connection((address.host, address.port or 0), 10) as gone:
            gone.sendall(head)
        until(lambda: not server.uploads())
        # Its place is free again.
        until(lambda: server.classify(song(2.0)).status_code == 200)


def test_a_client_that_leaves_frees_its_place(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", queue_size=1) as server, ThreadPoolExecutor() as pool:
        first = pool.submit(server.classify, song(150.0), mode="whole")
        until(lambda: server.uploads())
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/classify", files={"file": song()}, timeout=0.2)
        until(lambda: server.uploads() == 1)
        assert first.result().status_code == 200


def test_ends_gracefully(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1") as server, ThreadPoolExecutor() as pool:
        workers = server.workers()
        request = pool.submit(server.classify, song(60.0), mode="whole")
        until(lambda: server.uploads())
        server.process.send_signal(signal.SIGTERM)
        assert request.result().status_code == 200
        assert server.process.wait(20) in (0, -signal.SIGTERM)
        assert not any(server.temporary.iterdir())
        assert not any(worker.is_running() for worker in workers)


def test_killed_without_warning_it_leaves_no_process(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2") as server:
        workers = server.workers()
        assert len(workers) == 2
        server.process.kill()
        _, alive = psutil.wait_procs(workers, 10)
        assert not alive


def run_serve(*flags: str, **settings: str) -> subprocess.CompletedProcess[str]:
    import os

    environment = os.environ | {f"TOPGENRE_{name.upper()}": v for name, v in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "topgenre", "serve", *flags],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


def test_servers_that_cannot_be(server: Server, tmp_path: Path) -> None:
    port = str(httpx.URL(server.url).port)
    for finished, word in (
        (run_serve("--port", port), "cannot listen"),
        (run_serve(rate_limit="many"), "TOPGENRE_RATE_LIMIT"),
        (run_serve("--model", str(tmp_path / "none.onnx")), "no such model file"),
    ):
        assert finished.returncode == 1
        assert word in finished.stderr
        assert len(finished.stderr.splitlines()) == 1


@pytest.mark.alone
def test_load(tmp_path: Path) -> None:
    """64 clients, 500 uploads, some damaged or too large: each gets its answer."""
    kinds = [
        (song(2.0), {200, 503}),
        (song(12.0), {200, 503}),
        (b"no music at all" * 1000, {415, 503}),
        (song(12.0)[:60_000], {200, 503}),
        (b"\0" * 1_500_000, {413, 503}),
    ]
    slowest = 0.0
    done = threading.Event()

    with serving(
        tmp_path, "--workers", "2", max_upload_bytes=1_000_000, rate_limit=0, queue_size=32
    ) as server:

        def watch() -> None:
            nonlocal slowest
            while not done.is_set():
                begin = time.monotonic()
                assert server.get("/healthz").status_code == 200
                slowest = max(slowest, time.monotonic() - begin)
                time.sleep(0.05)

        def upload(number: int) -> int:
            data, expected = kinds[number % len(kinds)]
            for _ in range(100):
                response = client.post(f"{server.url}/v1/classify", files={"file": data})
                assert response.status_code in expected, response.text
                if response.status_code != 503:
                    break
                time.sleep(min(0.5, float(response.headers["retry-after"])))
            return response.status_code

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
                statuses = list(pool.map(upload, range(500)))
            done.set()
            watcher.join()
        assert set(statuses) == {200, 413, 415}
        assert slowest < 1
        assert resident() - before < 100 << 20
        assert not server.uploads()
