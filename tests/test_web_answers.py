"""What an answer holds beside the genres: progress, song, cover; and the page about the API."""

from __future__ import annotations

import base64
import json
import threading
from io import BytesIO
from pathlib import Path

import httpx
import mutagen
import numpy as np
import pytest
from mutagen.flac import Picture
from mutagen.id3 import APIC, TALB, TIT2, TPE1
from PIL import Image

import audio_files
import signals
from web_server import Server, serving, wav

LINES = {"Accept": "application/x-ndjson, application/json"}
KEY = "correct horse battery staple"


def lines(answer: httpx.Response) -> list[dict[str, object]]:
    return [json.loads(line) for line in answer.text.splitlines()]


# ------------------------------------------------------------------------------ progress


def test_a_whole_track_reports_its_progress(server: Server) -> None:
    data = wav(signals.music(40.0))
    answer = server.classify(data, mode="whole", headers=LINES)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    *told, result = lines(answer)
    shares = [float(str(line["progress"])) for line in told]
    assert shares == sorted(shares)
    assert all(0 < share <= 1 for share in shares)
    assert shares
    plain = server.classify(data, mode="whole").json()
    assert result == plain
    assert plain["sections"] == []
    assert plain["verdict"]


def test_lines_end_in_the_problem_where_there_is_one(server: Server) -> None:
    answer = server.classify(wav(np.zeros(60_000, np.float32)), headers=LINES)
    assert answer.status_code == 200  # which was sent before anybody knew
    [problem] = lines(answer)
    assert problem["type"] == "urn:topgenre:problem:silent"
    assert problem["request_id"] == answer.headers["x-request-id"]
    # What is known before the work begins has a status of its own.
    assert httpx.post(f"{server.url}/v1/classify", content=b"", headers=LINES).status_code == 415


def test_a_client_that_leaves_while_lines_come_frees_its_place(server: Server) -> None:
    files = {"file": ("song.wav", wav(signals.music(40.0)))}
    with httpx.stream(
        "POST", f"{server.url}/v1/classify?mode=whole", files=files, headers=LINES, timeout=60
    ) as answer:
        next(answer.iter_lines())
    for _ in range(600):
        if "topgenre_admitted_requests 0.0" in server.get("/metrics").text:
            break
        threading.Event().wait(0.05)
    assert "topgenre_admitted_requests 0.0" in server.get("/metrics").text
    assert not server.uploads()


# ------------------------------------------------------------------------------ which song


def picture(kind: str, side: int = 40) -> bytes:
    file = BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def tagged(path: Path, suffix: str, cover: bytes, mime: str = "image/png") -> bytes:
    """Return a short song with tags and a cover."""
    path = path / f"song.{suffix}"
    path.write_bytes(audio_files.sample(suffix, 3.0))
    file = mutagen.File(path)
    if suffix == "mp3":
        for frame in (TIT2(text="Title"), TPE1(text="\u00c4rtist"), TALB(text="Album")):
            file.tags.add(frame)
        file.tags.add(APIC(mime=mime, type=3, data=cover))
    elif suffix == "m4a":
        file["\xa9nam"], file["\xa9ART"], file["\xa9alb"] = "Title", "\u00c4rtist", "Album"
        file["covr"] = [cover]
    else:
        file["title"], file["artist"], file["album"] = "Title", "\u00c4rtist", "Album"
        embedded = Picture()
        embedded.data, embedded.type, embedded.mime = cover, 3, mime
        embedded.width = embedded.height = 40
        if suffix == "flac":
            file.add_picture(embedded)
        else:
            file["metadata_block_picture"] = base64.b64encode(embedded.write()).decode()
    file.save()
    return path.read_bytes()


@pytest.mark.parametrize("suffix", ["mp3", "flac", "m4a", "opus"])
@pytest.mark.parametrize(("kind", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_the_song_is_known_by_its_tags(
    server: Server, tmp_path: Path, suffix: str, kind: str, mime: str
) -> None:
    cover = picture(kind)
    data = tagged(tmp_path, suffix, cover, mime)
    song = server.classify(data).json()["song"]
    known = {"title": "Title", "artist": "\u00c4rtist", "album": "Album", "has_cover": True}
    assert song == known | {"cover": None}
    song = server.classify(data, cover=1).json()["song"]
    assert song["cover"] == f"data:{mime};base64,{base64.b64encode(cover).decode()}"


COVERS = {
    "a page": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "a script": b"<script>alert(1)</script>",
    "nothing": b"",
    "noise": b"\0\1\2" * 99,
    "too large": picture("PNG", 400),
}


@pytest.mark.parametrize("kind", COVERS)
@pytest.mark.parametrize("suffix", ["mp3", "flac", "m4a"])
def test_covers_that_are_not_small_pictures_are_left_out(
    server: Server, tmp_path: Path, suffix: str, kind: str
) -> None:
    answer = server.classify(tagged(tmp_path, suffix, COVERS[kind]), cover=1)
    assert answer.status_code == 200
    song = answer.json()["song"]
    assert song["title"] == "Title"
    assert song["has_cover"] is False
    assert song["cover"] is None


def test_a_song_without_tags(server: Server) -> None:
    song = server.classify(wav(signals.music(2.0)), cover=1).json()["song"]
    assert set(song.values()) == {None, False}


# ------------------------------------------------------------------------------ the page


def test_the_api_is_described_without_the_network(server: Server) -> None:
    page = server.get("/docs")
    assert page.status_code == 200
    document = server.get("/openapi.json").json()
    for path in document["paths"]:
        assert path in page.text
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page.text
    assert "<script" not in page.text
    assert "://" not in page.text


def test_with_a_key_the_description_asks_for_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", api_key=KEY) as server:
        document = server.get("/openapi.json").json()
        assert document["components"]["securitySchemes"]["key"]["name"] == "X-API-Key"
        needs = {
            path
            for path, item in document["paths"].items()
            for o in item.values()
            if "security" in o
        }
        assert needs == {
            *("/v1/classify", "/v1/similar", "/v1/genres", "/v1/recommendations", "/metrics"),
            "/v1/corrections",
        }
        for path in needs:
            method = "POST" if "post" in document["paths"][path] else "GET"
            assert httpx.request(method, server.url + path).status_code == 401
        assert "Needs the API key" in server.get("/docs").text


def test_the_first_request_is_as_fast_as_the_second_in_what_it_does(server: Server) -> None:
    """Everything slow is imported before the server says that it is ready."""
    [worker] = server.workers()
    loaded = {Path(entry.path).name for entry in worker.memory_maps()}
    server.classify(wav(signals.music(12.0)), spectrograms=True, mode="middle")
    after = {Path(entry.path).name for entry in worker.memory_maps()}
    assert not {name for name in after - loaded if ".so" in name}
