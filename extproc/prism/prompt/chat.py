"""OpenAI Chat Completions: what of a request the decision and the classifier read.

Only these members are looked at; everything else passes as it is. The source of the shapes
is OpenAI's API reference, "Create chat completion".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from prism.prompt.document import BadBody, Document
from prism.prompt.members import ceiling, decode, member, utf8_length
from prism.prompt.standing import FIRST, NOTHING, Standing, opening, standing
from prism.prompt.turns import leans_on_before
from prism.routing.catalog import Capability, Mode

# OpenAI's price of a 1024x1024 image at high detail, and of the framing of each message.
IMAGE_TOKENS = 765
MESSAGE_TOKENS = 4
# UTF-8 bytes in a token: about 4 for English, and 3 bytes a character, 0.75 tokens, for CJK.
BYTES_PER_TOKEN = 4
MODEL_CHARS = 256
"""A longer name than this names no model, and is not carried into messages and records."""


class Part(msgspec.Struct, gc=False):
    """One part of a message's content; pictures and sounds are counted, never decoded."""

    type: str = ""
    text: str | None = None
    signature: msgspec.Raw = NOTHING
    encrypted_content: msgspec.Raw = NOTHING


class Message(msgspec.Struct, gc=False):
    """One message of the conversation. Raw values are looked at only where they are."""

    role: str
    content: str | list[Part] | None = None
    tool_calls: msgspec.Raw = NOTHING
    thinking_blocks: msgspec.Raw = NOTHING
    reasoning_details: msgspec.Raw = NOTHING
    encrypted_content: msgspec.Raw = NOTHING


class Tool(msgspec.Struct, gc=False):
    """A tool that the model may use; the client runs those of type function and custom."""

    type: str = "function"


class ResponseFormat(msgspec.Struct, gc=False):
    """``response_format``; only its type counts."""

    type: str = "text"


