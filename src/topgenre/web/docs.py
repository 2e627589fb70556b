"""Render the OpenAPI document as plain HTML, without scripts or network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} API</title>
<link rel="stylesheet" href="static/design/tokens.css">
<link rel="stylesheet" href="static/design/base.css">
</head>
<body>
<main>
<h1>{title} API</h1>
<p>{summary} Version {version}. <a href="./">The page</a> ·
<a href="openapi.json">openapi.json</a></p>
{operations}
<h2>Objects</h2>
{objects}
</main>
</body>
</html>
"""


def as_html(document: dict[str, Any]) -> str:
    """Render an OpenAPI document as HTML.

    Parameters
    ----------
    document : dict
        As FastAPI makes it.
    """
    info = document["info"]
    operations = [
        _operation(method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    objects = [_object(*pair) for pair in document["components"]["schemas"].items()]
    return _PAGE.format(
        title=escape(info["title"]),
        summary=escape(info.get("summary", "")),
        version=escape(info["version"]),
        operations="\n".join(operations),
        objects="\n".join(objects),
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"]
    parts += [f"<p>{escape(text)}</p>" for text in operation.get("description", "").split("\n\n")]
    if operation.get("security"):
        parts.append("<p>Needs the API key.</p>")
    rows = [
        (
            f"<code>{escape(parameter['name'])}</code>",
            _type(parameter["schema"]),
            escape(parameter.get("description", "")),
        )
        for parameter in operation.get("parameters", ())
    ]
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        for name, schema in media["schema"].get("properties", {}).items():
            said = escape(schema.get("description", ""))
            rows.append((f"<code>{escape(name)}</code>", f"field of {escape(kind)}", said))
    parts += _table(("Parameter", "Type", ""), rows)
    answers = [
        (escape(status), escape(answer["description"]), " ".join(_bodies(answer)))
        for status, answer in operation["responses"].items()
    ]
    parts += _table(("Status", "", "Body"), answers)
    return "\n".join(parts)


def _object(name: str, schema: dict[str, Any]) -> str:
    rows = [
        (f"<code>{escape(field)}</code>", _type(value), escape(value.get("description", "")))
        for field, value in schema.get("properties", {}).items()
    ]
    said = escape(schema.get("description", ""))
    heading = f'<h3 id="{escape(name)}">{escape(name)}</h3>\n<p>{said}</p>'
    return "\n".join([heading, *_table(("Field", "Type", ""), rows)])


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    yield "<table>"
    yield f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
    yield "</table>"


def _bodies(answer: dict[str, Any]) -> Iterator[str]:
    for kind, media in answer.get("content", {}).items():
        yield _type(media["schema"]) if media.get("schema") else escape(kind)


def _type(schema: dict[str, Any]) -> str:
    """Describe the type of a value."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return " or ".join(
            f"<code>{escape(str(v))}</code>" for v in schema.get("enum", [schema.get("const")])
        )
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(kind))
