"""What every API's request comes down to, and what it is refused with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

IMAGE_TOKENS = 85
"""What an image counts as: what OpenAI charges for one in low detail."""

TokenBound = Annotated[int, msgspec.Meta(ge=1)]


@dataclass(eq=False)
class Refusal(Exception):
    """A request that is answered with an error, in OpenAI's words."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    kind: str = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; ``schema`` is the JSON Schema of its arguments."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for an answer, whichever API it came by.

    ``last_text`` is the last thing the user said. ``prompt_chars`` is all text together.
    ``call`` is the tool that the answer calls. ``schema`` is what a JSON answer must satisfy:
    ``None`` for an answer in prose, empty for any JSON object.
    """

    model: str
    last_text: str = ""
    prompt_chars: int = 0
    images: int = 0
    max_tokens: int | None = None
    stream: bool = False
    include_usage: bool = False
    call: Tool | None = None
    schema: Mapping[str, Any] | None = None

    @property
    def prompt_tokens(self) -> int:
        """About what a tokenizer would count: four characters a token, and the images."""
        return max(1, -(-self.prompt_chars // 4)) + IMAGE_TOKENS * self.images


def called_tool(tools: Sequence[Tool], choice: object) -> Tool | None:
    """The tool that an answer calls: the one in ``tool_choice``, else the first."""
    if not tools or choice == "none":
        return None
    if isinstance(choice, dict):
        function = choice.get("function")
        named = function if isinstance(function, dict) else choice
        wanted = named.get("name")
        return next((tool for tool in tools if tool.name == wanted), tools[0])
    return tools[0]


def text_of(content: object, kinds: frozenset[str]) -> tuple[str, int, int]:
    """The text of a message's content, the characters in it and its images.

    ``content`` is a string or parts; ``kinds`` are the types of the parts that are images.
    """
    if isinstance(content, str):
        return content, len(content), 0
    if not isinstance(content, list):
        return "", 0, 0
    texts: list[str] = []
    images = 0
    for part in content:
        if not isinstance(part, dict):
            continue
        if part.get("type") in kinds:
            images += 1
        elif isinstance(text := part.get("text"), str):
            texts.append(text)
    whole = "\n".join(texts)
    return whole, len(whole), images
