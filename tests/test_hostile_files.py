"""Files made to do harm: to read what they should not, or to take all the memory or time there is.

Each ends in one clean error, or in a proper result.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest

import bombs
from audio_files import sample
from topgenre.audio import load_segment
from topgenre.errors import AudioError, NotAudioError, SourceNotFoundError

# -------------------------------------------------------------- other files, and the network

# {0} is an address: a path, or a URL.
PLAYLISTS = {
    "m3u": "#EXTM3U\n#EXTINF:30,\n{0}\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:30\n#EXTINF:30,\n{0}\n#EXT-X-ENDLIST\n",
    "hls-master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{0}\n",
    "hls-key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{0}"\n#EXTINF:9,\n{0}\n#EXT-X-ENDLIST\n',
    "hls-subfile": "#EXTM3U\n#EXTINF:9,\nsubfile,,start,0,end,0,,:{0}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{0}'\n",
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1">'
        "<BaseURL>{0}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    ),
    "sdp": (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=audio 5004 RTP/AVP 0\na=control:{0}\n"
    ),
    "cue": 'FILE "{0}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "pls": "[playlist]\nFile1={0}\nNumberOfEntries=1\n",
    "asx": '<asx version="3.0"><entry><ref href="{0}"/></entry></asx>',
    "asf-reference": "[Reference]\nRef1={0}\n",
    "smil": '<smil><body><audio src="{0}"/></body></smil>',
    "xspf": '<playlist version="1"><trackList><track><location>{0}</location></track></trackList>',
    "image-sequence": "{0}",
}
DISGUISES = {
    "as it is": b"",
    "behind an ID3 tag": b"ID3\4\0\0\0\0\0\x0a" + bytes(10),
    "behind a byte-order mark": b"\xef\xbb\xbf",
}


def every_disguise(address: str, folder: Path) -> Iterator[Path]:
    """Write all playlists under all names, as they are and behind other formats' first bytes."""
    for kind, text in PLAYLISTS.items():
        for head in DISGUISES.values():
            for suffix in ("mp3", "m3u8", "ffconcat", "sdp", "mpd", "cue", "wav"):
                path = folder / f"{kind}.{suffix}"
                path.write_bytes(head + text.format(address).encode())
                yield path
    yield from reference_movies(address, folder)


def reference_movies(address: str, folder: Path) -> Iterator[Path]:
    """Write a QuickTime film whose sound is in another file, as a URL and as a Macintosh alias."""
    data = sample("m4a", 4.7)
    here = data.index(b"url \0\0\0\1") + 8  # the entry that says: in this very file
    (folder / "url.mov").write_bytes(grown(data, here, address.encode() + b"\0", b"url \0\0\0\0"))
    path = address.encode()
    path = path if len(path) % 2 == 0 else b"/" + path
    name = path[-63:]
    alias = bytes(10) + b"\x04" + b"disk".ljust(27, b"\0") + bytes(12)
    alias += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16 + 4 + 16)
    alias += struct.pack(">HH", 2, len(path)) + path + struct.pack(">HH", 0xFFFF, 0)
    (folder / "alias.mov").write_bytes(grown(data, here, alias, b"alis\0\0\0\0"))
    yield folder / "url.mov"
    yield folder / "alias.mov"


