"""Tools, which of them to use, and the ids of their calls."""

from __future__ import annotations

import re
from typing import Any

from prism.translate.fields import Fields, each
from prism.translate.untranslatable import Untranslatable

_STRANGE = re.compile(r"[^a-zA-Z0-9_-]")
_NO_ARGUMENTS = {"type": "object", "properties": {}}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_CHOICES_BACK = {anthropic: openai for openai, anthropic in _CHOICES.items()}
_OF_A_TOOL = {
    "defer_loading": "OpenAI's API has no search for tools.",
    "allowed_callers": "OpenAI's API has no tools that other tools call.",
    "input_examples": "OpenAI's API has no examples of a tool's input; describe them.",
}


def call_id(given: str) -> str:
    """An id of a call with the characters that Anthropic's API allows (``[a-zA-Z0-9_-]``).

    The same id always gives the same, so that a call and its result stay together.
    """
    return _STRANGE.sub(lambda found: f"_{ord(found[0]):x}_", given)


def anthropic_tools(tools: list[Any]) -> list[dict[str, Any]]:
    """OpenAI's ``tools`` as Anthropic's."""
    return [_anthropic_tool(Fields(tool, path)) for tool, path in each(tools, "tools")]


def _anthropic_tool(tool: Fields) -> dict[str, Any]:
    kind = tool.need("type", str)
    if kind != "function":
        reason = f"Anthropic's API has no tools of OpenAI's type {kind!r}, only functions."
        raise Untranslatable(tool.at("type"), reason)
    function = Fields(tool.any("function"), tool.at("function"))
    said: dict[str, Any] = {"name": function.need("name", str)}
    if (description := function.get("description", str)) is not None:
        said["description"] = description
    said["input_schema"] = function.get("parameters", dict) or _NO_ARGUMENTS
    if function.get("strict", bool):
        said["strict"] = True
    function.done()
    tool.done()
    return said


def anthropic_choice(
    choice: Any, parallel: bool | None, *, has_tools: bool
) -> dict[str, Any] | None:
    """OpenAI's ``tool_choice`` and ``parallel_tool_calls`` as Anthropic's ``tool_choice``."""
    said = None if choice is None else _anthropic_choice(choice)
    if parallel is False and has_tools and (said is None or said["type"] != "none"):
        return {**(said or {"type": "auto"}), "disable_parallel_tool_use": True}
    return said


def _anthropic_choice(choice: Any) -> dict[str, Any]:
    match choice:
        case str() if choice in _CHOICES:
            return {"type": _CHOICES[choice]}
        case {"type": "function", "function": {"name": str(name)}}:
            return {"type": "tool", "name": name}
        case {"type": str(kind)}:
            reason = f"Anthropic's API has no tool choice like OpenAI's {kind!r}."
            raise Untranslatable("tool_choice", reason)
    reason = "This must be 'auto', 'none', 'required' or the name of a function."
    raise Untranslatable("tool_choice", reason)


def openai_tools(tools: list[Any]) -> list[dict[str, Any]]:
    """Anthropic's ``tools`` as OpenAI's."""
    return [_openai_tool(Fields(tool, path)) for tool, path in each(tools, "tools")]


def _openai_tool(tool: Fields) -> dict[str, Any]:
    kind = tool.get("type", str) or "custom"
    if kind != "custom":
        reason = f"A tool of type {kind!r} is built into Anthropic's models and API."
        raise Untranslatable(tool.at("type"), reason)
    function: dict[str, Any] = {"name": tool.need("name", str)}
    if (description := tool.get("description", str)) is not None:
        function["description"] = description
    function["parameters"] = tool.need("input_schema", dict)
    if tool.get("strict", bool):
        function["strict"] = True
    _check_only_said(tool)
    return {"type": "function", "function": function}


def _check_only_said(tool: Fields) -> None:
    # How finely the input streams and what is cached change no answer.
    tool.ignore(["cache_control", "eager_input_streaming"])
    if tool.any("defer_loading"):
        raise Untranslatable(tool.at("defer_loading"), _OF_A_TOOL["defer_loading"])
    if (tool.any("allowed_callers") or ["direct"]) != ["direct"]:
        raise Untranslatable(tool.at("allowed_callers"), _OF_A_TOOL["allowed_callers"])
    tool.refuse(_OF_A_TOOL)
    tool.done()


def openai_choice(choice: dict[str, Any]) -> dict[str, Any]:
    """Anthropic's ``tool_choice`` as the members of OpenAI's request that say the same."""
    given = Fields(choice, "tool_choice")
    kind = given.need("type", str)
    said: dict[str, Any] = {}
    if kind == "tool":
        said["tool_choice"] = {"type": "function", "function": {"name": given.need("name", str)}}
    elif kind in _CHOICES_BACK:
        said["tool_choice"] = _CHOICES_BACK[kind]
    else:
        raise Untranslatable("tool_choice.type", f"OpenAI's API has no tool choice like {kind!r}.")
    if given.get("disable_parallel_tool_use", bool):
        said["parallel_tool_calls"] = False
    given.done()
    return said
