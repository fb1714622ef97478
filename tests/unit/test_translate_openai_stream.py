"""Streams of Anthropic's API as streams of OpenAI's, added up by OpenAI's real SDK."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from .stream_frames import START, STOP, block, ended, events, said, to_openai, used
from .translated import openai_streams

TO_OPENAI: list[tuple[str, list[Any], str | None, list[tuple[str, str]], str]] = [
    ("text", [*said(0, "Hé", "llo ☃"), *ended("end_turn")], "Héllo ☃", [], "stop"),
    ("two texts", [*said(0, "a"), *said(1, "b"), *ended("max_tokens")], "ab", [], "length"),
    ("nothing", ended("end_turn"), "", [], "stop"),
    (
        "a text that is there at once",
        [*block(0, {"type": "text", "text": "a"}), *ended("refusal")],
        "a",
        [],
        "content_filter",
    ),
    (
        "a call",
        [*said(0, "See:"), *used(1, "f", "", '{"x":', "1}"), *ended("tool_use")],
        "See:",
        [("f", '{"x":1}')],
        "tool_calls",
    ),
    (
        "calls without parts",
        [*used(0, "f"), *used(1, "g", given={"y": 2}), *used(2, "h", ""), *ended("tool_use")],
        "",
        [("f", "{}"), ("g", '{"y":2}'), ("h", "{}")],
        "tool_calls",
    ),
    (
        "what is not known",
        [
            {"type": "ping"},
            {"type": "an_event_of_tomorrow", "index": 0},
            *block(0, {"type": "a_block_of_tomorrow"}, {"type": "a_delta_of_tomorrow"}),
            *said(1, "a"),
            *ended("a_reason_of_tomorrow"),
        ],
        "a",
        [],
        "stop",
    ),
    (
        "thinking",
        [
            *block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "hm"},
                {"type": "signature_delta", "signature": "s"},
            ),
            *said(1, "a"),
            *ended("end_turn"),
        ],
        "a",
        [],
        "stop",
    ),
]


@pytest.mark.parametrize(
    ("values", "content", "calls", "finish"),
    [r[1:] for r in TO_OPENAI],
    ids=[r[0] for r in TO_OPENAI],
)
def test_events_become_chunks(
    values: list[Any], content: str | None, calls: list[tuple[str, str]], finish: str
):
    stream = to_openai(events(START, *values), created=7)
    answer = openai_streams(stream)
    choice = answer.choices[0]
    got = [
        (each.function.name, each.function.arguments) for each in choice.message.tool_calls or ()
    ]
    assert (choice.message.content, got, choice.finish_reason) == (content, calls, finish)
    assert (answer.id, answer.model, answer.created) == ("msg_1", "claude", 7)
    assert stream.endswith(b"data: [DONE]\n\n")


def test_usage_is_told_to_who_asks_for_it():
    stream = events(START, *said(0, "a"), *ended("end_turn"))
    frames = [
        json.loads(each[6:]) for each in to_openai(stream, include_usage=True).split(b"\n\n")[:-2]
    ]
    assert {frame["usage"] is None for frame in frames[:-1]} == {True}
    assert frames[-1]["choices"] == []
    assert frames[-1]["usage"]["prompt_tokens"] == 12
    assert frames[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] == 7
    assert frames[-1]["usage"]["completion_tokens"] == 9
    assert b'"usage"' not in to_openai(stream)


# Chunks of OpenAI's, and the content and stop reason that Anthropic's SDK adds up.
BROKEN: list[tuple[str, bytes, str, str | None]] = [
    ("nothing", b"", "ended before", None),
    ("its start", events(START), "ended before", None),
    ("half", events(START, *said(0, "a")), "ended before", None),
    ("half a frame", events(START, *said(0, "a"), *ended("end_turn"))[:-20], "ended before", None),
    ("no JSON", events(START) + b"data: {\n\n" + events(STOP), "not JSON", None),
    ("no stream", b"<html>\n\n", "ended before", None),
    (
        "an error",
        events(
            START,
            {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}},
            STOP,
        ),
        "Busy.",
        "overloaded",
    ),
]


@pytest.mark.parametrize(
    ("stream", "message", "code"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_stream_ends_in_an_error_for_openais_client(
    stream: bytes, message: str, code: str | None
):
    out = to_openai(stream)
    assert b"[DONE]" not in out
    with pytest.raises(openai.APIError) as seen:
        openai_streams(out)
    assert message in seen.value.message
    assert (seen.value.type, seen.value.code) == ("server_error", code)


# What breaks a stream of OpenAI's, and the message and type of the error.
