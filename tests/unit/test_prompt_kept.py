"""What is kept of a prompt, and what is taken out of it first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.prompt.kept import HEAD, TAIL, Prompt, words_of
from prism.prompt.redact import redact
from prism.routing.catalog import Prompts

CHAT = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "Be short."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
    ],
}
MESSAGES = {
    "model": "auto",
    "system": "Be short.",
    "messages": [
        {"role": "user", "content": "Read it."},
        {
            "role": "user",
            "content": [{"type": "tool_result", "content": [{"type": "text", "text": "42"}]}],
        },
    ],
}
RESPONSES = {
    "model": "auto",
    "instructions": "Be short.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
    ],
}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (CHAT, "system: Be short.\n\nuser: What is this?"),
        (MESSAGES, "system: Be short.\n\nuser: Read it.\n\nuser: 42"),
        (RESPONSES, "system: Be short.\n\nuser: Hello\n\nuser: done"),
        ({"model": "auto", "input": "Hello"}, "user: Hello"),
        ({"model": "auto", "messages": 3}, ""),
        ({"model": "auto"}, ""),
    ],
)
def test_the_words_of_each_api(body: object, words: str) -> None:
    assert words_of(json.dumps(body).encode()) == words


def test_what_is_no_request_has_none() -> None:
    assert words_of(b"\xff") == ""
    assert words_of(b'{"messages": ' + b"[" * 2000 + b"]" * 2000 + b"}") == ""


def test_a_long_prompt_keeps_its_beginning_and_its_end() -> None:
    text = " ".join(f"word{number}" for number in range(10_000))
    words = words_of(json.dumps({"input": text}).encode())
    assert HEAD + TAIL - 50 < len(words) < HEAD + TAIL + 10
    assert words.startswith("user: word0 word1 ")
    assert words.endswith(" word9999")
    head, tail = words.split("\n[…]\n")
    assert f" {head.rsplit(' ')[-1]} " in text, "no word is cut"
    assert f" {tail.split()[0]} " in text


def test_a_prompt_is_not_shown() -> None:
    assert "secret" not in repr(Prompt("id", Prompts.ENCRYPTED, b"secret"))


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to jane.doe+x@mail.example.org, please", "write to [email], please"),
        ("card 4111 1111 1111 1111 exp 12/29", "card [number] exp [number]"),
        ("call +49 (0)30 1234-567 now", "call [number] now"),
        ("IBAN GB29 NWBK 6016 1331 9268 19", "IBAN GB29 NWBK [number]"),
        ("in 1066 and 42", "in [number] and 42"),
        ("key sk-proj-abcDEF123456 here", "key [key] here"),
        ("ghp_abcdefghijklmnop1234", "[key]"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [key]"),
        ('{"api_key": "hunter2hunter"}', '{"api_key": "[key]"}'),
        ("password=correct-horse9", "password=[key]"),
        ("postgres://bob:s3cret@db/x", "postgres://[key]@db/x"),
        ("0123456789abcdef0123456789abcdef", "[key]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----", "[key]"),
        ("Donaudampfschifffahrtsgesellschaft", "Donaudampfschifffahrtsgesellschaft"),
        ("the token economy, basic income", "the token economy, basic income"),
        ("What is the capital of France?", "What is the capital of France?"),
    ],
)
def test_what_is_taken_out(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@given(st.text(max_size=300))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


def test_long_texts_are_redacted_soon() -> None:
    for text in ("a" * 16_000, "1 " * 8_000, "a@" * 8_000, "-----BEGIN " * 1400, "key=" * 4000):
        redact(text)


def test_the_page_names_what_is_taken_out() -> None:
    page = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text("utf-8")
    for word in ("[key]", "[email]", "[number]"):
        assert f"`{word}`" in page
