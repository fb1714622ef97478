"""The turns of a request of Anthropic's API as the messages of a Chat Completions request.

Differences of the two that decide what is done here:

- A result of a tool is a message of its own in OpenAI's API and comes before what the user
  says. It holds text only: a picture in it goes into the user's message that follows.
- OpenAI's API can't mark a result as an error: its text begins with ``Error:`` then.
- What a model of Anthropic's thought (``thinking``) is signed for it, and no other can read it.
  It is left out, as Anthropic's API itself leaves out the thinking of earlier turns.
- A conversation that ends with the assistant is a beginning that Anthropic's models go on
  with (prefill), which OpenAI's can't: that is refused.
"""

from __future__ import annotations

from typing import Any

from prism.translate.document import dump
from prism.translate.fields import Fields, each
from prism.translate.images import document_part, picture_part
from prism.translate.untranslatable import Untranslatable

Part = dict[str, Any]
_ERROR = "Error: "
# Where cached prefixes end, and where a text came from: neither is part of what was said.
_BESIDES = ("cache_control", "citations")
_OF_A_CALL = "A tool that another tool called is known to Anthropic's API alone."


def messages_of(turns: list[Any], system: Any) -> list[dict[str, Any]]:
    """The messages that ``messages`` and ``system`` of a request hold.

    Raises ``Untranslatable``.
    """
    said: list[dict[str, Any]] = []
    if system is not None and (parts := _texts(system, "system")):
        said.append({"role": "system", "content": _shortest(parts)})
    role = ""
    for value, path in each(turns, "messages"):
        turn = Fields(value, path)
        role = turn.need("role", str)
        content = turn.any("content")
        turn.done()
        said += _messages(role, content, path)
    if role in ("", "assistant"):
        reason = "The last turn must be the user's: models of OpenAI's API do not go on with one."
        raise Untranslatable(f"messages[{len(turns) - 1}]" if turns else "messages", reason)
    return said


def _messages(role: str, content: Any, path: str) -> list[dict[str, Any]]:
    at = f"{path}.content"
    match role:
        case "system":
            return [{"role": "system", "content": _shortest(_texts(content, at))}]
        case "user":
            return _user(content, at)
        case "assistant":
            return _assistant(content, at)
    reason = f"Anthropic's API has no turns with the role {role[:40]!r}."
    raise Untranslatable(f"{path}.role", reason)


def _shortest(parts: list[Part]) -> str | list[Part]:
    """A single text as a string, which means the same and is understood everywhere."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        text: str = parts[0]["text"]
        return text
    return parts


def _listed(content: Any, path: str) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise Untranslatable(path, "This must be a string or an array.")
    return content


def _texts(content: Any, path: str) -> list[Part]:
    """The parts of a content that may only be text."""
    parts = []
    for value, at in each(_listed(content, path), path):
        block = Fields(value, at)
        if block.need("type", str) != "text":
            raise Untranslatable(block.at("type"), "This may hold text only.")
        parts.append(_text(block))
    return parts


def _text(block: Fields) -> Part:
    text = block.need("text", str)
    block.ignore(_BESIDES)
    block.done()
    return {"type": "text", "text": text}


def _part(block: Fields, kind: str) -> Part:
    """A part of what a user says or a tool answers."""
    match kind:
        case "text":
            return _text(block)
        case "image":
            block.refuse({"transformations": "OpenAI's API can't be told how to scale pictures."})
            return picture_part(block)
        case "document":
            return document_part(block)
    reason = f"OpenAI's API has nothing like a block of type {kind[:40]!r}."
    raise Untranslatable(block.at("type"), reason)


def _user(content: Any, path: str) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    parts: list[Part] = []
    for value, at in each(_listed(content, path), path):
        block = Fields(value, at)
        kind = block.need("type", str)
        if kind == "tool_result":
            message, beside = _result(block)
            results.append(message)
            parts += beside
        else:
            parts.append(_part(block, kind))
    if not parts:
        return results
    return [*results, {"role": "user", "content": _shortest(parts)}]


def _result(block: Fields) -> tuple[dict[str, Any], list[Part]]:
    """The message of a tool, and the parts of its result that can't be in it."""
    call = block.need("tool_use_id", str)
    block.ignore(["cache_control"])
    failed = block.get("is_error", bool)
    content = block.any("content")
    path = block.at("content")
    block.done()
    parts = []
    for value, at in each(_listed(content if content is not None else [], path), path):
        inner = Fields(value, at)
        parts.append(_part(inner, inner.need("type", str)))
    texts = [part["text"] for part in parts if part["type"] == "text"]
    beside = [part for part in parts if part["type"] != "text"]
    if beside:
        texts.append(f"(The result has {len(beside)} attachments; they follow.)")
        beside = [{"type": "text", "text": f"Attachments of the result of {call}:"}, *beside]
    text = (_ERROR if failed else "") + "\n".join(texts)
    return {"role": "tool", "tool_call_id": call, "content": text}, beside


def _assistant(content: Any, path: str) -> list[dict[str, Any]]:
    parts: list[Part] = []
    calls: list[dict[str, Any]] = []
    for value, at in each(_listed(content, path), path):
        block = Fields(value, at)
        match block.need("type", str):
            case "text":
                parts.append(_text(block))
            case "tool_use":
                calls.append(_call(block))
            case "thinking" | "redacted_thinking":
                pass
            case kind:
                reason = f"OpenAI's API has nothing like a block of type {kind[:40]!r}."
                raise Untranslatable(block.at("type"), reason)
    if not parts and not calls:
        return []
    said: dict[str, Any] = {"role": "assistant", "content": _shortest(parts) if parts else None}
    if calls:
        said["tool_calls"] = calls
    return [said]


def _call(block: Fields) -> dict[str, Any]:
    block.ignore(["cache_control"])
    caller = block.get("caller", dict)
    if caller and caller.get("type") != "direct":
        raise Untranslatable(block.at("caller"), _OF_A_CALL)
    block.refuse({"toolset_name": "OpenAI's API has no sets of tools."})
    function = {
        "name": block.need("name", str),
        "arguments": dump(block.need("input", dict)).decode(),
    }
    said = {"id": block.need("id", str), "type": "function", "function": function}
    block.done()
    return said
