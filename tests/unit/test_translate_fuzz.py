"""Whatever comes, a translation gives a document or ``Untranslatable``, and nothing else.
Streams of any bytes are in ``test_translate_cuts``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prism.translate import (
    Untranslatable,
    to_anthropic_answer,
    to_anthropic_request,
    to_openai_answer,
    to_openai_request,
)

WORDS = [
    *(
        "model",
        "messages",
        "role",
        "user",
        "assistant",
        "system",
        "tool",
        "content",
        "type",
        "text",
    ),
    *("image_url", "url", "data:image/png;base64,AAAA", "image", "source", "base64"),
    *("media_type", "tools", "function", "name", "parameters", "arguments", "tool_calls", "id"),
    *(
        "tool_call_id",
        "tool_use",
        "tool_result",
        "tool_use_id",
        "input",
        "input_schema",
        "tool_choice",
        "auto",
    ),
    *("max_tokens", "stream", "stop", "temperature", "response_format", "json_schema", "schema"),
    *("choices", "message", "delta", "index", "finish_reason", "stop_reason", "usage", "error"),
    *("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "content_block"),
    *("message_start", "content_block_start", "content_block_delta", "text_delta", "message_delta"),
    *("message_stop", "input_json_delta", "partial_json", "{}", "thinking", "signature", "data"),
]
words = st.sampled_from(WORDS) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=5),
    max_leaves=25,
)
documents = st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode())
HI = {"role": "user", "content": "hi"}
GOOD = {"model": "m", "max_tokens": 9, "messages": [HI]}
TRANSLATIONS = pytest.mark.parametrize("translate", [to_anthropic_request, to_openai_request])
ANY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def attempt(translate: Callable[[], bytes]) -> None:
    try:
        made = translate()
    except Untranslatable:
        return
    assert isinstance(json.loads(made), dict)


@TRANSLATIONS
@ANY
@given(body=documents)
def test_requests(translate: Callable[[bytes, str], bytes], body: bytes) -> None:
    attempt(lambda: translate(body, "m"))


@TRANSLATIONS
@ANY
@given(member=words, value=values, deep=st.booleans())
def test_requests_that_are_nearly_good(
    translate: Callable[[bytes, str], bytes], member: str, value: Any, deep: bool
) -> None:
    body = {**GOOD, "messages": [{**HI, member: value}]} if deep else {**GOOD, member: value}
    attempt(lambda: translate(json.dumps(body).encode(), "m"))


@ANY
@given(body=documents, status=st.integers(100, 599))
def test_answers(body: bytes, status: int) -> None:
    attempt(lambda: to_openai_answer(body, status, created=1))
    attempt(lambda: to_anthropic_answer(body, status))
