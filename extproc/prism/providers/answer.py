"""What a simulated model says: the same to the same request, and how long it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from prism.providers.ask import Ask, Refusal
from prism.providers.placeholder import placeholder
from prism.providers.spec import ProviderSpec

FINGERPRINT = "fp_prism_simulated"
_TOKEN = 4  # characters, about what English needs
_QUOTED = 60
_FILLER = "and so it goes on, one word after the other, "
# 2026-01-01T00:00:00Z; answers say a time after it that depends on the request alone.
_EPOCH = 1_767_225_600


@dataclass(frozen=True, slots=True)
class Call:
    """The call of a tool; ``arguments`` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to an ``Ask``, in no API's shape yet.

    ``seed`` is hex from the request, for ids. ``cut``: the request's bound of tokens cut it.
    """

    model: str
    seed: str
    text: str
    call: Call | None
    prompt_tokens: int
    completion_tokens: int
    cut: bool

    @property
    def created(self) -> int:
        """Seconds since 1970; made up from the request, so that answers repeat exactly."""
        return _EPOCH + int(self.seed[:6], 16)

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def id(self, prefix: str) -> str:
        """An id that looks real, such as ``chatcmpl-5f…``."""
        return prefix + self.seed[:29]

    def pieces(self) -> Iterator[str]:
        """The text, or the call's arguments, token by token."""
        whole = self.text if self.call is None else self.call.arguments
        return (whole[at : at + _TOKEN] for at in range(0, len(whole), _TOKEN))


class Frame(NamedTuple):
    """One event of a stream, and how many tokens of the answer are out once it is."""

    data: bytes
    tokens: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint has to say to one request: a JSON value, or the frames of a stream."""

    model: str
    tokens: int
    stream: bool
    plain: Callable[[], Any]
    frames: Callable[[], Iterable[Frame]]


def seed_of(spec: ProviderSpec, body: bytes) -> str:
    """64 hex digits that depend on the provider and the request alone."""
    return hashlib.blake2b(body, key=spec.name.encode()[:64], digest_size=32).hexdigest()


def answer_to(ask: Ask, spec: ProviderSpec, body: bytes) -> Answer:
    """What ``spec``'s model answers to ``ask``, whose body is ``body``."""
    call = None
    if ask.call is not None:
        call = Call(ask.call.name, _json_for(ask.call.schema, "tools"))
        text = ""
    elif ask.schema is not None:
        text = _json_for(ask.schema, "response_format") if ask.schema else _any_object(ask, spec)
    else:
        text = _prose(ask, spec)
    said = text if call is None else call.name + call.arguments
    tokens = _tokens(said)
    cut = call is None and ask.max_tokens is not None and tokens > ask.max_tokens
    if cut and ask.max_tokens is not None:
        tokens = ask.max_tokens
        text = text[: tokens * _TOKEN]
    return Answer(ask.model, seed_of(spec, body), text, call, ask.prompt_tokens, tokens, cut)


def _prose(ask: Ask, spec: ProviderSpec) -> str:
    text = f"[{spec.name}/{ask.model}] You said: {ask.last_text[:_QUOTED]}"
    wanted = spec.answer_tokens
    if ask.max_tokens is not None:
        wanted = min(wanted, ask.max_tokens)
    missing = wanted * _TOKEN - len(text) - 1
    if missing <= 0:
        return text
    return text + " " + (_FILLER * (missing // len(_FILLER) + 1))[:missing]


def _any_object(ask: Ask, spec: ProviderSpec) -> str:
    return msgspec.json.encode({"answer": _prose(ask, spec)}).decode()


def _json_for(schema: Any, param: str) -> str:
    try:
        return msgspec.json.encode(placeholder(schema)).decode()
    except (AttributeError, TypeError, ValueError) as problem:
        message = f"Invalid schema in '{param}': {problem}"
        raise Refusal(400, message, "invalid_function_parameters", param) from None


def _tokens(text: str) -> int:
    return -(-len(text) // _TOKEN)
