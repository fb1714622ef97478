"""Anthropic's Messages: what of a request the decision and the classifier read.

The source of the shapes is Anthropic's API reference, "Create a Message". What the decision
does not need may have any shape: content blocks grow with each release.
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
from prism.prompt.members import ceiling, decode, member, utf8_length
from prism.prompt.standing import FIRST, NOTHING, opening, standing
from prism.routing.catalog import Capability


class Block(msgspec.Struct, gc=False):
    """One block of a message's content; ``content`` is a tool's result, ``input`` a call's."""

    type: str = ""
    text: str | None = None
    content: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    source: msgspec.Raw = NOTHING
    signature: msgspec.Raw = NOTHING


class Turn(msgspec.Struct, gc=False):
    """One message of the conversation."""

    role: str
    content: str | list[Block]


class Typed(msgspec.Struct, gc=False):
    """An object of which only the type counts."""

    type: str | None = None


class OutputConfig(msgspec.Struct, gc=False):
    """``output_config``; only the format's type counts."""

    format: Typed | None = None


Content = str | list[Block]
_TURNS = msgspec.json.Decoder(list[Turn])
_SYSTEM = msgspec.json.Decoder(Content | None)
_RESULT = msgspec.json.Decoder(Content)
_TOOLS = msgspec.json.Decoder(list[msgspec.Raw] | None)
_TYPED = msgspec.json.Decoder(Typed)
_FORMAT = msgspec.json.Decoder(Typed | None)
_CONFIG = msgspec.json.Decoder(OutputConfig | None)
# Defined by Anthropic, run by the client; all other tools with a type run at Anthropic.
_RUN_BY_CLIENT = ("custom", "bash_", "text_editor_", "computer_", "memory_")
_AT_PROVIDER = ("mcp_servers", "container")
_NULL = (b"null", b"[]")


def read_message_request(document: Document) -> Chat:
    """Read the members of a Messages request that decide its route. Raises ``BadBody``."""
    turns: list[Turn] | None = member(document, "messages", _TURNS)
    if not turns:
        what = "is empty" if turns is not None else "is missing"
        raise BadBody("no_messages", f"'messages' {what}; send at least one message.", "messages")
    tools: list[msgspec.Raw] = member(document, "tools", _TOOLS) or []
    system: Content = member(document, "system", _SYSTEM) or ""
    size, pictures = measure(system)
    for turn in turns:
        more, seen = measure(turn.content)
        size, pictures = size + more, pictures + seen
    size += sum(len(memoryview(tool)) for tool in tools)
    needs = {Capability.TOOLS} if tools else set()
    if pictures:
        needs.add(Capability.VISION)
    if _has_schema(document):
        needs.add(Capability.JSON_SCHEMA)
    messages = [_plain(turn.role, turn.content) for turn in turns]
    return Chat(
        text=classifier_text(messages),
        needs=frozenset(needs),
        input_tokens=size // BYTES_PER_TOKEN
        + MESSAGE_TOKENS * len(turns)
        + IMAGE_TOKENS * pictures,
        # 0 fills the provider's cache and asks for no answer.
        max_output_tokens=ceiling(document, "max_tokens", least=0),
        stream=bool(member(document, "stream", SWITCH)),
        acts_at_provider=_acts_at_provider(document, tools),
        opening=opening([_plain("system", system), *messages]),
        standing=standing(messages) if len(messages) > 1 else FIRST,
    )


def measure(content: Content, *, deep: bool = True) -> tuple[int, int]:
    """The length of all text in UTF-8 bytes, and how many pictures and scanned pages there are.

    ``deep`` looks into the results of tools, which hold no further ones.
    """
    if isinstance(content, str):
        return utf8_length(content), 0
    size = pictures = 0
    for block in content:
        if block.text:
            size += utf8_length(block.text)
        if block.type == "image":
            pictures += 1
        elif block.type == "document":
            more, seen = _document(block)
            size, pictures = size + more, pictures + seen
        elif block.type == "tool_result" and deep:
            more, seen = _result(block)
            size, pictures = size + more, pictures + seen
        else:
            size += len(memoryview(block.content)) + len(memoryview(block.input))
    return size, pictures


def _result(block: Block) -> tuple[int, int]:
    try:
        return measure(_RESULT.decode(block.content), deep=False)
    except (msgspec.DecodeError, RecursionError):
        # None, or a shape that is Anthropic's to judge.
        return len(memoryview(block.content)), 0


def _document(block: Block) -> tuple[int, int]:
    """Text counts as text; a PDF is seen, as a picture is."""
    try:
        kind = _TYPED.decode(block.source).type
    except (msgspec.DecodeError, RecursionError):
        kind = None
    return (len(memoryview(block.source)), 0) if kind in ("text", "content") else (0, 1)


def _plain(role: str, content: Content) -> Message:
    """A turn with its text and with what tells where the conversation stands."""
    if isinstance(content, str):
        return Message(role, content)
    parts = [Part(block.type, block.text, block.signature) for block in content]
    return Message(role, parts)


def _has_schema(document: Document) -> bool:
    older: Typed | None = member(document, "output_format", _FORMAT)
    config: OutputConfig | None = member(document, "output_config", _CONFIG)
    form = older or (None if config is None else config.format)
    return form is not None and form.type == "json_schema"


def _acts_at_provider(document: Document, tools: Sequence[msgspec.Raw]) -> bool:
    for name in _AT_PROVIDER:
        value = document.value(name)
        if value is not None and bytes(value) not in _NULL:
            return True
    return any(_is_hosted(tool) for tool in tools)


def _is_hosted(tool: msgspec.Raw) -> bool:
    kind: str | None = decode(tool, "tools", _TYPED).type
    return kind is not None and not kind.startswith(_RUN_BY_CLIENT)
