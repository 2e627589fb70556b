"""Small files that claim, unpack to, or point to far more than they hold."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import cache

from audio_files import encode, noise

RATE = 8_000


def sound(container: str = "ipod", codec: str = "aac", seconds: float = 3.0) -> bytes:
    """Give an honest file, into which a bomb may be built."""
    return encode(noise(seconds, 16_000), 16_000, container, codec, 32_000)


@cache
def _crc_table(width: int, polynomial: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << (width - 8)
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (width - 1) else 0)
            value &= (1 << width) - 1
        table.append(value)
    return tuple(table)


def _crc(data: bytes, width: int, polynomial: int) -> int:
    table, value = _crc_table(width, polynomial), 0
    for byte in data:
        value = (value << 8 & (1 << width) - 1) ^ table[value >> (width - 8) ^ byte]
    return value


def steady_flac(seconds: float, rate: int, claimed: int | None = None, value: int = 900) -> bytes:
    """Give a FLAC file of one value: a dozen bytes for a block of 65 535 samples."""
    block = 65_535
    n_blocks = -(-round(seconds * rate) // block)
    total = n_blocks * block if claimed is None else claimed
    info = struct.pack(">HH", block, block) + bytes(6)
    info += (rate << 44 | 15 << 36 | total).to_bytes(8, "big") + bytes(16)
    frames = []
    for number in range(n_blocks):
        # Variable rate and size of block stand at the header's end; the number is spelt as UTF-8.
        if rate % 10 == 0 and rate > 65_535:
            code, spelt = 0xE, struct.pack(">H", rate // 10)
        else:
            code, spelt = 0xD, struct.pack(">H", rate)
        head = bytes([0xFF, 0xF8, 0x70 | code, 0x08]) + _utf8(number)
        head += struct.pack(">H", block - 1) + spelt
        head += bytes([_crc(head, 8, 0x07)])
        frame = head + b"\0" + struct.pack(">h", value)
        frames.append(frame + struct.pack(">H", _crc(frame, 16, 0x8005)))
    return b"fLaC\x80\0\0\x22" + info + b"".join(frames)


def _utf8(number: int) -> bytes:
    return chr(number).encode("utf-8", "surrogatepass")


def box(kind: bytes, content: bytes) -> bytes:
    """Give a box of an MP4 file."""
    return struct.pack(">I", 8 + len(content)) + kind + content


def replaced(data: bytes, path: Sequence[bytes], change: bytes) -> bytes:
    """Put another content into the box at a path of an MP4 file."""
    out, at = b"", 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + size]
        if kind == path[0]:
            inner = change if len(path) == 1 else replaced(content, path[1:], change)
            out += box(kind, inner)
        else:
            out += data[at : at + size]
        at += size
    return out


STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def huge_sample_table(count: int = 200_000_000) -> bytes:
    """Give an MP4 file whose table says that there are `count` samples of one byte."""
    data = sound()
    data = replaced(data, (*STBL, b"stsz"), struct.pack(">III", 0, 1, count))
    data = replaced(data, (*STBL, b"stts"), struct.pack(">IIII", 0, 1, count, 1024))
    return replaced(data, (*STBL, b"stsc"), struct.pack(">IIIII", 0, 1, 1, count, 1))


def packed_header(n_bytes: int = 1 << 30) -> bytes:
    """Give a QuickTime file whose header is compressed, and a thousand times larger unpacked."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(n_bytes >> 20))
    packed += packer.flush()
    inner = box(b"dcom", b"zlib") + box(b"cmvd", struct.pack(">I", n_bytes) + packed)
    return box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", box(b"cmov", inner))


