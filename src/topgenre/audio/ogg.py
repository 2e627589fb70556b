"""Detect chained Ogg files, in which FFmpeg confuses the links."""

from __future__ import annotations

from topgenre.audio.source import Reader

_PAGE, _BEGINS = b"OggS", 2
_HEADER = 27  # bytes, plus one per segment
_LONGEST_HEADER = _HEADER + 255
_READ_BYTES = 1 << 18


def is_chained(file: Reader) -> bool:
    """Return whether an Ogg file has several links, one after the other.

    Time stamps restart in each link. If the links are equally long, only the first page of the
    second one shows that there are two. Streams that are played together all begin before any
    other page.
    """
    file.seek(0)
    if file.read(len(_PAGE)) != _PAGE:
        return False
    begun = False  # whether the first pages of the streams are over
    offset = 0
    while True:
        file.seek(offset)
        block = file.read(_READ_BYTES)
        at, last = 0, len(block) - _LONGEST_HEADER
        while at <= last:
            if block[at : at + 4] != _PAGE:
                found = block.find(_PAGE, at)
                at = found if found >= 0 else last + 1
                continue
            if block[at + 5] & _BEGINS:
                if begun:
                    return True
            else:
                begun = True
            body = at + _HEADER + block[at + 26]
            at = body + sum(block[at + _HEADER : body])
        if len(block) < _READ_BYTES:
            return False
        offset += at
