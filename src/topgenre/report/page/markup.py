"""HTML that cannot be broken out of: whatever is not markup already is escaped where it is put."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from string import Template

from topgenre.text import json_safe, without_controls

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


class Html(str):
    """Text that is markup: made by this module, or part of the package."""

    __slots__ = ()


def plain(value: str) -> str:
    """Spell out control characters and raw bytes of file names; drop what reverses text."""
    return without_controls(str(json_safe(value)).translate(_CONTROLS))


def text(value: object) -> Html:
    """Return markup as it is, and anything else as markup that shows it."""
    return value if isinstance(value, Html) else Html(escape(plain(str(value))))


def join(parts: Iterable[object]) -> Html:
    """Return several parts as one."""
    return Html("".join(map(text, parts)))


def element(name: str, /, *children: object, **attributes: object) -> Html:
    """Return an element.

    Parameters
    ----------
    name : str
    *children : object
        Markup, text and numbers; None is left out.
    **attributes : object
        An underscore at the end of a name is dropped, others become hyphens. Those that are None
        are left out.
    """
    words = [name]
    for attribute, value in attributes.items():
        if value is not None:
            words.append(f'{attribute.rstrip("_").replace("_", "-")}="{text(value)}"')
    inner = join(child for child in children if child is not None)
    return Html(f"<{' '.join(words)}>{inner}</{name}>")


def data(record: object) -> Html:
    """Return a record as JSON for a script element, which only a ``<`` could end."""
    return Html(json.dumps(record, separators=(",", ":")).replace("<", "\\u003c"))


def fill(template: str, **values: object) -> Html:
    """Return a template, as `string.Template` has it, with values put in."""
    return Html(Template(template).substitute({name: text(v) for name, v in values.items()}))
