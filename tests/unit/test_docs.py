"""The documentation against the code: links, examples, error codes and commands hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from prism.cli import main
from prism.resources import ROUTING_TABLE, compile_resources, has_errors, read_text
from prism.routing.decision import ErrorCode

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "extproc" / "prism"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONTRACT = ROOT / "docs" / "client-contract.md"

# What makes an error that a client sees: the functions and classes that take its code.
MAKERS = {"BadBody", "Denied", "Refusal", "error", "error_body", "_error", "_last", "_openai"}
PLACES = ["exchange", "prompt", "routing", "envoy", "serve"]
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in some languages."""
    found = _FENCE.findall(page.read_text("utf-8"))
    return [text for language, text in found if language in languages]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    texts = _HEADING.findall(prose(page))
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text) for text in texts)
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in plain}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(prose(page)):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z][a-z0-9+.-]*:", path):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def resource_blocks(page: Path) -> list[str]:
    found = blocks(page, "yaml", "yml")
    return [text for text in found if "apiVersion: routing.prism.dev" in text]


@pytest.mark.parametrize("page", [p for p in PAGES if resource_blocks(p)], ids=name)
def test_resources_in_examples_are_valid(page: Path) -> None:
    resources, problems = [], []
    for number, text in enumerate(resource_blocks(page), 1):
        found, wrong = read_text(text, f"{name(page)}, example {number}")
        resources += found
        problems += wrong
    assert not has_errors(problems), "\n".join(map(str, problems))
    if any(resource.kind == ROUTING_TABLE for resource in resources):
        # What is called a complete example should raise no warning either.
        assert [str(problem) for problem in compile_resources(resources)[1]] == []


def test_there_is_a_complete_example() -> None:
    assert len(resource_blocks(ROOT / "docs" / "configuration.md")) >= 2


def made_codes(tree: ast.AST) -> Iterator[str]:
    """The codes of errors that a module makes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            called = function.attr if isinstance(function, ast.Attribute) else ""
            called = function.id if isinstance(function, ast.Name) else called
            values = [*node.args, *(word.value for word in node.keywords if word.arg == "code")]
            if called in MAKERS:
                constants = (value.value for value in values if isinstance(value, ast.Constant))
                # The code is the first text; a message has spaces, a format of Envoy's signs.
                texts = [text for text in constants if isinstance(text, str)][:1]
                yield from filter(CODE.fullmatch, texts)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "code":
                    text = value.value if isinstance(value, ast.Constant) else None
                    if isinstance(text, str) and CODE.fullmatch(text):
                        yield text


def codes_of_source() -> set[str]:
    codes = {code.value for code in ErrorCode}
    for place in PLACES:
        for module in (SOURCE / place).rglob("*.py"):
            codes |= set(made_codes(ast.parse(module.read_text("utf-8"))))
        for script in (SOURCE / place).rglob("*.lua"):
            codes |= set(re.findall(r'"code":"(\w+)"', script.read_text("utf-8")))
    return codes


def codes_of_docs() -> dict[str, set[int]]:
    """The statuses of each code in the table of errors."""
    text = CONTRACT.read_text("utf-8").split("<!-- error codes", 1)[1]
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", text, re.MULTILINE)
    codes: dict[str, set[int]] = {}
    for status, code in rows:
        codes.setdefault(code, set()).add(int(status))
    return codes


def test_the_search_for_codes_finds_each_way_to_make_one() -> None:
    found = codes_of_source()
    assert {
        "invalid_json",  # BadBody
        "unknown_url",  # self._error
        "model_gone",  # error
        "router_unavailable",  # error_body
        "invalid_api_key",  # Denied
        "no_eligible_model",  # ErrorCode
        "request_too_large",  # Envoy's local reply
    } <= found


def test_every_error_code_is_documented_and_none_is_made_up() -> None:
    assert set(codes_of_docs()) == codes_of_source()


def test_the_decision_order_names_the_same_statuses() -> None:
    order = (ROOT / "docs" / "reference" / "decision-order.md").read_text("utf-8")
    contract = codes_of_docs()
    for status, code in re.findall(r"\b([45]\d\d) `(\w+)`", order):
        assert int(status) in contract[code], f"{status} {code}"


def commands(page: Path) -> Iterator[list[str]]:
    """The words after ``prism`` of every command in a page's code."""
    lines = [line for text in blocks(page, "console", "sh", "bash") for line in text.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", prose(page))
    for text in [*lines, *spans]:
        if found := re.match(r"(?:\$ )?(?:\S+=\S+ )*(?:\S*/)?prism ([a-z][^|<>]*)", text):
            yield found[1].split()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page: Path) -> None:
    context = click.Context(main)
    for words in commands(page):
        command = main.get_command(context, words[0])
        assert command is not None, f"prism {words[0]}"
        rest = words[1:]
        if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            command = command.get_command(context, rest[0])
            assert command is not None, f"prism {words[0]} {rest[0]}"
        known = {option for parameter in command.params for option in parameter.opts}
        used = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert used <= known | {"--help"}, f"prism {' '.join(words)}"


def test_every_option_of_run_and_serve_is_explained() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    context = click.Context(main)
    for verb in ("run", "serve"):
        command = main.get_command(context, verb)
        assert command is not None
        options = {option for parameter in command.params for option in parameter.opts}
        assert [option for option in sorted(options) if f"`{option}" not in text] == []