class Kwargs(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The ``prism`` object of a body: the twins of the request headers."""

    mode: str | None = None
    model_prefer: str | None = None
    max_cost: float | None = None
    min_quality: float | None = None
    max_latency_ms: float | None = None
    conversation: str | None = None


_MESSAGES = msgspec.json.Decoder(list[Message])
_MODEL = msgspec.json.Decoder(str)
_FORMAT = msgspec.json.Decoder(ResponseFormat | None)
_TOOLS = msgspec.json.Decoder(list[msgspec.Raw] | None)
_TOOL = msgspec.json.Decoder(Tool)
SWITCH = msgspec.json.Decoder(bool | None)
_KWARGS = msgspec.json.Decoder(Kwargs | None)
_SWITCHES = ("store", "background")
_RUN_BY_CLIENT = frozenset({"function", "custom"})
_PICTURES = frozenset({"image_url", "image", "input_image"})


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat request as the rest of Prism sees it. ``input_tokens`` is an estimate.

    ``acts_at_provider``: the provider itself searches, runs code, keeps the answer or the
    like, so that two providers answering would do it twice. ``opening`` tells
    conversations apart; empty: this is of none.
    """

    text: str
    needs: frozenset[Capability]
    input_tokens: int
    max_output_tokens: int | None
    stream: bool
    acts_at_provider: bool
    opening: str = ""
    standing: Standing = FIRST


def model_of(document: Document) -> str | None:
    """The value of ``model``; ``None`` where it is missing. Raises ``BadBody``."""
    model: str | None = member(document, "model", _MODEL)
    if model is not None and not model:
        raise BadBody("invalid_model", "'model' is empty.", "model")
    if model is not None and len(model) > MODEL_CHARS:
        message = f"'model' is longer than {MODEL_CHARS} characters; no model has such a name."
        raise BadBody("invalid_model", message, "model")
    return model


def kwargs_of(document: Document) -> Kwargs | None:
    """The body's ``prism`` object, ``None`` where there is none. Raises ``BadBody``."""
    kwargs: Kwargs | None = member(document, "prism", _KWARGS)
    return kwargs


def read_chat(document: Document) -> Chat:
    """Read the members of a chat request that decide its route. Raises ``BadBody``."""
    messages: list[Message] | None = member(document, "messages", _MESSAGES)
    if not messages:
        what = "is empty" if messages is not None else "is missing"
        raise BadBody("no_messages", f"'messages' {what}; send at least one message.", "messages")
    size, pictures = _measure(messages)
    tools = member(document, "tools", _TOOLS) or member(document, "functions", _TOOLS)
    form: ResponseFormat | None = member(document, "response_format", _FORMAT)
    needs = set()
    if tools:
        needs.add(Capability.TOOLS)
    if pictures:
        needs.add(Capability.VISION)
    if form is not None and form.type == "json_schema":
        needs.add(Capability.JSON_SCHEMA)
    size += sum(len(memoryview(tool)) for tool in tools or ())
    return Chat(
        text=classifier_text(messages),
        needs=frozenset(needs),
        input_tokens=size // BYTES_PER_TOKEN
        + MESSAGE_TOKENS * len(messages)
        + IMAGE_TOKENS * pictures,
        max_output_tokens=ceiling(document, "max_completion_tokens", "max_tokens"),
        stream=bool(member(document, "stream", SWITCH)),
        acts_at_provider=_acts_at_provider(document, tools),
        opening=opening(messages),
        standing=standing(messages) if len(messages) > 1 else FIRST,
    )


def read_messages(encoded: bytes | msgspec.Raw) -> list[Message]:
    """Decode the value of ``messages``; raises ``BadBody``."""
    messages: list[Message] = decode(encoded, "messages", _MESSAGES)
    return messages


def classifier_text(messages: list[Message]) -> str:
    """What the classifier sees: the last user turn, after the one before it when it leans on that.

    System prompts, answers and tool results are not shown to it: they say what the app is,
    not what this turn asks. Without a user turn, the last message with text counts.
    """
    users = (message for message in reversed(messages) if message.role == "user")
    turns = (text for message in islice(users, 2) if (text := text_of(message)))
    last = next(turns, None)
    if last is None:
        return next((text for message in reversed(messages) if (text := text_of(message))), "")
    if leans_on_before(last) and (before := next(turns, None)) is not None:
        return f"{before}\n{last}"
    return last


def text_of(message: Message) -> str:
    """A message's text; several text parts are joined by line ends."""
    content = message.content
    if isinstance(content, str):
        return content
    if not content:
        return ""
    return "\n".join(part.text for part in content if part.text)


def mode_named(name: str) -> Mode | None:
    """The mode of that name in any case, or ``None``."""
    try:
        return Mode(name.strip().lower())
    except ValueError:
        return None


def _acts_at_provider(document: Document, tools: Sequence[msgspec.Raw] | None) -> bool:
    members = document.members
    if "web_search_options" in members:
        return True
    if any(name in members and _switched_on(document, name) for name in _SWITCHES):
        return True
    return any(_is_hosted(tool) for tool in tools or ())


def _switched_on(document: Document, name: str) -> bool:
    """Whether a switch is on; what is no switch is the provider's to refuse."""
    value = document.value(name)
    return value is not None and bytes(value) not in (b"false", b"null")


def _is_hosted(tool: msgspec.Raw) -> bool:
    """Whether a tool runs at the provider; so does one that can't be read, to be safe."""
    try:
        return _TOOL.decode(tool).type not in _RUN_BY_CLIENT
    except (msgspec.DecodeError, RecursionError):
        return True


def _measure(messages: list[Message]) -> tuple[int, int]:
    """The text's length in UTF-8 bytes, and how many pictures there are."""
    size = pictures = 0
    for message in messages:
        content = message.content
        if isinstance(content, str):
            size += utf8_length(content)
        elif content:
            for part in content:
                if part.text:
                    size += utf8_length(part.text)
                pictures += part.type in _PICTURES
    return size, pictures
