"""What a schema violation means and what to do about it, in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError

from prism.resources.problem import Finding, Path, did_you_mean, format_path, listing, show
from prism.resources.schema import schema, validator

Literal = Callable[[Path], str | None]
"""The unquoted text that a value was written as, where there is text."""

PATTERNS: Mapping[str, str] = {
    "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$": "lower-case letters, digits and '-', no '-' at either end",
    "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$": "lower-case letters, digits, '-' and '.', "
    "a letter or digit at both ends",
    "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$": "letters, digits, '.', '_' and '-', "
    "a letter or digit at both ends",
    "^[A-Za-z0-9._/:@-]+$": "letters, digits and . _ / : @ -",
    "^[A-Za-z0-9._-]+$": "the NAME of an entry: letters, digits, '.', '_' and '-'",
    "^[A-Za-z0-9-]+$": "the name of a header: letters, digits and '-'",
    "^[!-~]+$": "printable ASCII without spaces",
    '^https?://[!"$->A-~]+$': "an http:// or https:// URL in ASCII without user, query or fragment",
    "^([0-9]{1,7}(h|m|s|ms)){1,4}$": "a duration such as 500ms, 30s or 2m",
    "^[0-9a-f]{64}$": 'the 64 hexadecimal digits that "prism calibrate --predict" wrote',
    "^[A-Za-z0-9+/]+={0,2}$": 'base64, as "prism calibrate --predict" wrote it',
    "^[0-9a-f]+$": '64 lower-case hexadecimal digits; "prism key hash" prints the hash of a key',
}
"""What each pattern of the schemas asks for; a pattern has no room for words of its own."""

_TYPES = {
    "object": "a mapping (name: value)",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}


MOST_UNKNOWN = 50
"""Unknown fields of one mapping that are named one by one: more are no slip of the pen."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A value that breaks one keyword of its schema ``node``; ``limit`` is that keyword's."""

    keyword: str
    limit: Any
    value: Any
    node: Mapping[str, Any]
    path: Path
    kind: str
    message: str
    literal: Literal

    @property
    def secret(self) -> bool:
        """Values of secret fields may be a key pasted by mistake: they are never repeated."""
        return self.node.get("format") == "password"


def violations(kind: str, spec: Any, literal: Literal) -> list[Finding]:
    """Everything that the schema of ``kind`` finds wrong with a defaulted ``spec``."""
    findings: list[Finding] = []
    for error in validator(kind).iter_errors(spec):
        violation = _violation(error, kind, literal)
        findings.extend(_EXPLAIN.get(violation.keyword, _other)(violation))
    # The first word on a value is enough: text of the wrong length breaks its pattern as well.
    first: dict[Path, Finding] = {}
    for finding in findings:
        first.setdefault(finding.path, finding)
    return list(first.values())


def _violation(error: ValidationError, kind: str, literal: Literal) -> Violation:
    known: Any = error  # its attributes are typed as possibly unset; here they are set
    path: Path = ("spec", *known.absolute_path)
    return Violation(
        str(known.validator),
        known.validator_value,
        known.instance,
        known.schema,
        path,
        kind,
        known.message,
        literal,
    )


def _shown(wrong: Violation) -> str:
    return "this value" if wrong.secret else show(wrong.value)


def _type(wrong: Violation) -> Iterator[Finding]:
    expected = str(wrong.limit)
    value = wrong.value
    message = f"must be {_TYPES[expected]}, not {_kind_of(wrong)}"
    written = wrong.literal(wrong.path)
    if expected == "string" and isinstance(value, bool | int | float):
        message += _unquoted(wrong, written or "")
    elif expected in ("number", "integer") and isinstance(value, str) and _is_numeric(value):
        message += ": remove the quotes"
    elif expected == "boolean" and isinstance(value, str):
        message += ": remove the quotes" if value.lower() in ("true", "false") else ""
    elif expected == "array" and isinstance(value, str) and not wrong.secret:
        message += f": write [{value[:60]}]" if value.isprintable() else ""
    yield Finding(wrong.path, message)


def _unquoted(wrong: Violation, written: str) -> str:
    """What to write where YAML has made a number or a boolean of a text without quotes."""
    if "enum" in wrong.node:
        return f": write one of {', '.join(wrong.node['enum'])}"
    pattern = wrong.node.get("pattern", "")
    if pattern and not re.search(pattern, written):
        return f": write {PATTERNS[pattern]}"
    if wrong.secret or not written:
        return ": put it in quotes"
    noun = "boolean" if isinstance(wrong.value, bool) else "number"
    return f': YAML reads {written} as a {noun}; put it in quotes: "{written}"'


def _kind_of(wrong: Violation) -> str:
    value = wrong.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the boolean {show(value)}"
    if isinstance(value, str):
        return "text" if wrong.secret else f"the text {show(value)}"
    return "a number" if wrong.secret else f"{show(value)}"


