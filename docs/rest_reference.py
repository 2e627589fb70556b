"""The REST reference as Markdown, from the OpenAPI document of the application itself.

``python docs/rest_reference.py`` prints it. As a hook of MkDocs, this module adds it to the site as
``rest-reference.md``; it is no file in the repository, so it can never be older than the code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from topgenre.web.routes import API_KEY_HEADER

PAGE = "rest-reference.md"
_METHODS = ("get", "post", "put", "patch", "delete")
_PROBLEM = "urn:topgenre:problem:"
_INTRODUCTION = """\
# REST reference

This page is made from the OpenAPI document, which every server gives at `/openapi.json`. How to run
a server, and what its settings are, is in [the web application](web.md).

A server that has an API key wants it in the header `{key}`, from everybody and for everything but
`/healthz`, `/readyz` and `/v1/info`.

Errors are [ProblemDetails](#problemdetails). What stands in brackets behind them is the end of
their `type`, after `{prefix}`.
"""

Json = dict[str, Any]


def render(document: Json) -> str:
    """Write an OpenAPI document as one page."""
    key = API_KEY_HEADER
    lines = [_INTRODUCTION.format(key=key, prefix=_PROBLEM)]
    for address, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                lines += _operation(f"{method.upper()} {address}", methods[method])
    lines += ["## Objects", ""]
    for name, schema in document["components"]["schemas"].items():
        lines += _object(name, schema)
    return "\n".join(lines) + "\n"


def _operation(title: str, operation: Json) -> Iterator[str]:
    yield from (f"## `{title}`", "", operation["description"], "")
    body = operation.get("requestBody", {}).get("content", {})
    for media_type, content in body.items():
        yield from (f"Body: `{media_type}`.", "")
        yield from _fields(content["schema"], "Field")
    if parameters := operation.get("parameters"):
        yield from ("| Query | Type | Default | |", "| --- | --- | --- | --- |")
        for parameter in parameters:
            schema = parameter["schema"]
            default = _default(schema, required=parameter["required"])
            said = parameter.get("description", "")
            yield f"| `{parameter['name']}` | {_type(schema)} | {default} | {said} |"
        yield ""
    yield from ("| Status | Answer |", "| --- | --- |")
    for status, response in sorted(operation["responses"].items()):
        yield f"| {status} | {_answer(response)} |"
    yield ""


def _answer(response: Json) -> str:
    said: str = response["description"].replace(_PROBLEM, "")
    for media_type, content in response.get("content", {}).items():
        if media_type != "application/problem+json":
            schema = content.get("schema", {})
            said = _type(schema) if "$ref" in schema else f"`{media_type}`"
    if "headers" in response:
        said += ", with " + ", ".join(f"`{name}`" for name in response["headers"])
    return said


def _object(name: str, schema: Json) -> Iterator[str]:
    yield from (f"### {name}", "", schema.get("description", ""), "")
    yield from _fields(schema, "Field")


def _fields(schema: Json, heading: str) -> Iterator[str]:
    yield from (f"| {heading} | Type | |", "| --- | --- | --- |")
    for name, field in schema["properties"].items():
        said = field.get("description", "")
        if name not in schema.get("required", ()):
            said = f"May be missing. {said}".strip()
        if field.get("examples"):
            example = json.dumps(field["examples"][0], ensure_ascii=False)
            said = f"{said} For example `{example}`.".strip()
        yield f"| `{name}` | {_type(field)} | {said} |"
    yield ""


def _default(schema: Json, *, required: bool) -> str:
    if required:
        return "needed"
    default = schema.get("default")
    return "none" if default is None else f"`{json.dumps(default).strip(chr(34))}`"


def _reference(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _type(schema: Json) -> str:
    """Say a schema's type in a few words."""
    if "$ref" in schema:
        return _reference(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind: str = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    if schema.get("format") == "binary":
        return "file"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low:g} to {high:g}"
    return kind if low is None else f"{kind}, {low:g} or more"


def page() -> str:
    """Return the page for the application as it is."""
    from topgenre.web.app import create_app
    from topgenre.web.settings import Settings

    return render(create_app(Settings()).openapi())


def on_files(files: Any, *, config: Any) -> Any:
    """Add the page to the site."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, PAGE, content=page()))
    return files


if __name__ == "__main__":
    sys.stdout.write(page())
