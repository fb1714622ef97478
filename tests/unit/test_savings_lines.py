"""Lines of logs as providers and proxies write them, and lines that nobody can use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prism.routing.catalog import Capability
from prism.savings.line import read_line
from prism.savings.usage import BadLine, LeftOut, Tokens, Usage

REQUEST = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "Sort a list in Rust"},
    ],
}
USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 10},
}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1760000000,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "x.sort()"}, "logprobs": None}
    ],
    "usage": USAGE,
    "service_tier": "default",
}
CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hello"}],
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 200,
        "cache_read_input_tokens": 1000,
        "output_tokens": 25,
        "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 0},
    },
}


def chunk(**members: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06", **members}


CHUNKS = [
    chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}], usage=None),
    chunk(choices=[{"index": 0, "delta": {"content": "x.sort()"}}], usage=None),
    chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=None),
    chunk(choices=[], usage=USAGE),
]
SSE = "".join(f"data: {json.dumps(item)}\n\n" for item in CHUNKS) + "data: [DONE]\n\n"
CLAUDE_SSE = "".join(
    f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
    for event in (
        {"type": "message_start", "message": {**CLAUDE, "usage": {
            "input_tokens": 10, "cache_creation_input_tokens": 200,
            "cache_read_input_tokens": 1000, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
         "usage": {"output_tokens": 25}},
        {"type": "message_stop"},
    )
)  # fmt: skip
LITELLM = {
    "request_id": "chatcmpl-9",
    "call_type": "acompletion",
    "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
    "spend": 0.00213,
    "total_tokens": 1260,
    "prompt_tokens": 1210,
    "completion_tokens": 50,
    "startTime": "2025-10-09T08:53:20.123000Z",
    "endTime": "2025-10-09T08:53:22.123000Z",
    "model": "claude-sonnet-4-5-20250929",
    "model_group": "claude",
    "custom_llm_provider": "anthropic",
    "cache_hit": "False",
    "metadata": {
        "user_api_key_alias": "app",
        "usage_object": {
            "prompt_tokens": 1210,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 1000},
            "cache_creation_input_tokens": 200,
            "cache_read_input_tokens": 1000,
        },
        "additional_usage_values": {"cache_read_input_tokens": 1000},
    },
    "messages": "{}",
    "response": "{}",
    "proxy_server_request": "{}",
    "status": "success",
}
PLAIN, CACHED = Tokens(120, 30, 64), Tokens(1210, 25, 1000, 200)
OPENAI, CLAUDES = "gpt-4o-2024-08-06", "claude-sonnet-4-5-20250929"
TEXT = json.dumps

SHAPES: dict[str, tuple[object, str, Tokens, bool]] = {
    # the line, its model, its tokens, whether it has a prompt
    "a pair": ({"request": REQUEST, "response": ANSWER}, OPENAI, PLAIN, True),
    "bodies": ({"request_body": REQUEST, "response_body": ANSWER}, OPENAI, PLAIN, True),
    "bodies within": (
        {"request": {"method": "POST", "url": "/v1/chat/completions", "body": REQUEST},
         "response": {"status_code": 200, "headers": {}, "body": ANSWER}},
        OPENAI, PLAIN, True,
    ),
    "texts": ({"request": TEXT(REQUEST), "response": TEXT(ANSWER)}, OPENAI, PLAIN, True),
    "body as a text": (
        {"request": {"body": TEXT(REQUEST)}, "response": {"body": TEXT(ANSWER)}},
        OPENAI, PLAIN, True,
    ),
    "a batch's output": (
        {"id": "batch_1", "custom_id": "a", "response": {"status_code": 200, "body": ANSWER},
         "error": None},
        OPENAI, PLAIN, False,
    ),
    "an answer alone": (ANSWER, OPENAI, PLAIN, False),
    "request and usage in one": ({**REQUEST, "usage": USAGE}, "gpt-4o", PLAIN, True),
    "chunks": ({"request": REQUEST, "response": CHUNKS}, OPENAI, PLAIN, True),
    "chunks apart": ({"request": REQUEST, "chunks": CHUNKS}, OPENAI, PLAIN, True),
    "a stream": ({"request": REQUEST, "response": SSE}, OPENAI, PLAIN, True),
    "a stream in a body": ({"request": REQUEST, "response": {"body": SSE}}, OPENAI, PLAIN, True),
    "Anthropic": (
        {"request": {**REQUEST, "system": "Be brief", "max_tokens": 100}, "response": CLAUDE},
        CLAUDES, CACHED, True,
    ),
    "an Anthropic stream": ({"response": CLAUDE_SSE}, CLAUDES, CACHED, False),
    "LiteLLM": (LITELLM, CLAUDES, Tokens(1210, 50, 1000, 200), False),
    "LiteLLM with texts": (
        {**LITELLM, "messages": REQUEST["messages"], "response": ANSWER}, OPENAI, PLAIN, True,
    ),
    "LiteLLM without an object": (
        {**LITELLM, "metadata": {}, "messages": {}, "response": {}},
        CLAUDES, Tokens(1210, 50), False,
    ),
    "Responses": (
        {"request": {"model": "gpt-5.5", "input": "Sort a list"},
         "response": {"object": "response", "model": "gpt-5.5", "error": None,
                      "usage": {"input_tokens": 20, "output_tokens": 9,
                                "input_tokens_details": {"cached_tokens": 4}}}},
        "gpt-5.5", Tokens(20, 9, 4), True,
    ),
    "a Responses stream": (
        {"response": [{"type": "response.created", "response": {"model": "gpt-5.5"}},
                      {"type": "response.completed", "response": {
                          "model": "gpt-5.5", "usage": {"input_tokens": 20, "output_tokens": 9}}}]},
        "gpt-5.5", Tokens(20, 9), False,
    ),
    "DeepSeek": (
        {"response": {"model": "deepseek-chat", "usage": {
            "prompt_tokens": 50, "completion_tokens": 5,
            "prompt_cache_hit_tokens": 32, "prompt_cache_miss_tokens": 18}}},
        "deepseek-chat", Tokens(50, 5, 32), False,
    ),
    "legacy completions": (
        {"request": {"model": "gpt-3.5-turbo-instruct", "prompt": "Once upon"},
         "response": {"object": "text_completion", "model": "gpt-3.5-turbo-instruct",
                      "choices": [{"text": " a time"}],
                      "usage": {"prompt_tokens": 2, "completion_tokens": 2}}},
        "gpt-3.5-turbo-instruct", Tokens(2, 2), True,
    ),
}  # fmt: skip


def usages(line: object) -> list[Usage | LeftOut]:
    return list(read_line(line if isinstance(line, bytes) else json.dumps(line).encode()))


def usage(line: object) -> Usage:
    (found,) = usages(line)
    assert isinstance(found, Usage), found
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_read(shape: str) -> None:
    line, model, tokens, prompted = SHAPES[shape]
    found = usage(line)
    assert (found.model, found.tokens, found.chat is not None) == (model, tokens, prompted)
    assert not found.estimated


def test_a_prompt_is_read_as_the_gateway_reads_it() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    asked = {**REQUEST, "tools": [tool], "max_tokens": 77}
    chat = usage({"request": asked, "response": ANSWER}).chat
    assert chat is not None
    assert chat.text == "Sort a list in Rust"
    assert chat.needs == {Capability.TOOLS}
    assert chat.max_output_tokens == 77


PIXEL = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
HOSTED = {"type": "web_search_20250305", "name": "web_search"}


@pytest.mark.parametrize("system", [{}, {"system": [{"type": "text", "text": "Be brief"}]}])
def test_a_request_of_messages_is_read_as_one(system: dict[str, Any]) -> None:
    turn = {"role": "user", "content": [PIXEL, {"type": "text", "text": "What is it?"}]}
    asked = {"model": "claude", "max_tokens": 77, "messages": [turn], "tools": [HOSTED], **system}
    chat = usage({"request": asked, "response": CLAUDE}).chat
    assert chat is not None
    assert chat.text == "What is it?"
    assert chat.needs == {Capability.VISION, Capability.TOOLS}
    assert chat.max_output_tokens == 77


def test_a_chat_that_anthropics_api_answered_is_read_as_a_chat() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    turns = [*REQUEST["messages"], said, {"role": "tool", "tool_call_id": "1", "content": "42"}]
    chat = usage({"request": {**REQUEST, "messages": turns}, "response": CLAUDE}).chat
    assert chat is not None
    assert chat.text == "Sort a list in Rust"


def test_items_of_responses_are_read() -> None:
    said = {"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBO"}]}  # fmt: skip
    asked = {"model": "gpt-5.5", "instructions": "Be brief", "input": [said]}
    answer = {"object": "response", "model": "gpt-5.5", "usage": {"input_tokens": 5}}
    chat = usage({"request": asked, "response": answer}).chat
    assert chat is not None
    assert chat.text == "What is it?"
    # No more: as a chat it would have gone to models that have no Responses.
    assert chat.needs == {Capability.VISION}


def test_texts_and_tokens_as_input_are_no_prompt() -> None:
    answer = {"model": "e", "usage": {"prompt_tokens": 5}}
    for given in (["a", "b"], [1, 2], [[1, 2]]):
        assert usage({"request": {"model": "e", "input": given}, "response": answer}).chat is None


def test_spend_logs_say_provider_and_cost() -> None:
    found = usage(LITELLM)
    assert (found.provider, found.own_usd) == ("anthropic", 0.00213)


def test_a_stream_without_usage_is_guessed_from_its_texts() -> None:
    found = usage({"request": REQUEST, "response": CHUNKS[:3]})
    assert found.estimated
    assert found.chat is not None
    assert found.tokens == Tokens(found.chat.input_tokens, 2)


def test_a_usage_export_is_many_usages() -> None:
    result = {
        "object": "organization.usage.completions.result",
        "input_tokens": 5000,
        "output_tokens": 1000,
        "input_cached_tokens": 800,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "num_model_requests": 5,
        "project_id": None,
        "user_id": None,
        "api_key_id": None,
        "model": "gpt-4o-mini-2024-07-18",
        "batch": None,
    }
    other = {**result, "batch": True}
    embeddings = {**result, "object": "organization.usage.embeddings.result"}
    bucket = {
        "object": "bucket",
        "start_time": 1730419200,
        "end_time": 1730505600,
        "results": [result, other, embeddings],
    }
    page = {"object": "page", "data": [bucket, bucket], "has_more": False, "next_page": None}
    once = [
        Usage("gpt-4o-mini-2024-07-18", Tokens(5000, 1000, 800), requests=5),
        LeftOut("batches, which pass no gateway"),
        LeftOut("no chat (embeddings and the like)"),
    ]
    assert usages(page) == once * 2
    assert usages(bucket) == once
    (written,) = usages(
        {"object": "bucket", "results": [{**result, "input_cache_write_tokens": 9}]}
    )
    assert written == Usage("gpt-4o-mini-2024-07-18", Tokens(5000, 1000, 800, 9), requests=5)


def test_an_export_of_costs_has_no_tokens() -> None:
    result = {"object": "organization.costs.result", "amount": {"value": 0.06, "currency": "usd"}}
    (found,) = usages({"object": "bucket", "results": [result]})
    assert found == LeftOut("costs without tokens: export the usage of completions")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({**LITELLM, "status": "failure"}, "a failed request"),
        ({"request": REQUEST, "response": {"error": {"message": "no"}}}, "a failed request"),
        ({"request": REQUEST, "response": {"status_code": 429, "body": {}}}, "a failed request"),
        ({"custom_id": "a", "error": {"code": "expired"}, "response": None}, "a failed request"),
        ({**LITELLM, "cache_hit": "True"}, "answered from the proxy's own cache"),
        ({**LITELLM, "call_type": "aembedding"}, "no chat (embeddings and the like)"),
        ({"request": {"input": ["a"], "model": "e"},
          "response": {"object": "list", "model": "e", "data": [], "usage": {"prompt_tokens": 1}}},
         "no chat (embeddings and the like)"),
    ],
)  # fmt: skip
def test_what_is_no_answered_chat_is_left_out(line: object, why: str) -> None:
    assert usages(line) == [LeftOut(why)]


def pair(**usage: object) -> dict[str, object]:
    return {"request": REQUEST, "response": {**ANSWER, "usage": usage}}


BAD: list[tuple[object, str]] = [
    (b"", "not JSON"),
    (b"nonsense", "not JSON"),
    (b'{"request": {"model": "gpt', "not JSON"),
    (b"[1, 2]", "Expected `object`, got `array`"),
    (b'"text"', "Expected `object`, got `str`"),
    (b"\xff\xfe{}", "not JSON"),
    (b'{"model": "\xff"}', "not UTF-8"),
    (b'{"model": "\\ud800"}', "not JSON"),
    (b'{"request": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "nested too deeply"),
    ({}, "no model is named"),
    ({"model": 7}, "Expected `str | null`, got `int` - at `$.model`"),
    ({"response": ANSWER, "model": "x" * 300} | {"response": {**ANSWER, "model": "x" * 300}},
     "the name of the model is none"),
    ({"response": {**ANSWER, "model": "a\nb"}}, "the name of the model is none"),
    ({"request": REQUEST}, "no usage, and no texts"),
    ({"request": REQUEST, "response": {"model": "gpt-4o"}}, "no usage, and no texts"),
    ({"request": REQUEST, "response": "I can't"}, "neither JSON nor a stream"),
    ({"request": REQUEST, "response": 12}, "response: Expected `object`, got `int`"),
    ({"request": REQUEST, "response": [1]}, "response: Expected `object`, got `int`"),
    ({"request": "{", "response": ANSWER}, "request: Input data was truncated"),
    ({"request": 5, "response": ANSWER}, "request: Expected `object`, got `int`"),
    ({"request": {"messages": "hi"}, "response": ANSWER}, "request: messages: Expected `array`"),
    ({"request": {"messages": [{"content": "hi"}]}, "response": ANSWER}, "required field `role`"),
    ({"request": {**REQUEST, "max_tokens": -1}, "response": ANSWER}, "'max_tokens' must be"),
    ({"request": {"input": [{"role": 5}]}, "response": ANSWER}, "request: input[0].role: Expected"),
    (pair(prompt_tokens=-1, completion_tokens=1), "usage: prompt_tokens is no count"),
    (pair(prompt_tokens=2**60, completion_tokens=1), "usage: prompt_tokens is no count"),
    (pair(prompt_tokens="12"), "usage: Expected `int | null`, got `str`"),
    (pair(prompt_tokens=1.5), "usage: Expected `int | null`"),
    (pair(prompt_tokens=5, prompt_tokens_details={"cached_tokens": 6}), "more cached tokens"),
    ({**LITELLM, "spend": -0.5}, "a cost that is no amount of dollars"),
    ({**LITELLM, "spend": 1e13}, "a cost that is no amount of dollars"),
    ({**LITELLM, "metadata": {"usage_object": 4}}, "metadata: Expected"),
    ({"object": "page", "data": 4}, "Expected `array | null`, got `int` - at `$.data`"),
    ({"object": "bucket", "results": [{"input_tokens": 5, "num_model_requests": 1}]},
     "not grouped by model"),
    ({"object": "bucket", "results": [{"input_tokens": -5, "num_model_requests": 1}]},
     "input_tokens is no count"),
    ({"object": "bucket", "results": [{"input_cached_tokens": 5, "num_model_requests": 1}]},
     "more cached tokens"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "why"), BAD)
def test_a_bad_line_says_why(line: object, why: str) -> None:
    with pytest.raises(BadLine) as caught:
        usages(line)
    assert why in str(caught.value)


def test_no_reason_repeats_a_prompt() -> None:
    secret = "hunter2"
    for line in (
        {"request": {"messages": secret}, "response": ANSWER},
        {"request": {"messages": [{"role": "user", "content": {"text": secret}}]}},
        {"request": REQUEST, "response": secret},
    ):
        with pytest.raises(BadLine) as caught:
            usages(line)
        assert secret not in str(caught.value)