def _is_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _required(wrong: Violation) -> Iterator[Finding]:
    # jsonschema reports each missing field on its own, naming it only in its message.
    for name in wrong.limit:
        if wrong.message.startswith(f"{name!r} "):
            about = wrong.node["properties"][name].get("description", "")
            sentence = about.partition(". ")[0].rstrip(".")
            yield Finding((*wrong.path, name), f"is missing ({sentence})")


def _unknown(wrong: Violation) -> Iterator[Finding]:
    known = wrong.node["properties"]
    unknown = [name for name in wrong.value if name not in known]
    for name in unknown[:MOST_UNKNOWN]:
        advice = did_you_mean(name, known)
        if not advice and (homes := sorted(set(_homes(name, schema(wrong.kind), "spec")))):
            advice = f"; a field of this name belongs in {listing(homes, 3)}"
        if not advice:
            advice = f"; the fields here are {listing(sorted(known))}"
        yield Finding((*wrong.path, name), f"unknown field {show(name)}{advice}", at_key=True)
    if len(unknown) > MOST_UNKNOWN:
        yield Finding(wrong.path, f"has {len(unknown) - MOST_UNKNOWN} more unknown fields")


def _homes(name: str, node: Mapping[str, Any], path: str) -> Iterator[str]:
    """Where else the schema has a field of this name: often it is only indented wrongly."""
    properties = node.get("properties", {})
    if name in properties:
        yield path
    for key, sub in properties.items():
        yield from _homes(name, sub, f"{path}.{key}")
    if "items" in node:
        yield from _homes(name, node["items"], f"{path}[]")


def _enum(wrong: Violation) -> Iterator[Finding]:
    values = wrong.limit
    if isinstance(wrong.value, str):  # else the type is already reported
        hint = did_you_mean(wrong.value, values)
        yield Finding(wrong.path, f"must be one of {', '.join(values)}, not {_shown(wrong)}{hint}")


def _bound(word: str) -> Callable[[Violation], Iterator[Finding]]:
    def explain(wrong: Violation) -> Iterator[Finding]:
        bound = f"{wrong.limit:,}".replace(",", "_")
        yield Finding(wrong.path, f"must be {word} {bound}, not {show(wrong.value)}")

    return explain


def _length(wrong: Violation) -> Iterator[Finding]:
    limit, length = wrong.limit, len(wrong.value)
    if wrong.node.get("minLength") == wrong.node.get("maxLength"):
        rule = PATTERNS[wrong.node["pattern"]]
        yield Finding(wrong.path, f"must be {rule}, not {length} characters")
    elif length == 0:
        yield Finding(wrong.path, "must not be empty")
    elif wrong.keyword.startswith("max"):
        yield Finding(wrong.path, f"must have at most {limit} characters, not {length}")
    else:
        yield Finding(wrong.path, f"must have at least {limit} characters, not {length}")


def _count(wrong: Violation) -> Iterator[Finding]:
    limit, length = wrong.limit, len(wrong.value)
    if wrong.keyword.startswith("max"):
        yield Finding(wrong.path, f"must have at most {limit} entries, not {length}")
    elif wrong.path[-1] == "allowed":
        message = "must not be empty: leave it out to allow all, or name those allowed"
        yield Finding(wrong.path, message)
    else:
        yield Finding(wrong.path, "must not be empty: it needs at least one entry")


def _pattern(wrong: Violation) -> Iterator[Finding]:
    rule = PATTERNS.get(wrong.limit, f"text that matches {wrong.limit}")
    # A base URL may hold a password.
    secret = wrong.secret or (wrong.path[-1] == "baseURL" and "@" in wrong.value)
    yield Finding(wrong.path, f"must be {rule}" + ("" if secret else f", not {_shown(wrong)}"))


def _twice(wrong: Violation) -> Iterator[Finding]:
    keys = wrong.node.get("x-kubernetes-list-map-keys", ())
    # The path ends at the entry (and its key); the list is above it.
    start = wrong.path[: len(wrong.path) - 1 - len(keys[:1])]
    value = wrong.value[wrong.path[len(start)]]
    if len(keys) > 1:
        what = " with ".join(f"{key} {show(value[key])}" for key in keys)
    elif keys:
        node = wrong.node["items"]["properties"][keys[0]]
        value = value[keys[0]]
        what = "this key" if node.get("format") == "password" else f"the name {show(value)}"
    else:
        what = show(value)
    first = format_path((*start, int(wrong.message)))
    advice = "remove one or rename it" if keys[:1] == ["name"] else "remove one"
    yield Finding(wrong.path, f"{what} is already at {first}; {advice}")


def _other(wrong: Violation) -> Iterator[Finding]:
    yield Finding(wrong.path, f"is not valid ({wrong.keyword})")


_EXPLAIN: Mapping[str, Callable[[Violation], Iterator[Finding]]] = {
    "type": _type,
    "required": _required,
    "additionalProperties": _unknown,
    "enum": _enum,
    "minimum": _bound("at least"),
    "maximum": _bound("at most"),
    "minLength": _length,
    "maxLength": _length,
    "minItems": _count,
    "maxItems": _count,
    "pattern": _pattern,
    "x-kubernetes-list-type": _twice,
}
"""How each keyword of a schema is explained."""