def packed_tag(n_bytes: int = 1 << 30, song: bytes = b"") -> bytes:
    """Give an MP3 file with a compressed ID3 frame, a thousand times larger unpacked."""
    packer = zlib.compressobj(9)
    packed = packer.compress(b"\3key\0")
    packed += b"".join(packer.compress(bytes(1 << 20)) for _ in range(n_bytes >> 20))
    packed += packer.flush()
    body = _synchsafe(n_bytes) + packed
    frame = b"TXXX" + _synchsafe(len(body)) + b"\0\x09" + body
    return b"ID3\4\0\0" + _synchsafe(len(frame)) + frame + (song or sound("mp3", "libmp3lame"))


def _synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def chapters(count: int = 50_000) -> bytes:
    """Give an MP3 file with a table of many chapters."""
    frames = b""
    parts = []
    for number in range(count):
        body = b"c%d\0" % number + struct.pack(">IIII", number, number + 1, 0, 0)
        title = b"\0t%d" % number
        body += b"TIT2" + _synchsafe(len(title)) + b"\0\0" + title
        parts.append(b"CHAP" + _synchsafe(len(body)) + b"\0\0" + body)
    frames = b"".join(parts)
    return b"ID3\4\0\0" + _synchsafe(len(frames)) + frames + sound("mp3", "libmp3lame")


def comments(count: int = 200_000) -> bytes:
    """Give a FLAC file with many comments."""
    data = sound("flac", "flac")
    body = struct.pack("<I", 0) + struct.pack("<I", count)
    body += b"".join(struct.pack("<I", len(c)) + c for c in (b"K%d=v" % n for n in range(count)))
    start = data[:4] + b"\0" + data[5:42]
    return start + b"\x84" + len(body).to_bytes(3, "big") + body + _flac_frames(data)


def _flac_frames(data: bytes) -> bytes:
    at, last = 4, False
    while not last:
        last = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return data[at:]


def picture_frame(picture: bytes, mime: bytes = b"image/png") -> bytes:
    """Give an MP3 file with a cover picture."""
    body = b"\0" + mime + b"\0\3\0" + picture
    frame = b"APIC" + _synchsafe(len(body)) + b"\0\0" + body
    return b"ID3\4\0\0" + _synchsafe(len(frame)) + frame + sound("mp3", "libmp3lame")


def huge_png(side: int = 16_000) -> bytes:
    """Give a picture that takes gigabytes unpacked."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    packer = zlib.compressobj(9)
    row = bytes(1 + 8 * side)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def many_ogg_streams(count: int = 20_000) -> bytes:
    """Give an Ogg file that begins thousands of streams."""
    data = sound("ogg", "flac")
    first = data[: 27 + data[26] + sum(data[27 : 27 + data[26]])]
    pages = []
    for number in range(count):
        page = (
            first[:14]
            + struct.pack("<I", number + 1_000_000)
            + first[18:22]
            + bytes(4)
            + first[26:]
        )
        pages.append(page[:22] + struct.pack("<I", _crc(page, 32, 0x04C11DB7)) + page[26:])
    return data[: len(first)] + b"".join(pages) + data[len(first) :]


def repeated_chunks(count: int = 100_000) -> bytes:
    """Give an MP4 file that plays the same few packets again and again: hours in kilobytes."""
    data = sound()
    n_samples = int.from_bytes(_content(data, (*STBL, b"stsz"))[8:12], "big")
    sizes = _content(data, (*STBL, b"stsz"))[12:]
    offset = _content(data, (*STBL, b"stco"))[8:12]
    total = n_samples * count
    data = replaced(data, (*STBL, b"stsz"), struct.pack(">III", 0, 0, total) + sizes * count)
    data = replaced(data, (*STBL, b"stts"), struct.pack(">IIII", 0, 1, total, 1024))
    data = replaced(data, (*STBL, b"stsc"), struct.pack(">IIIII", 0, 1, 1, n_samples, 1))
    return replaced(data, (*STBL, b"stco"), struct.pack(">II", 0, count) + offset * count)


def _content(data: bytes, path: Sequence[bytes]) -> bytes:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == path[0]:
            content = data[at + 8 : at + size]
            return content if len(path) == 1 else _content(content, path[1:])
        at += size
    raise LookupError(path)
