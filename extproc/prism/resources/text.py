"""Bytes of a file to YAML documents: encoding, syntax, one document after the other."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

from prism.resources.problem import Problem, Severity
from prism.resources.source import Built, build

MAX_BYTES = 16 * 1024 * 1024
"""The largest file that is read. An API server takes no object over 1.5 MiB."""

# Enough for anchors in honest use; an alias bomb needs far more.
_ALIAS_ALLOWANCE = 10_000

# What libyaml says, and what to do about it.
_ADVICE: Mapping[str, str] = {
    "character that cannot start any token": "a tab, or a character that needs quotes",
    "mapping values are not allowed": "text with a colon needs quotes",
    "second occurrence": "an anchor (&name) is defined twice; rename one",
    "undefined alias": "define it with &name first, or quote text that begins with *",
    "did not find expected key": "look at the indentation here and on the line before",
    "could not find expected ':'": "a key needs a colon and a value",
}


def documents(content: str | bytes, file: str) -> tuple[list[Built], list[Problem]]:
    """Every non-empty YAML document of a file, and what keeps the rest from being read.

    After a syntax error nothing more of the file can be read.
    """
    text, problem = _decode(content, file)
    if problem:
        return [], [problem]
    built: list[Built] = []
    loader = None
    try:
        loader = yaml.CSafeLoader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is not None and not _is_empty(node):
                built.append(build(node, file, budget=len(text) + _ALIAS_ALLOWANCE))
    except yaml.YAMLError as error:
        return built, [_syntax_problem(error, text, file)]
    finally:
        if loader is not None:
            loader.dispose()
    return built, []


def _is_empty(node: yaml.Node) -> bool:
    # A file of comments, or nothing between two "---".
    return isinstance(node, yaml.ScalarNode) and node.value == "" and not node.style


def _decode(content: str | bytes, file: str) -> tuple[str, Problem | None]:
    if len(content) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB; split it"
        return "", Problem(Severity.ERROR, message, file=file)
    try:
        # Text goes through bytes as well, so that lone surrogates are refused here.
        raw = content.encode() if isinstance(content, str) else content
        return raw.decode("utf-8-sig"), None
    except UnicodeEncodeError:
        return "", Problem(Severity.ERROR, "the text is not valid Unicode", file=file)
    except UnicodeDecodeError as error:
        before = bytes(error.object[: error.start])
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        message = f"byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"
        return "", Problem(Severity.ERROR, message, file=file, line=line, column=column)


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    line = column = 0
    if isinstance(error, yaml.MarkedYAMLError):
        what = error.problem or error.context or "cannot be read"
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            line, column = mark.line + 1, mark.column + 1
    else:
        # A reader error: a control character, which the C parser places by offset only.
        what = str(getattr(error, "reason", "cannot be read"))
        line, column = _first_control_character(text)
    if _has_tab_indent(text, line):
        advice = "the line is indented with a tab; use spaces"
    else:
        advice = next((hint for said, hint in _ADVICE.items() if said in what), "")
    message = f"not valid YAML: {what}" + (f" ({advice})" if advice else "")
    return Problem(Severity.ERROR, message, file=file, line=line, column=column)


def _has_tab_indent(text: str, line: int) -> bool:
    lines = text.splitlines()
    if not 0 < line <= len(lines):
        return False
    content = lines[line - 1]
    return "\t" in content[: len(content) - len(content.lstrip())]


def _first_control_character(text: str) -> tuple[int, int]:
    match = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    if match is None:
        return 0, 0
    before = text[: match.start()]
    return before.count("\n") + 1, match.start() - before.rfind("\n")
