"""OpenAI's Responses: what of a request the decision and the classifier read.

The source of the shapes is OpenAI's API reference, "Create a model response". The items of
``input`` are of many types, with more to come: what the decision does not need may have any
shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from prism.prompt.chat import (
    BYTES_PER_TOKEN,
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    SWITCH,
    Chat,
    Message,
    Part,
    classifier_text,
)
from prism.prompt.document import BadBody, Document
from prism.prompt.members import ceiling, member, utf8_length
from prism.routing.catalog import Capability

_NOTHING = msgspec.Raw(b"")


class Item(msgspec.Struct, gc=False):
    """One item of ``input``: a message, or the call of a tool, its result, a thought."""

    type: str | None = None
    role: str | None = None
    content: msgspec.Raw = _NOTHING
    arguments: msgspec.Raw = _NOTHING
    output: msgspec.Raw = _NOTHING
    encrypted_content: msgspec.Raw = _NOTHING


class ContentPart(Part, gc=False):
    """One part of a message's content; ``file_id`` names what lies at a provider."""

    file_id: str | None = None


class Typed(msgspec.Struct, gc=False):
    """An object of which only the type counts."""

    type: str | None = None


class Text(msgspec.Struct, gc=False):
    """``text``; only the format's type counts."""

    format: Typed | None = None


_INPUT = msgspec.json.Decoder(str | list[Item] | None)
_CONTENT = msgspec.json.Decoder(str | list[ContentPart])
_INSTRUCTIONS = msgspec.json.Decoder(str | None)
_TOOLS = msgspec.json.Decoder(list[msgspec.Raw] | None)
_TOOL = msgspec.json.Decoder(Typed)
_TEXT = msgspec.json.Decoder(Text | None)
_RUN_BY_CLIENT = frozenset({"function", "custom", "local_shell", "apply_patch"})
_KEPT_THERE = ("previous_response_id", "conversation", "prompt")
_PICTURES = frozenset({"input_image", "input_file"})
_NULL = b"null"


def read_response_request(document: Document) -> Chat:
    """Read the members of a Responses request that decide its route. Raises ``BadBody``."""
    items = _items(document)
    messages = _messages(items)
    instructions: str = member(document, "instructions", _INSTRUCTIONS) or ""
    tools: list[msgspec.Raw] = member(document, "tools", _TOOLS) or []
    text: Text | None = member(document, "text", _TEXT)
    parts = [part for item in items for part in _parts(item)]
    pictures = sum(part.type in _PICTURES for part in parts)
    size = utf8_length(instructions) + sum(utf8_length(part.text or "") for part in parts)
    size += sum(len(memoryview(tool)) for tool in tools)
    size += sum(len(memoryview(i.arguments)) + len(memoryview(i.output)) for i in items)
    needs = {Capability.RESPONSES}
    if tools:
        needs.add(Capability.TOOLS)
    if pictures:
        needs.add(Capability.VISION)
    if text is not None and text.format is not None and text.format.type == "json_schema":
        needs.add(Capability.JSON_SCHEMA)
    return Chat(
        text=classifier_text(messages),
        needs=frozenset(needs),
        input_tokens=size // BYTES_PER_TOKEN
        + MESSAGE_TOKENS * len(messages)
        + IMAGE_TOKENS * pictures,
        max_output_tokens=ceiling(document, "max_output_tokens"),
        stream=bool(member(document, "stream", SWITCH)),
        acts_at_provider=_acts_at_provider(document, tools),
    )


def bound_by(document: Document) -> str | None:
    """The place of what only one provider understands: something that it keeps, or has
    encrypted. ``None`` where any may answer."""
    for name in _KEPT_THERE:
        value = document.value(name)
        if value is not None and bytes(value) != _NULL:
            return name
    for number, item in enumerate(_items(document)):
        if item.type == "item_reference":
            return f"input[{number}]"
        if bytes(item.encrypted_content) not in (b"", _NULL):
            return f"input[{number}].encrypted_content"
        if any(part.file_id is not None for part in _parts(item)):
            return f"input[{number}].content"
    return None


def _items(document: Document) -> list[Item]:
    given: str | list[Item] | None = member(document, "input", _INPUT)
    if not given:
        what = "is empty" if given is not None else "is missing"
        raise BadBody("no_messages", f"'input' {what}; send a text or a list of items.", "input")
    if isinstance(given, str):
        return [Item(role="user", content=msgspec.Raw(msgspec.json.encode(given)))]
    return given


def _messages(items: list[Item]) -> list[Message]:
    """The messages among the items."""
    return [
        Message(item.role, list(_parts(item)))
        for item in items
        if item.type in (None, "message") and item.role is not None
    ]


def _parts(item: Item) -> Sequence[ContentPart]:
    """The parts of a message; of other items, and of shapes that are not known, none."""
    if not memoryview(item.content):
        return ()
    try:
        content: str | list[ContentPart] = _CONTENT.decode(item.content)
    except (msgspec.DecodeError, RecursionError):
        return ()
    return [ContentPart("input_text", content)] if isinstance(content, str) else content


def _acts_at_provider(document: Document, tools: Sequence[msgspec.Raw]) -> bool:
    """Answers are kept unless ``store`` is off; the background and hosted tools act, too."""
    store, background = document.value("store"), document.value("background")
    if store is None or bytes(store) != b"false":
        return True
    if background is not None and bytes(background) not in (b"false", _NULL):
        return True
    return any(_is_hosted(tool) for tool in tools)


def _is_hosted(tool: msgspec.Raw) -> bool:
    try:
        return _TOOL.decode(tool).type not in _RUN_BY_CLIENT
    except (msgspec.DecodeError, RecursionError):
        return True
