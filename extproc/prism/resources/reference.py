"""The reference page of both resources, written from their schemas.

``python -m prism.resources.reference > docs/reference/resources.md``
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from prism.resources.explain import PATTERNS
from prism.resources.schema import API_VERSION, KINDS, schema

_HEAD = f"""\
# Resources

<!-- Generated: python -m prism.resources.reference > docs/reference/resources.md -->

Two kinds of the API version `{API_VERSION}` steer Prism. The same YAML works with
`kubectl apply` and in the folder of `prism run --config DIR`; `prism validate` checks it.
Unknown fields are errors. A field that is not required may be left out, and then has its
default, where it has one. `[]` after a name stands for each entry of a list.
"""


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *(_kind(kind) for kind in KINDS)])


def _kind(kind: str) -> str:
    top = schema(kind)
    rows = "\n".join(_rows("spec", top))
    return (
        f"## {kind}\n\n{top['description']}\n\n"
        f"| Field | Type | Default | Meaning |\n|---|---|---|---|\n{rows}\n"
    )


def _rows(path: str, node: Mapping[str, Any]) -> Iterator[str]:
    required = node.get("required", ())
    for name, sub in node.get("properties", {}).items():
        here = f"{path}.{name}"
        default = "required" if name in required else _default(sub)
        meaning = f"{sub['description']}{_rule(sub)}"
        yield f"| `{here}` | {_type(sub)} | {default} | {_cell(meaning)} |"
        if sub["type"] == "array" and sub["items"]["type"] == "object":
            yield from _rows(f"{here}[]", sub["items"])
        else:
            yield from _rows(here, sub)


def _default(node: Mapping[str, Any]) -> str:
    # An empty mapping only opens the way for the defaults inside it.
    if "default" not in node or node["default"] == {}:
        return ""
    return f"`{json.dumps(node['default'])}`"


def _type(node: Mapping[str, Any]) -> str:
    kind: str = node["type"]
    if kind == "array":
        return f"list of {_type(node['items'])}"
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    return {"object": "mapping", "string": "text", "integer": "whole number"}.get(kind, kind)


def _rule(node: Mapping[str, Any]) -> str:
    """The limits of a value as a sentence."""
    least, most = node.get("minimum"), node.get("maximum")
    if least is not None and most is not None and "to 1" not in node["description"]:
        return f" From {least} to {most}."
    if node.get("type") == "array":
        low, high = node.get("minItems", 0), node["maxItems"]
        return f" {low} to {high} entries." if low else f" At most {high} entries."
    if "pattern" in node:
        most = node["maxLength"]
        size = "" if node.get("minLength") == most else f"; at most {most} characters"
        return f" Form: {PATTERNS[node['pattern']]}{size}."
    return ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.stdout.write(page())
