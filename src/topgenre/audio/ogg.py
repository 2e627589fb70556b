"""Find Ogg files that were joined end to end, whose links FFmpeg takes for one another."""

from __future__ import annotations

from topgenre.audio.source import Reader

_PAGE, _BEGINS = b"OggS\0", 2
_FIRST_PAGE = _PAGE + bytes([_BEGINS])  # of a stream
_READ_BYTES = 1 << 20


def is_chained(file: Reader) -> bool:
    """Tell whether an Ogg file has a second group of streams behind the first.

    Their time stamps begin anew. Where both are equally long, nothing but the first page of the
    second one shows that there are two.
    """
    at = _end_of_first_pages(file)
    if not at:
        return False
    file.seek(at)
    rest = b""
    while block := file.read(_READ_BYTES):
        block = rest + block
        if _FIRST_PAGE in block:
            return True
        rest = block[1 - len(_FIRST_PAGE) :]
    return False


def _end_of_first_pages(file: Reader) -> int:
    """Return the offset behind the pages that begin the first group's streams; 0 if it is no Ogg.

    Streams that are played together all begin before anything else.
    """
    at = 0
    while True:
        file.seek(at)
        head = file.read(27)
        if len(head) < 27 or not head.startswith(_PAGE) or not head[5] & _BEGINS:
            return at
        at += 27 + head[26] + sum(file.read(head[26]))
