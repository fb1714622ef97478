"""Answers and errors of either API as those of the other, read by the real SDKs."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from prism.translate import Untranslatable, to_anthropic_answer, to_openai_answer

from .translated import anthropic_reads, openai_reads

USAGE = {"input_tokens": 5, "output_tokens": 3}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def use(name: str, given: Any, id_: str = "toolu_1") -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": given}


def call(name: str, arguments: str, id_: str = "toolu_1") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def message(*content: Any, stop: str | None = "end_turn", **more: Any) -> bytes:
    said = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude"}
    said |= {"content": list(content), "stop_reason": stop, "usage": USAGE, **more}
    return json.dumps(said).encode()


def completion(finish: str = "stop", usage: Any = None, **said: Any) -> bytes:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **said}}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt"}
    return json.dumps({**answer, "choices": [choice], "usage": usage}).encode()


# Content and stop reason of Anthropic's; text, calls and finish reason of OpenAI's.
CONTENTS: list[tuple[list[Any], str, str | None, list[Any], str]] = [
    ([text("Hé ☃")], "end_turn", "Hé ☃", [], "stop"),
    ([text("a"), text("b")], "stop_sequence", "ab", [], "stop"),
    ([], "end_turn", None, [], "stop"),
    ([text("a")], "max_tokens", "a", [], "length"),
    ([text("a")], "model_context_window_exceeded", "a", [], "length"),
    ([text("a")], "pause_turn", "a", [], "length"),
    ([text("a")], "refusal", "a", [], "content_filter"),
    ([use("f", {"x": 1})], "tool_use", None, [call("f", '{"x":1}')], "tool_calls"),
    (
        [text("See:"), use("f", {}), use("g", {"y": "ü"}, "toolu_2")],
        "tool_use",
        "See:",
        [call("f", "{}"), call("g", '{"y":"ü"}', "toolu_2")],
        "tool_calls",
    ),
]


@pytest.mark.parametrize(("content", "stop", "said", "calls", "finish"), CONTENTS)
def test_a_message_as_a_completion(
    content: list[Any], stop: str, said: str | None, calls: list[Any], finish: str
):
    answer = openai_reads(to_openai_answer(message(*content, stop=stop), 200, created=7))
    choice = answer.choices[0]
    assert (answer.id, answer.model, answer.created) == ("msg_1", "claude", 7)
    assert (choice.message.content, choice.finish_reason) == (said, finish)
    assert [each.model_dump() for each in choice.message.tool_calls or ()] == calls


@pytest.mark.parametrize(
    ("content", "stop", "said", "calls", "finish"),
    # OpenAI tells no stop sequence from an end, and only one way of being too long.
    [row for row in CONTENTS if row[1] in ("end_turn", "max_tokens", "refusal", "tool_use")],
)
def test_a_completion_as_a_message(
    content: list[Any], stop: str, said: str | None, calls: list[Any], finish: str
):
    answer = anthropic_reads(
        to_anthropic_answer(completion(finish, content=said, tool_calls=calls), 200)
    )
    assert (answer.id, answer.model, answer.stop_reason) == ("chatcmpl-1", "gpt", stop)
    assert [block.model_dump(exclude_none=True) for block in answer.content] == content


def test_what_the_model_thought_is_told_besides():
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    hidden = {"type": "redacted_thinking", "data": "x"}
    answer: Any = openai_reads(to_openai_answer(message(thought, hidden, text("a")), 200))
    assert answer.choices[0].message.content == "a"
    assert answer.choices[0].message.reasoning_content == "Hm."
    # The other way a thinking block would need Anthropic's signature.
    back = to_anthropic_answer(completion(content="a", reasoning_content="Hm."), 200)
    assert [block.type for block in anthropic_reads(back).content] == ["text"]


def test_refusals():
    details = {"type": "refusal", "category": "bio", "explanation": "It is about bio."}
    stopped = message(stop="refusal", stop_details=details)
    assert openai_reads(to_openai_answer(stopped, 200)).choices[0].message.refusal == (
        "It is about bio."
    )
    refused = anthropic_reads(to_anthropic_answer(completion(refusal="I can't."), 200))
    assert refused.stop_reason == "refusal"
    assert refused.content[0].model_dump(include={"text"}) == {"text": "I can't."}


def test_a_call_is_one_whatever_the_provider_calls_its_end():
    body = completion("stop", tool_calls=[call("f", "", "functions.f:0")])
    answer = anthropic_reads(to_anthropic_answer(body, 200))
    assert answer.stop_reason == "tool_use"
    assert answer.content[0].model_dump(include={"id", "input"}) == {
        "id": "functions_2e_f_3a_0",
        "input": {},
    }


# Anthropic's usage and OpenAI's: prompt, completion, cached, written, reasoning.
USAGES: list[tuple[dict[str, Any], tuple[int, int, int, int, int | None]]] = [
    ({"input_tokens": 5, "output_tokens": 3}, (5, 3, 0, 0, None)),
    (
        {
            "input_tokens": 5,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20,
            "output_tokens": 3,
            "output_tokens_details": {"thinking_tokens": 2},
        },
        (125, 3, 100, 20, 2),
    ),
    (
        {"input_tokens": 5, "cache_read_input_tokens": None, "output_tokens": 0},
        (5, 0, 0, 0, None),
    ),
]


@pytest.mark.parametrize(("usage", "counts"), USAGES)
def test_usage_both_ways(usage: dict[str, Any], counts: tuple[int, int, int, int, int | None]):
    said = openai_reads(to_openai_answer(message(text("a"), usage=usage), 200)).usage
    assert said is not None
    prompt, cached = said.prompt_tokens, said.prompt_tokens_details
    assert cached is not None
    reasoning = said.completion_tokens_details and said.completion_tokens_details.reasoning_tokens
    assert counts == (
        prompt,
        said.completion_tokens,
        cached.cached_tokens,
        cached.cache_write_tokens,
        reasoning,
    )
    assert said.total_tokens == prompt + said.completion_tokens
    there = completion(content="a", usage=said.model_dump())
    back = anthropic_reads(to_anthropic_answer(there, 200)).usage.model_dump()
    assert {name: back[name] or None for name in usage} == {
        name: count or None for name, count in usage.items()
    }


@pytest.mark.parametrize("usage", [None, 5, {}, {"prompt_tokens": "5", "completion_tokens": -1}])
def test_usage_that_is_none(usage: Any):
    said = anthropic_reads(to_anthropic_answer(completion(content="a", usage=usage), 200)).usage
    assert (said.input_tokens, said.output_tokens) == (0, 0)


ANSWERS_THAT_ARE_NONE = [b"", b"<html>", b"[]", b"5", b"{}", b'{"type":"x","object":"y"}']


@pytest.mark.parametrize("body", [*ANSWERS_THAT_ARE_NONE, b'{"content":5}', b'{"choices":[]}'])
@pytest.mark.parametrize("translate", [to_openai_answer, to_anthropic_answer])
def test_an_answer_that_is_none(translate: Any, body: bytes):
    with pytest.raises(Untranslatable):
        translate(body, 200)


def test_arguments_that_are_no_object():
    with pytest.raises(Untranslatable) as problem:
        to_anthropic_answer(completion("tool_calls", tool_calls=[call("f", "{")]), 200)
    assert problem.value.path == "choices[0].message.tool_calls[0].function.arguments"


# Anthropic's status and type, OpenAI's type and code, and the exceptions of either SDK.
ERRORS: list[tuple[int, str, str, str | None]] = [
    (400, "invalid_request_error", "invalid_request_error", None),
    (401, "authentication_error", "invalid_request_error", "invalid_api_key"),
    (402, "billing_error", "insufficient_quota", "insufficient_quota"),
    (403, "permission_error", "invalid_request_error", "permission_denied"),
    (404, "not_found_error", "invalid_request_error", "not_found"),
    (413, "request_too_large", "invalid_request_error", "request_too_large"),
    (429, "rate_limit_error", "rate_limit_error", "rate_limit_exceeded"),
    (500, "api_error", "server_error", None),
    (504, "timeout_error", "server_error", "timeout"),
    (529, "overloaded_error", "server_error", "overloaded"),
]


@pytest.mark.parametrize(("status", "kind", "type_", "code"), ERRORS)
def test_errors_both_ways(status: int, kind: str, type_: str, code: str | None):
    said = {"type": "error", "error": {"type": kind, "message": "No."}, "request_id": "req_1"}
    there = to_openai_answer(json.dumps(said).encode(), status)
    with pytest.raises(openai.APIStatusError) as seen:
        openai_reads(there, status)
    assert (seen.value.status_code, seen.value.type, seen.value.code) == (status, type_, code)
    assert "No." in seen.value.message
    assert json.loads(there)["request_id"] == "req_1"
    back = to_anthropic_answer(there, status)
    with pytest.raises(anthropic.APIStatusError) as again:
        anthropic_reads(back, status)
    assert again.value.body == said


# A body, and the message that is read in it.
SAID: list[tuple[bytes, str]] = [
    (b'{"error": {"message": "m"}}', "m"),
    (b'{"error": "m"}', "m"),
    (b'{"message": "m", "object": "error"}', "m"),
    (b'{"detail": "m"}', "m"),
    (b'{"detail": [{"loc": ["body"]}]}', '[{"loc":["body"]}]'),
    (b'[{"error": {"code": 503, "message": "m"}}]', "m"),
    (b"upstream connect error", "upstream connect error"),
    (b"\xff\xfe", "\ufffd\ufffd"),
    (b"", "The provider answered 502 and said nothing more."),
    (b"{}", "The provider answered 502 and said nothing more."),
    (b'{"error": {"message": 5}}', '{"message":5}'),
]


@pytest.mark.parametrize(("body", "message"), SAID)
def test_errors_of_any_shape(body: bytes, message: str):
    assert json.loads(to_openai_answer(body, 502)) == {
        "error": {"message": message, "type": "server_error", "param": None, "code": None}
    }
    assert json.loads(to_anthropic_answer(body, 502)) == {
        "type": "error",
        "error": {"type": "api_error", "message": message},
    }


def test_a_conversation_that_is_too_long_is_known_to_either_client():
    said = {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 5 maximum"}
    there = to_openai_answer(json.dumps({"type": "error", "error": said}).encode(), 400)
    assert json.loads(there)["error"]["code"] == "context_length_exceeded"
    given = {"message": "Too many.", "code": "context_length_exceeded", "param": "messages"}
    back = json.loads(to_anthropic_answer(json.dumps({"error": given}).encode(), 400))
    assert back["error"]["message"] == "prompt is too long: messages: Too many."
