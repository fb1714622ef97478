"""Values: what one line of a log says."""

from __future__ import annotations

from dataclasses import dataclass

from prism.prompt.chat import MODEL_CHARS, Chat

MOST_TOKENS = 2**53
"""Counts beyond this are no counts; a double does not hold them exactly either."""
MOST_USD = 1e12
"""Costs of a line beyond this are none, and could not be summed."""


class BadLine(ValueError):
    """A line that can't be used; the message says why, and repeats no prompt."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line that is in order but has nothing to count, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts of tokens. ``cached`` and ``written`` (to the provider's cache) are parts of
    ``input``."""

    input: int
    output: int
    cached: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """One request that was answered, or the sum of ``requests`` like ones.

    ``chat`` is what the gateway would read of the request, ``None`` where the log has no
    prompts. ``provider`` is as the log calls it. ``own_usd`` is the log's own cost in US
    dollars. ``estimated``: the log has no usage, tokens are guessed from the texts.
    """

    model: str
    tokens: Tokens
    chat: Chat | None = None
    provider: str | None = None
    requests: int = 1
    own_usd: float | None = None
    estimated: bool = False


def model_name(text: str) -> str:
    """The name of a model, as it may be shown. Raises ``BadLine``."""
    if not text:
        raise BadLine("no model is named")
    if len(text) > MODEL_CHARS or not text.isprintable():
        raise BadLine("the name of the model is none: too long, or not printable")
    return text
