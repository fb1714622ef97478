"""The real SDKs, made to read bytes that a translation wrote."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import openai
from anthropic.types import Message
from openai.types.chat import ChatCompletion, ChatCompletionChunk

_STREAM = {"content-type": "text/event-stream"}
_JSON = {"content-type": "application/json"}
ASKED: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def _answering(body: bytes, status: int, headers: dict[str, str]) -> httpx2.Client:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=body, headers=headers)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def _openai(body: bytes, status: int, headers: dict[str, str]) -> openai.OpenAI:
    http = _answering(body, status, headers)
    return openai.OpenAI(api_key="k", http_client=http, max_retries=0)


def _anthropic(body: bytes, status: int, headers: dict[str, str]) -> anthropic.Anthropic:
    http = _answering(body, status, headers)
    return anthropic.Anthropic(api_key="k", http_client=http, max_retries=0)


def openai_reads(body: bytes, status: int = 200) -> ChatCompletion:
    """What OpenAI's SDK makes of an answer; it raises what it raises for an error."""
    ChatCompletion.model_validate(json.loads(body)) if status == 200 else None
    return _openai(body, status, _JSON).chat.completions.create(**ASKED)


def anthropic_reads(body: bytes, status: int = 200) -> Message:
    """What Anthropic's SDK makes of an answer; it raises what it raises for an error."""
    Message.model_validate(json.loads(body)) if status == 200 else None
    return _anthropic(body, status, _JSON).messages.create(**ASKED, max_tokens=9)


def openai_streams(body: bytes) -> ChatCompletion:
    """The completion that OpenAI's SDK adds up from a stream, whatever its end."""
    for line in body.decode().split("\n"):
        if line.startswith("data: {") and '"error"' not in line:
            ChatCompletionChunk.model_validate(json.loads(line[6:]))
    with _openai(body, 200, _STREAM).chat.completions.stream(**ASKED) as stream:
        # The final completion would be an exception where the answer was too long.
        return stream.until_done().current_completion_snapshot


def anthropic_streams(body: bytes) -> Message:
    """The message that Anthropic's SDK adds up from a stream."""
    with _anthropic(body, 200, _STREAM).messages.stream(**ASKED, max_tokens=9) as stream:
        return stream.get_final_message()
