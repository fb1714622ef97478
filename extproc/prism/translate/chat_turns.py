"""The messages of a Chat Completions request as a system prompt and turns of Anthropic's API.

Differences of the two that decide what is done here:

- Anthropic has the system prompt beside the conversation. System and developer messages at the
  start go there; later ones stay where they are, as messages with the role ``system``, which
  newer models of Anthropic's know and older ones refuse by themselves.
- A tool's result is part of a user turn, and the first part of it. Turns of the same role that
  follow one another are joined, as Anthropic's API would do by itself.
- An empty text is no block of Anthropic's. It says nothing, so it is left out.
- A conversation that ends with the assistant makes Anthropic's models go on with that message,
  and OpenAI's begin a new one: that is refused.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from prism.translate.document import load
from prism.translate.fields import Fields, each
from prism.translate.images import file_block, picture_block
from prism.translate.tools import call_id
from prism.translate.untranslatable import Untranslatable

_NAME = {
    "name": "Anthropic's API has no names of participants; write the name into the text.",
}
_OF_AN_ASSISTANT = {
    **_NAME,
    "audio": "Anthropic's API has no audio.",
    "function_call": "Functions of the older kind are not translated; use tools.",
}
# What other models thought, what they cited, and how OpenAI's caches work: Anthropic's models
# can't go on with the first and need neither of the others.
_NOT_PART_OF_THE_TURN = ("reasoning_content", "reasoning", "reasoning_details", "annotations")
_CACHING = ("prompt_cache_breakpoint",)

Block = dict[str, Any]


class Conversation(NamedTuple):
    """``system`` and ``turns`` as Anthropic's request holds them; empty where there is none."""

    system: list[Block]
    turns: list[dict[str, Any]]


def conversation_of(messages: list[Any]) -> Conversation:
    """The conversation that ``messages`` hold. Raises ``Untranslatable``."""
    system: list[Block] = []
    turns: list[dict[str, Any]] = []
    for value, path in each(messages, "messages"):
        message = Fields(value, path)
        role, blocks = _turn(message, message.need("role", str))
        message.done()
        if role == "system" and not turns:
            system += blocks
        elif turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns:
        raise Untranslatable("messages", "Anthropic's API needs a message of the user.")
    if turns[-1]["role"] == "assistant":
        reason = "Anthropic's models would go on with this message instead of answering it."
        raise Untranslatable(f"messages[{len(messages) - 1}]", reason)
    for turn in turns:
        turn["content"] = shortest(turn["content"])
    return Conversation(system, turns)


def shortest(blocks: list[Block]) -> str | list[Block]:
    """A single plain text as a string, which means the same."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    return blocks


def _turn(message: Fields, role: str) -> tuple[str, list[Block]]:
    match role:
        case "system" | "developer":
            message.refuse(_NAME)
            return "system", _content(message, ("text",))
        case "user":
            message.refuse(_NAME)
            blocks = _content(message, ("text", "image_url", "file"))
            if not blocks:
                reason = "Anthropic's API takes no message of the user without content."
                raise Untranslatable(message.at("content"), reason)
            return "user", blocks
        case "assistant":
            return "assistant", _assistant(message)
        case "tool":
            return "user", [_result(message)]
    reason = f"Anthropic's API has no messages with the role {role[:40]!r}."
    raise Untranslatable(message.at("role"), reason)


def _content(message: Fields, kinds: tuple[str, ...]) -> list[Block]:
    """The blocks of a message's content, of which only parts of these types may be."""
    content = message.any("content")
    if content is None:
        return []
    path = message.at("content")
    if isinstance(content, str):
        return _text(content)
    if not isinstance(content, list):
        raise Untranslatable(path, "This must be a string or an array.")
    parts = (Fields(value, at) for value, at in each(content, path))
    return [block for part in parts for block in _blocks(part, kinds)]


def _text(text: str) -> list[Block]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _blocks(part: Fields, kinds: tuple[str, ...]) -> list[Block]:
    kind = part.need("type", str)
    if kind not in kinds:
        reason = f"Anthropic's API has no such part as {kind[:40]!r} in a message of this role."
        raise Untranslatable(part.at("type"), reason)
    part.ignore(_CACHING)
    if kind == "text":
        blocks = _text(part.need("text", str))
    elif kind == "refusal":
        blocks = _text(part.need("refusal", str))
    else:
        blocks = [picture_block(part) if kind == "image_url" else file_block(part)]
    part.done()
    return blocks


def _assistant(message: Fields) -> list[Block]:
    message.refuse(_OF_AN_ASSISTANT)
    message.ignore(_NOT_PART_OF_THE_TURN)
    blocks = _content(message, ("text", "refusal"))
    if (refusal := message.get("refusal", str)) is not None:
        blocks += _text(refusal)
    calls = message.get("tool_calls", list) or []
    return blocks + [_call(Fields(call, at)) for call, at in each(calls, message.at("tool_calls"))]


def _call(call: Fields) -> Block:
    kind = call.get("type", str) or "function"
    if kind != "function":
        reason = f"Anthropic's API has no calls of OpenAI's type {kind!r}."
        raise Untranslatable(call.at("type"), reason)
    function = Fields(call.any("function"), call.at("function"))
    given = arguments(function.get("arguments", str) or "", function.at("arguments"))
    said = {
        "type": "tool_use",
        "id": call_id(call.need("id", str)),
        "name": function.need("name", str),
        "input": given,
    }
    function.done()
    call.ignore(["index"])
    call.done()
    return said


def arguments(text: str, path: str) -> dict[str, Any]:
    """The input of a tool from its JSON text; no text is no input. Raises ``Untranslatable``."""
    given = load(text, path) if text.strip() else {}
    if not isinstance(given, dict):
        raise Untranslatable(path, "Anthropic's API takes only an object as a tool's input.")
    return given


def _result(message: Fields) -> Block:
    message.ignore(["name"])  # the call that the id names has it too
    blocks = _content(message, ("text", "image_url"))
    said: Block = {
        "type": "tool_result",
        "tool_use_id": call_id(message.need("tool_call_id", str)),
    }
    if blocks:
        said["content"] = shortest(blocks)
    return said
