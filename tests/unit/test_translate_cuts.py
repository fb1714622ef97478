"""Streams cut anywhere, of any bytes, too large; answers there and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prism.translate import AnthropicStream, OpenAiStream, to_anthropic_answer, to_openai_answer
from prism.translate.events import LARGEST_EVENT, EventReader

from .stream_frames import START, chunks, ended, events, part, said, used

# No test of ours depends on how fast the machine is.
QUICK = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

WHOLE = {
    "openai": (
        OpenAiStream,
        events(
            START,
            *said(0, "Hé", "llo ☃"),
            *said(1, "😀\r\n"),
            *used(2, "f", '{"ü":"', '☃"}'),
            *ended("tool_use"),
        ),
    ),
    "anthropic": (
        AnthropicStream,
        chunks(
            {"content": "Hé ☃"},
            {"content": "😀\r\n"},
            part(0, '{"ü":"', "c", "f"),
            part(0, '☃"}'),
            ({}, "tool_calls"),
            usage={"prompt_tokens": 5},
        ),
    ),
}


def utf8(stream: bytes) -> bytes:
    """The same frames with characters as UTF-8 instead of escapes."""
    frames = []
    for line in stream.decode().split("\n"):
        name, colon, value = line.partition(": ")
        if name == "data" and value.startswith("{"):
            value = json.dumps(json.loads(value), ensure_ascii=False)
        frames.append(name + colon + value)
    return "\n".join(frames).encode()


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("direction", list(WHOLE))
def test_a_cut_at_any_byte_changes_nothing(direction: str, ends: bytes):
    translation, stream = WHOLE[direction]
    stream = b"\xef\xbb\xbf" + utf8(stream).replace(b"\n", ends)
    one = translation()
    expected = one.feed(stream) + one.close()
    assert "☃".encode() in expected
    for at in range(len(stream)):
        cut = translation()
        assert cut.feed(stream[:at]) + cut.feed(stream[at:]) + cut.close() == expected
    slow = translation()
    pieces = [slow.feed(stream[at : at + 1]) + slow.feed(b"") for at in range(len(stream))]
    assert b"".join(pieces) + slow.close() == expected
    # As it comes: most frames are out before the last byte is in.
    assert sum(map(bool, pieces)) > 3


@QUICK
@given(st.lists(st.binary(max_size=40)), st.sampled_from([OpenAiStream, AnthropicStream]))
def test_any_bytes_end_in_an_error_and_nothing_else(pieces: list[bytes], translation: Any):
    one = translation()
    out = b"".join(one.feed(piece) for piece in pieces) + one.close()
    assert out.count(b"error") >= 1
    assert one.feed(b"data: {}\n\n") + one.close() == b""


@QUICK
@given(st.binary(), st.lists(st.integers(0, 300)))
def test_events_do_not_depend_on_the_cuts(stream: bytes, cuts: Iterable[int]):
    whole = list(EventReader().feed(stream))
    reader, found, start = EventReader(), [], 0
    for at in sorted(cuts):
        found += reader.feed(stream[start:at])
        start = max(start, at)
    assert found + list(reader.feed(stream[start:])) == whole


# What breaks a stream of Anthropic's, and the message and code of the error.
@pytest.mark.parametrize("translation", [OpenAiStream, AnthropicStream])
def test_memory_is_bounded(translation: Any):
    one, out, fed = translation(), b"", 0
    piece = b"data: " + b"x" * (1 << 20)
    while not out and fed <= 2 * LARGEST_EVENT:
        out = one.feed(piece)
        fed += len(piece)
    assert b"too large" in out
    assert fed <= LARGEST_EVENT + len(piece)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
USES = st.lists(st.tuples(NAMES, st.dictionaries(TEXTS, JSON, max_size=3)), max_size=3)


@QUICK
@given(TEXTS, USES)
def test_an_answer_survives_the_way_there_and_back(text: str, uses: list[tuple[str, Any]]):
    blocks: list[Any] = [{"type": "text", "text": text}] if text else []
    blocks += [
        {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": given}
        for index, (name, given) in enumerate(uses)
    ]
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": blocks,
        "stop_reason": "tool_use" if uses else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 1,
            "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 3,
            "output_tokens": 4,
        },
    }
    there = to_openai_answer(json.dumps(answer).encode(), 200)
    assert json.loads(to_anthropic_answer(there, 200)) == answer
