"""Streams of OpenAI's API as streams of Anthropic's, added up by Anthropic's real SDK."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from .stream_frames import chunks, part, to_anthropic
from .translated import anthropic_streams

TO_ANTHROPIC: list[tuple[str, bytes, list[Any], str]] = [
    (
        "text",
        chunks(
            {"role": "assistant", "content": ""}, {"content": "Hé"}, {"content": "☃"}, ({}, "stop")
        ),
        ["Hé☃"],
        "end_turn",
    ),
    ("an end in one", chunks(({"content": "a"}, "length")), ["a"], "max_tokens"),
    ("nothing", chunks(({}, "stop")), [], "end_turn"),
    ("an end without a reason", chunks({"content": "a"}), ["a"], "end_turn"),
    (
        "an end without [DONE]",
        chunks({"content": "a"}, ({}, "stop"), done=False),
        ["a"],
        "end_turn",
    ),
    ("a filter", chunks({"content": "a"}, ({}, "content_filter")), ["a"], "refusal"),
    (
        "a refusal",
        chunks({"refusal": "I "}, {"refusal": "can't."}, ({}, "stop")),
        ["I can't."],
        "refusal",
    ),
    (
        "what it thought",
        chunks({"reasoning_content": "hm"}, {"content": "a"}, ({}, "stop")),
        ["a"],
        "end_turn",
    ),
    (
        "a call",
        chunks(part(0, "", "c", "f"), part(0, '{"x":'), part(0, "1}"), ({}, "tool_calls")),
        [("c", "f", {"x": 1})],
        "tool_use",
    ),
    (
        "a call that ends with stop",
        chunks(part(0, "{}", "c", "f"), ({}, "stop")),
        [("c", "f", {})],
        "tool_use",
    ),
    (
        "text and calls",
        chunks(
            {"content": "See:"},
            part(0, "{}", "c", "f"),
            part(1, '{"y":2}', "d", "g"),
            ({}, "tool_calls"),
        ),
        ["See:", ("c", "f", {}), ("d", "g", {"y": 2})],
        "tool_use",
    ),
    (
        "an id in each part",
        chunks(part(0, '{"x":', "c", "f"), part(0, "1}", "c"), ({}, "tool_calls")),
        [("c", "f", {"x": 1})],
        "tool_use",
    ),
    (
        "calls without an index, or with the same one",
        chunks(
            part(None, "{}", "c", "f"),
            part(0, "{}", "d", "g"),
            part(0, "{}", "e", "h"),
            ({}, "tool_calls"),
        ),
        [("c", "f", {}), ("d", "g", {}), ("e", "h", {})],
        "tool_use",
    ),
    (
        "ids with strange characters",
        chunks(part(0, "{}", "functions.f:0", "f"), ({}, "tool_calls")),
        [("functions_2e_f_3a_0", "f", {})],
        "tool_use",
    ),
    (
        "a second choice",
        chunks({"content": "a"}, done=False)
        + b'data: {"choices":[{"index":1,"delta":{"content":"b"}}]}\n\n'
        + chunks(({}, "stop")),
        ["a"],
        "end_turn",
    ),
    (
        "what is not known",
        b": hello\n\ndata: {}\n\ndata: 5\n\n" + chunks({"content": "a", "x": 1}, ({}, "stop")),
        ["a"],
        "end_turn",
    ),
]


@pytest.mark.parametrize(
    ("stream", "content", "stop"), [r[1:] for r in TO_ANTHROPIC], ids=[r[0] for r in TO_ANTHROPIC]
)
def test_chunks_become_events(stream: bytes, content: list[Any], stop: str):
    answer = anthropic_streams(to_anthropic(stream))
    got = [
        each.text if each.type == "text" else (each.id, each.name, each.input)
        for each in answer.content
        if each.type in ("text", "tool_use")
    ]
    assert (got, answer.stop_reason) == (content, stop)
    assert (answer.id, answer.model) == ("chatcmpl-1", "gpt")


def test_usage_replaces_that_of_the_start():
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 7},
    }
    answer = anthropic_streams(to_anthropic(chunks({"content": "a"}, ({}, "stop"), usage=usage)))
    counts = answer.usage
    assert (counts.input_tokens, counts.cache_read_input_tokens, counts.output_tokens) == (5, 7, 3)


BROKEN_BACK: list[tuple[str, bytes, str, str]] = [
    ("nothing", b"", "ended before", "api_error"),
    ("half", chunks({"content": "a"}, done=False), "ended before", "api_error"),
    ("nothing but its end", b"data: [DONE]\n\n", "ended before", "api_error"),
    ("no JSON", chunks({"content": "a"}, done=False) + b"data: {\n\n", "not JSON", "api_error"),
    (
        "an error",
        b'data: {"error": {"message": "Busy.", "code": 429}}\n\n',
        "Busy.",
        "rate_limit_error",
    ),
    (
        "an error by its code",
        b'data: {"error": {"message": "Busy.", "code": "overloaded"}}\n\n',
        "Busy.",
        "overloaded_error",
    ),
    (
        "an error by its type",
        b'data: {"error": {"message": "No.", "type": "invalid_request_error"}}\n\n',
        "No.",
        "invalid_request_error",
    ),
    ("an error in a word", b'data: {"error": "Busy."}\n\n', "Busy.", "api_error"),
    (
        "mixed calls",
        chunks(part(0, "{", "c", "f"), part(1, "{}", "d", "g"), part(0, "}")),
        "mixed",
        "api_error",
    ),
]


@pytest.mark.parametrize(
    ("stream", "message", "kind"), [row[1:] for row in BROKEN_BACK], ids=[r[0] for r in BROKEN_BACK]
)
def test_a_broken_stream_ends_in_an_error_for_anthropics_client(
    stream: bytes, message: str, kind: str
):
    out = to_anthropic(stream)
    assert b"message_stop" not in out
    with pytest.raises(anthropic.APIStatusError) as seen:
        anthropic_streams(out)
    body: Any = seen.value.body
    assert message in body["error"]["message"]
    assert body["error"]["type"] == kind
