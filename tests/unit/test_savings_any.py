"""Any line at all is a usage, left out, or a bad line: nothing else ever comes out."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from prism.savings.line import read_line
from prism.savings.rows import columns_of, read_row
from prism.savings.usage import BadLine, LeftOut, Usage

NAMES = st.sampled_from(
    [
        *("request", "response", "body", "messages", "input", "prompt", "choices", "usage"),
        *("model", "error", "metadata", "object", "data", "results", "chunks", "message"),
        *("prompt_tokens", "input_tokens", "output_tokens", "cache_read_input_tokens"),
        *("role", "content", "text", "type", "status", "spend", "cache_hit", "delta"),
        *("system", "instructions", "tools", "source", "arguments", "output"),
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["page", "bucket", "chat.completion", "user", "gpt-4o", "data: {}", "[]"]),
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(NAMES, inner, max_size=5),
        inner.map(lambda value: json.dumps(value)),
    )


VALUES = st.recursive(LEAVES, nested, max_leaves=12)


def read(line: bytes) -> None:
    try:
        found = list(read_line(line))
    except BadLine:
        return
    for item in found:
        assert isinstance(item, Usage | LeftOut)
        if isinstance(item, Usage):
            tokens = item.tokens
            assert 0 <= tokens.cached + tokens.written <= tokens.input
            assert tokens.output >= 0
            assert item.requests >= 1


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_object(value: dict[str, Any]) -> None:
    read(json.dumps(value).encode())


@given(st.binary(max_size=60))
def test_any_bytes(line: bytes) -> None:
    read(line)
    read(b'{"response": ' + line + b"}")


@given(st.lists(st.text(max_size=12), min_size=4, max_size=6))
def test_any_row(row: list[str]) -> None:
    columns = columns_of(["model", "prompt", "input_tokens", "output_tokens", "cost"], {})
    with suppress(BadLine):
        assert isinstance(read_row(row, columns), Usage | LeftOut)
