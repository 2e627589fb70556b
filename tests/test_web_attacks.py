"""What a stranger may send: each kind with generated members, through real sockets."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import signals
from web_server import Server, running, serving, until, wav

KEY = "a long key that nobody has"
LIMIT = 64 * 1024  # bytes of a head
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
RANDOM = random.Random(18)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    settings: dict[str, Any] = {"api_key": KEY, "head_limit": 1.5, "stall_limit": 1}
    settings |= {"queue_size": 0}
    with serving(folder, "--workers", "1", rate_limit=0, **settings) as running:
        yield running


@pytest.fixture
def alive(strict: Server) -> Iterator[Server]:
    """Give the server, and check afterwards that it works and has said nothing of a fault."""
    yield strict
    # There is no place to wait, and that of the last file is free a moment after its end.
    until(lambda: strict.classify(song(), headers={"X-API-Key": KEY}).status_code == 200)
    assert '"level": "error"' not in strict.log.read_text()


def song() -> bytes:
    return wav(signals.music(1.5))


def connect(server: Server) -> socket.socket:
    url = httpx.URL(server.url)
    return socket.create_connection((url.host, url.port or 0), 20)


def answer(client: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    found = bytearray()
    with suppress(ConnectionError):
        while data := client.recv(1 << 16):
            found += data
    return bytes(found)


def status(found: bytes) -> int:
    return int(found.split(b" ", 2)[1]) if found else 0


def resident(server: Server) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


def send_all(client: socket.socket, pieces: Iterator[bytes]) -> None:
    with suppress(ConnectionError):
        for piece in pieces:
            client.sendall(piece)


# ------------------------------------------------------------------------------ heads

START = b"POST /v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
MUCH = 3 << 20


def repeated(piece: bytes) -> Iterator[bytes]:
    block = piece * (1 + (1 << 15) // len(piece))
    for _ in range(MUCH // len(block)):
        yield block


HEADS: dict[str, Callable[[], Iterator[bytes]]] = {
    "many short headers": lambda: iter([START, *repeated(b"X: a\r\n")]),
    "many names": lambda: iter(
        [START, *(b"%08x: %08x\r\n" % (n, RANDOM.getrandbits(32)) for n in range(100_000))]
    ),
    "a header without an end": lambda: iter([START, b"X: ", *repeated(b"a")]),
    "a name without an end": lambda: iter([START, *repeated(b"a")]),
    "an address without an end": lambda: iter([b"GET /", *repeated(b"a")]),
    "a long query": lambda: iter([b"GET /?", *[b"a=b&" * 20_000], b" HTTP/1.1\r\n\r\n"]),
    "a cookie": lambda: iter([START, b"Cookie: ", b"c" * 70_000, b"\r\n\r\n"]),
    "trailers": lambda: iter([CHUNKED, *repeated(b"X: a\r\n")]),
    "a trailer without an end": lambda: iter([CHUNKED, b"X: ", *repeated(b"a")]),
    "an extension of a chunk": lambda: iter(
        [CHUNKED.removesuffix(b"0\r\n"), b"1;x=", *repeated(b"a")]
    ),
}


@pytest.mark.parametrize("kind", HEADS)
def test_heads_and_trailers_have_a_bound(alive: Server, kind: str) -> None:
    before = resident(alive)
    with connect(alive) as client:
        send_all(client, HEADS[kind]())
        found = answer(client)
    # The answer to a request whose trailers never end may be on its way before they are too long.
    assert status(found) in ((401, 431) if "trailer" in kind or "chunk" in kind else (431,))
    assert resident(alive) - before < 32 << 20


@pytest.mark.parametrize("size", [1000, LIMIT // 2, LIMIT - 2000])
def test_heads_of_a_usual_size_are_read(alive: Server, size: int) -> None:
    header = "x" * size
    assert alive.get("/healthz", headers={"X-Long": header}).status_code == 200


def test_many_requests_in_one_go_are_not_all_kept(alive: Server) -> None:
    before = resident(alive)
    with connect(alive) as client:
        one = b"GET /v1/genres HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        send_all(client, iter([one * 5000]))
        found = answer(client)
    assert found.count(b"HTTP/1.1 401") < 5000
    assert resident(alive) - before < 32 << 20


# ------------------------------------------------------------------------------ silence


def nothing(client: socket.socket) -> None:
    del client


def half_a_head(client: socket.socket) -> None:
    client.sendall(START)


def half_a_second_head(client: socket.socket) -> None:
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    client.recv(1 << 16)
    client.sendall(START)


def a_body_that_nobody_reads(client: socket.socket) -> None:
    client.sendall(
        b"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\nx"
    )


@pytest.mark.parametrize(
    "begin", [nothing, half_a_head, half_a_second_head, a_body_that_nobody_reads]
)
@pytest.mark.parametrize("drip", [b"", b"X"])
def test_connections_that_do_not_ask_are_closed(
    alive: Server, begin: Callable[[socket.socket], None], drip: bytes
) -> None:
    with connect(alive) as client:
        begin(client)
        client.settimeout(0.3)
        for _ in range(100):
            with suppress(TimeoutError):
                try:
                    if drip and begin is not nothing:
                        client.sendall(drip)
                    if not client.recv(1 << 16):
                        return
                except ConnectionError:
                    return
    raise AssertionError("it is still open")


def limited(tmp_path: Path, files: int) -> Path:
    """Write a script that runs the server with a low limit of open files."""
    script = tmp_path / "limited.py"
    script.write_text(
        "if __name__ == '__main__':\n"
        "    import resource\n"
        f"    resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))\n"
        "    from topgenre.cli import main\n"
        "    main()\n"
    )
    return script


@needs_proc
def test_more_connections_than_files_may_be_open(tmp_path: Path) -> None:
    script = limited(tmp_path, 300)
    with (
        serving(tmp_path, "--workers", "1", script=script, head_limit=60) as server,
        ExitStack() as stack,
    ):
        for _ in range(600):
            stack.enter_context(connect(server))
        for _ in range(5):  # the connections that are idle make room
            assert server.get("/healthz").status_code == 200
        assert server.classify(song()).status_code == 200
        assert len(server.log.read_bytes()) < 20_000


def test_where_all_are_busy_a_further_one_is_turned_away(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--workers", "1", max_connections=3, stall_limit=3) as server,
        ExitStack() as stack,
    ):
        for _ in range(3):
            upload(stack.enter_context(connect(server)), 1 << 20)
        until(lambda: server.uploads() == 3)
        with connect(server) as fourth:
            assert status(answer(fourth)) == 503
        stack.close()
        for _ in range(100):
            with suppress(httpx.TransportError):
                if server.get("/healthz").status_code == 200:
                    break
            time.sleep(0.05)
        assert server.get("/healthz").status_code == 200


@needs_proc  # where all of 127.0.0.0/8 is this machine
def test_one_client_cannot_keep_others_out(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--workers", "1", max_connections=4, stall_limit=60) as server,
        ExitStack() as stack,
    ):
        held = [stack.enter_context(connect(server)) for _ in range(4)]
        for client in held:
            upload(client, 1 << 20)
        until(lambda: server.uploads() == 4)
        with connect(server) as fifth:
            assert status(answer(fifth)) == 503  # its own client holds them all
        with httpx.Client(
            transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=20
        ) as other:
            assert other.get(f"{server.url}/healthz").status_code == 200
            files = {"file": ("a.wav", song())}
            assert other.post(f"{server.url}/v1/classify", files=files).status_code == 200
        assert status(answer(held[-1])) == 0  # the last that came made room
        for client in held[:-1]:
            client.sendall(b"x")


@needs_proc
def test_the_log_does_not_grow_with_what_strangers_send(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1") as server:
        for _ in range(300):
            with connect(server) as client:
                client.sendall(b"what is this\r\n\r\n")
                assert status(answer(client)) == 400
        assert len(server.log.read_bytes()) < 20_000


# ------------------------------------------------------------------------------ uploads

FORM = b"Content-Type: multipart/form-data; boundary=x\r\nX-API-Key: " + KEY.encode() + b"\r\n"
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


def upload(client: socket.socket, length: int) -> None:
    client.sendall(START + FORM + b"Content-Length: %d\r\n\r\n" % length + PART)


def test_slow_uploads_keep_nobody_out_and_end(alive: Server) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        slow = [stack.enter_context(connect(alive)) for _ in range(40)]
        for client in slow:
            upload(client, 1 << 20)

        def drip() -> None:
            for _ in range(40):
                for client in slow:
                    with suppress(OSError):
                        client.sendall(b"x")
                time.sleep(0.1)

        dripping = pool.submit(drip)
        # There is one worker, and no place to wait.
        assert alive.classify(song(), headers={"X-API-Key": KEY}).status_code == 200
        dripping.result()
        assert {status(answer(client)) for client in slow} <= {408, 0}


def test_an_upload_that_stalls_is_told_so_and_ends(alive: Server) -> None:
    with connect(alive) as client:
        upload(client, 9999)
        assert status(answer(client)) == 408
    until(lambda: not alive.uploads())


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--x--\r\n"


BODIES: dict[str, bytes] = {
    "empty parts": b"--x\r\n\r\n\r\n" * 400_000,
    "empty headers": b"--x\r\n" + b"A:\r\n" * 800_000,
    "a long header": b"--x\r\nA: " + b"b" * (4 << 20),
    "many fields": multipart(
        *[b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'] * 50
    ),
    "line breaks before the form": b"\r\n" * (2 << 20),
    "line breaks after the form": multipart(PART + b"\r\n") + b"\r\n" * (2 << 20),
    "dashes": PART + b"\r\n-" * (1 << 20),
    "half boundaries": PART + b"\r\n--" * (1 << 20),
    "noise": RANDOM.randbytes(4 << 20),
}


@pytest.mark.parametrize("kind", BODIES)
def test_hostile_forms_do_not_stall_the_server(alive: Server, kind: str) -> None:
    slowest = 0.0
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(
            httpx.post,
            f"{alive.url}/v1/classify",
            content=BODIES[kind],
            headers={"Content-Type": "multipart/form-data; boundary=x", "X-API-Key": KEY},
            timeout=60,
        )
        while not sending.done():
            begin = time.process_time()
            assert alive.get("/healthz").status_code == 200
            slowest = max(slowest, time.process_time() - begin)
        assert sending.result().status_code in (400, 415)


@pytest.mark.parametrize("length", [1, 69, 70, 71, 255, 256, 257, 1000, 8000])
def test_boundaries_of_any_length_are_answered(alive: Server, length: int) -> None:
    boundary = "b" * length
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"\r\n\r\n'.encode()
        + song()
        + f"\r\n--{boundary}--\r\n".encode()
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "X-API-Key": KEY}
    found = httpx.post(f"{alive.url}/v1/classify", content=body, headers=headers, timeout=60)
    assert found.status_code == (200 if length <= 256 else 400)


@pytest.mark.parametrize("sent", [0, 10, 5000, 200_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_clients_that_hang_up_leave_no_trace(alive: Server, sent: int, chunked: bool) -> None:
    with connect(alive) as client:
        if chunked:
            body = PART + b"x" * sent
            client.sendall(START + FORM + b"Transfer-Encoding: chunked\r\n\r\n")
            client.sendall(b"%x\r\n" % len(body) + body + b"\r\n")
        else:
            upload(client, 1 << 20)
            client.sendall(b"x" * sent)
    until(lambda: not alive.uploads())


# ------------------------------------------------------------------------------ odd headers


def odd_texts() -> list[str]:
    """Return what may stand in a header, some of it odd."""
    letters = "[]:/@%?#\\. a0é\xff\t"
    made = ["".join(RANDOM.choices(letters, k=RANDOM.randint(1, 12))).strip() for _ in range(60)]
    return [
        "http://[",
        "http://[::1",
        "null",
        "*",
        "http://a:b",
        "//",
        "http://",
        *filter(None, made),
    ]


@pytest.mark.parametrize("name", ["Origin", "Host", "X-API-Key", "Content-Type", "Accept", "Range"])
def test_odd_headers_are_answered(alive: Server, name: str) -> None:
    for text in odd_texts():
        with connect(alive) as client:
            lines = {"Host": "127.0.0.1", "Connection": "close", "Content-Length": "0", name: text}
            head = "".join(f"{key}: {value}\r\n" for key, value in lines.items())
            client.sendall(f"POST /v1/classify HTTP/1.1\r\n{head}\r\n".encode("latin-1"))
            assert status(answer(client)) in (400, 401, 403, 415), text


@pytest.mark.parametrize("path", ["/v1/info/", "/v1/genres/", "/healthz/", "/v1"])
def test_no_answer_sends_a_client_to_the_host_it_named(alive: Server, path: str) -> None:
    found = alive.get(path, headers={"Host": "127.0.0.1", "X-API-Key": KEY}, follow_redirects=False)
    assert found.status_code == 404
    assert "location" not in found.headers


# ------------------------------------------------------------------------------ what stays


@needs_proc
def test_nothing_stays_when_the_server_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", stall_limit=30) as server, connect(server) as client:
        client.sendall(START + FORM + b"Content-Length: 9999999\r\n\r\n" + PART + b"x" * 500_000)
        until(lambda: server.uploads() == 1)
        workers = server.workers()
        assert not any(path.is_file() for path in server.temporary.rglob("*"))
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(60)
        assert not any(path.is_file() for path in server.temporary.rglob("*"))
        assert workers
        until(lambda: not any(running(worker) for worker in workers))


@pytest.mark.skipif(os.name != "posix", reason="Windows does not remove folders that are in use")
def test_a_folder_for_uploads_that_is_removed_is_made_again(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1") as server:
        server.temporary.rmdir()
        assert server.get("/readyz").status_code == 200
        server.temporary.rmdir()
        assert server.classify(song()).status_code == 200
        server.temporary.rmdir()
        server.temporary.write_text("a file in its place")
        assert server.get("/readyz").status_code == 503
        assert server.classify(song()).status_code == 507
        server.temporary.unlink()
        assert server.get("/readyz").status_code == 200


def test_details_are_one_line_whatever_is_asked(alive: Server) -> None:
    for text in ("a\nb", "a\r\nb", "\u2028", "\x1b[31m", "\u202egpj"):
        found = alive.get("/v1/recommendations", params={"genre": text}, headers={"X-API-Key": KEY})
        if found.status_code != 200:
            assert re.fullmatch(
                r"[^\x00-\x1f\x7f\u2028\u2029\u202a-\u202e]*", found.json()["detail"]
            )
