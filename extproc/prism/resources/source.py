"""YAML text to plain values, with the line and column of each.

PyYAML's composer gives nodes with marks; the values are built here, because its own
constructor silently takes the last of two equal keys, expands alias bombs and turns dates
into objects.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from yaml.constructor import SafeConstructor

from prism.resources.problem import Finding, Path, show

MAX_DEPTH = 40
"""Nesting that a document may have; a RoutingTable has 7 levels."""

_TAG = "tag:yaml.org,2002:"
# YAML 1.1 in PyYAML reads 1e3 as text; Kubernetes' reader takes it as a number.
_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")
_SCALARS = SafeConstructor()
# Words that YAML 1.1 reads as booleans.
_BOOLEANS = SafeConstructor.bool_values


class Position(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A document's text as YAML nodes, to look up where a value stands."""

    file: str
    node: yaml.Node

    def position(self, path: Path, at_key: bool = False) -> Position:
        """Where the value at ``path`` begins (or its key), or the nearest value around it."""
        node = self.node
        mark = node.start_mark
        for part in path:
            key, child = _child(node, part)
            if child is None:
                return Position(mark.line + 1, mark.column + 1)
            node = child
            mark = key.start_mark if key is not None and at_key else child.start_mark
        return Position(mark.line + 1, mark.column + 1)

    def literal(self, path: Path) -> str | None:
        """The text of the unquoted scalar at ``path``, as it was written."""
        node: yaml.Node | None = self.node
        for part in path:
            if node is None:
                return None
            _, node = _child(node, part)
        if isinstance(node, yaml.ScalarNode) and not node.style:
            return str(node.value)
        return None


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
    if isinstance(part, int):
        if isinstance(node, yaml.SequenceNode) and part < len(node.value):
            return None, node.value[part]
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == part:
                return key, value
    return None, None


@dataclass(slots=True)
class Built:
    """The value of one YAML document and what is wrong with its YAML."""

    value: Any
    source: Source | None
    findings: list[Finding] = field(default_factory=list)


class _RefusedError(Exception):
    """The document cannot be turned into a value at all."""

    def __init__(self, path: Path, message: str) -> None:
        self.finding = Finding(path, message)


def build(node: yaml.Node, file: str, budget: int) -> Built:
    """The value of a composed document.

    ``budget`` is how many nodes may be built: text without aliases never has more nodes
    than characters, so that only an alias bomb goes over it.
    """
    built = Built(None, Source(file, node))
    builder = _Builder(built.findings, budget)
    try:
        built.value = builder.value(node, ())
    except _RefusedError as refused:
        built.findings.append(refused.finding)
    return built


class _Builder:
    """Walks the nodes of one document."""

    def __init__(self, findings: list[Finding], budget: int) -> None:
        self.findings = findings
        self.budget = budget

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.budget -= 1
        if self.budget < 0:
            raise _RefusedError((), "its aliases (*name) repeat too much; write the values out")
        if len(path) > MAX_DEPTH:
            raise _RefusedError(
                path[:4], f"nested more than {MAX_DEPTH} deep, or an alias inside its own anchor"
            )
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self.tag(node, path, "seq")
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self.scalar(node, path)

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        self.tag(node, path, "map")
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, item in node.value:
            if key.tag == f"{_TAG}merge":
                for source in self.merge_sources(item, path):
                    merged = {**source, **merged}
                continue
            name = self.key(key, path)
            if name in result:
                self.findings.append(
                    Finding(
                        (*path, name),
                        f"is here twice, again on line {key.start_mark.line + 1}; keep one",
                        at_key=True,
                    )
                )
                continue
            result[name] = self.value(item, (*path, name))
        return {**merged, **result} if merged else result

    def merge_sources(self, node: yaml.Node, path: Path) -> Iterator[dict[str, Any]]:
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for item in items:
            if isinstance(item, yaml.MappingNode):
                yield self.value(item, (*path, "<<"))
            else:
                message = "a merge key (<<) takes a mapping or a list of mappings"
                self.findings.append(Finding(path, message))

    def key(self, node: yaml.Node, path: Path) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise _RefusedError(path, "a key is a list or a mapping; keys are text")
        if node.style or node.tag in (f"{_TAG}str", f"{_TAG}value"):
            return str(node.value)
        self.findings.append(
            Finding(
                (*path, node.value),
                f"YAML does not read the key {show(node.value)} as text; put it in quotes",
                at_key=True,
            )
        )
        return str(node.value)

    def tag(self, node: yaml.Node, path: Path, expected: str) -> None:
        if node.tag != _TAG + expected:
            name = node.tag.replace(_TAG, "!!")
            self.findings.append(Finding(path, f"the tag {show(name)} is not supported; remove it"))

    def scalar(self, node: yaml.Node, path: Path) -> Any:
        kind = node.tag.removeprefix(_TAG)
        text: str = node.value
        if kind == "str" and _is_plain(node) and _EXPONENT.fullmatch(text):
            kind = "exponent"
        match kind:
            case "str" | "timestamp" | "value" | "merge":
                return text
            case "null":
                return None
            case "bool" if text.lower() in _BOOLEANS:
                return _BOOLEANS[text.lower()]
            case "int" | "float" | "exponent":
                return self.number(node, kind, path)
        self.tag(node, path, "str")
        return text

    def number(self, node: yaml.Node, kind: str, path: Path) -> int | float | str:
        text: str = node.value
        scalar: Any = node
        try:
            number: int | float
            if kind == "int":
                number = int(_SCALARS.construct_yaml_int(scalar))
            elif kind == "float":
                number = float(_SCALARS.construct_yaml_float(scalar))
            else:
                number = float(text)
        except (ValueError, OverflowError, IndexError):
            self.findings.append(Finding(path, f"{show(text)} is not a number that can be read"))
            return text
        if isinstance(number, float) and not math.isfinite(number):
            self.findings.append(Finding(path, f"{show(text)} is not a finite number"))
            return text
        return number


def _is_plain(node: yaml.Node) -> bool:
    """Whether a scalar stands without quotes, so that YAML guesses its type."""
    return isinstance(node, yaml.ScalarNode) and not node.style