def grown(data: bytes, at: int, more: bytes, entry: bytes) -> bytes:
    """Put bytes at the end of the entry of a `dref` box that ends at `at`."""
    changed = bytearray(data[: at - 8] + entry + more + data[at:])
    for kind in (b"url ", b"alis", b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        place = changed.rfind(kind, 0, at)
        if place > 0:
            (size,) = struct.unpack_from(">I", changed, place - 4)
            struct.pack_into(">I", changed, place - 4, size + len(more))
    return bytes(changed)


def refused_or_decoded(path: Path) -> None:
    """Load a file by its name, and as an open file that has a name of its own."""
    with suppress(AudioError):
        load_segment(path)
    with path.open("rb") as file, suppress(AudioError):
        load_segment(file)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes like these")
def test_no_byte_of_another_file_is_read(tmp_path: Path) -> None:
    """The other file is a pipe, which forgets what was read from it."""
    canary = tmp_path / "canary.ts"
    os.mkfifo(canary)
    handle = os.open(canary, os.O_RDWR | os.O_NONBLOCK)
    try:
        sound = sample("mpegts", 4.7)[:4096]
        os.write(handle, sound)
        for path in every_disguise(str(canary), tmp_path):
            refused_or_decoded(path)
        assert os.read(handle, 65536) == sound
    finally:
        os.close(handle)


@pytest.mark.parametrize("scheme", ["http", "tcp", "rtmp"])
def test_no_connection_is_made(scheme: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        address = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/canary.ts"
        for path in every_disguise(address, tmp_path):
            refused_or_decoded(path)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_without_limits_libav_would_make_the_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        path = tmp_path / "hls.m3u8"
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/canary.ts"
        path.write_text(PLAYLISTS["hls"].format(address))
        limits = {"protocol_whitelist": "file,http,tcp"}
        with pytest.raises(av.error.FFmpegError):  # as nobody answers
            av.open(str(path), container_options=limits, timeout=0.5)
        connection, _ = listener.accept()
        connection.close()


def test_without_limits_libav_would_read_the_other_file(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_bytes(np.random.default_rng(0).bytes(200_000))
    film = list(reference_movies(str(canary), tmp_path))[-1]
    options = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(str(film), container_options=options) as file:
        assert bytes(next(file.demux())) in canary.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no device files")
@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/urandom"])
def test_devices_are_no_files(device: str, tmp_path: Path) -> None:
    link = tmp_path / "song.mp3"
    link.symlink_to(device)
    for path in (device, link):
        with pytest.raises(SourceNotFoundError, match="device"):
            load_segment(path)


def test_playlists_are_no_sound(tmp_path: Path) -> None:
    """Even where what they name is sound, and lies beside them."""
    (tmp_path / "song.wav").write_bytes(sample("wav", 4.7))
    for kind, text in PLAYLISTS.items():
        path = tmp_path / f"{kind}.m3u8"
        path.write_text(text.format("song.wav"))
        with pytest.raises(NotAudioError):
            load_segment(path)


# ------------------------------------------------------------------------- memory and time

_MEASURED = """
import resource, sys
from topgenre.audio import load_segment, load_windows
from topgenre.errors import AudioError
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_segment(sys.argv[1])
before = peak()
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    if sys.argv[3] == "whole":
        said = f"{sum(1 for window in load_windows(sys.argv[2]))} windows"
    else:
        said = f"{load_segment(sys.argv[2]).samples.size / 22050:.0f} s"
except AudioError as error:
    said = type(error).__name__
print((peak() - before) >> 10, said)
"""


def one_huge_ape_packet(n_samples: int = 200_000_000) -> bytes:
    """Give a Monkey's Audio file that says of its only packet: silence, for more than an hour."""
    body = struct.pack("<II", 0x80000000, 3) + bytes(64)
    head = b"MAC " + struct.pack("<HHIIIIIII", 3990, 0, 52, 24, 4, 0, len(body), 0, 0) + bytes(16)
    head += struct.pack("<HHIIIHHI", 1000, 0x20, n_samples, n_samples, 1, 16, 2, 44_100)
    return head + struct.pack("<I", len(head) + 4) + body


def fragment(count: int = 60_000_000) -> bytes:
    """Give an MP4 file in fragments, one of which claims `count` packets of no size."""
    data = bombs.sound("mp4")
    run = bombs.box(b"trun", struct.pack(">II", 0, count))
    header = bombs.box(b"tfhd", struct.pack(">II", 0x20000, 1))
    moof = bombs.box(b"mfhd", struct.pack(">II", 0, 1)) + bombs.box(b"traf", header + run)
    return data + bombs.box(b"moof", moof)


BOMBS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "hours of silence": (
        lambda: bombs.steady_flac(36_000, 44_100, value=0),
        "middle",
        "SilentError",
    ),
    "ten hours of one value": (lambda: bombs.steady_flac(36_000, 44_100), "middle", "10 s"),
    "wide band, as a whole": (lambda: bombs.steady_flac(90, 655_350), "whole", "9 windows"),
    "ten hours, as a whole": (lambda: bombs.steady_flac(36_000, 44_100), "whole", "180 windows"),
    "silent hours, as a whole": (
        lambda: bombs.steady_flac(36_000, 44_100, value=0),
        "whole",
        "SilentError",
    ),
    "length claimed": (lambda: bombs.steady_flac(30, 44_100, (1 << 36) - 1), "middle", "10 s"),
    "sample table": (bombs.huge_sample_table, "middle", "DamagedAudioError"),
    "fragment": (fragment, "middle", "DamagedAudioError"),
    "packed header": (lambda: bombs.packed_header(1 << 27), "middle", "DamagedAudioError"),
    "one packet": (one_huge_ape_packet, "middle", "Error"),
    "cover picture": (lambda: bombs.picture_frame(bytes(30 << 20)), "middle", "3 s"),
    "picture of gigabytes": (lambda: bombs.picture_frame(bombs.huge_png(6_000)), "middle", "3 s"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows measures no memory like this")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_little_memory_and_time(name: str, tmp_path: Path) -> None:
    make, part, expected = BOMBS[name]
    (tmp_path / "honest.wav").write_bytes(sample("wav", 4.7))
    bomb = tmp_path / "bomb"
    bomb.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, tmp_path / "honest.wav", bomb, part],
        capture_output=True,
        text=True,
        check=True,
    )
    megabytes, said = done.stdout.split(maxsplit=1)
    assert expected in said
    assert int(megabytes) < 200 + bomb.stat().st_size * 4 // 2**20
