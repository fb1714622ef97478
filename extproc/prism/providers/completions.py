"""The legacy Completions: ``POST /completions``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from prism.providers import frame
from prism.providers.answer import FINGERPRINT, Answer, Frame, Reply, answer_to
from prism.providers.ask import Ask, TokenBound
from prism.providers.document import read
from prism.providers.spec import ProviderSpec


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Request(msgspec.Struct):
    model: str
    prompt: str | list[Any] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: TokenBound | None = None


_decoder = msgspec.json.Decoder(_Request)


def reply(body: bytes, spec: ProviderSpec) -> Reply:
    """What the provider says to a request.

    Raises:
        Refusal: the request is wrong.
    """
    request = read(_decoder, body)
    prompt = request.prompt or ""
    if isinstance(prompt, list):
        prompt = "\n".join(part for part in prompt if isinstance(part, str))
    ask = Ask(
        model=request.model,
        last_text=prompt,
        prompt_chars=len(prompt),
        max_tokens=request.max_tokens,
        stream=bool(request.stream),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
    )
    answer = answer_to(ask, spec, body)
    return Reply(
        model=ask.model,
        tokens=answer.completion_tokens,
        stream=ask.stream,
        plain=lambda: {**_chunk(answer, answer.text, _finish(answer)), "usage": _usage(answer)},
        frames=lambda: _frames(answer, ask.include_usage),
    )


def _finish(answer: Answer) -> str:
    return "length" if answer.cut else "stop"


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.total_tokens,
    }


def _chunk(answer: Answer, text: str, finish: str | None) -> dict[str, Any]:
    return {
        "id": answer.id("cmpl-"),
        "object": "text_completion",
        "created": answer.created,
        "model": answer.model,
        "system_fingerprint": FINGERPRINT,
        "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}],
    }


def _frames(answer: Answer, include_usage: bool) -> Iterator[Frame]:
    tokens = 0
    for tokens, piece in enumerate(answer.pieces(), 1):
        yield frame.data(_chunk(answer, piece, None), tokens)
    yield frame.data(_chunk(answer, "", _finish(answer)), tokens)
    if include_usage:
        last = {**_chunk(answer, "", None), "choices": [], "usage": _usage(answer)}
        yield frame.data(last, tokens)
    yield Frame(frame.DONE, tokens)
