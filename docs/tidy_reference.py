"""A hook of MkDocs: in the Python reference, nothing stands where a docstring says nothing.

The theme of mkdocstrings writes a dash and an empty paragraph behind a parameter whose name says it
all, and takes the hyphen of "path-like" for a minus.
"""

from __future__ import annotations

import re
from typing import Any

_EMPTY = re.compile('\\s*\N{EN DASH}\\s*<div class="doc-md-description">\\s*</div>')


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Tidy the page ``api.md``; leave the others as they are."""
    if page.file.src_uri != "api.md":
        return html
    return _EMPTY.sub("", html).replace("path - like", "path-like")
