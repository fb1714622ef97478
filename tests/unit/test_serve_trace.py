"""Whose trace a question of Envoy's belongs to."""

from __future__ import annotations

import pytest

from prism.serve.failing import trace_of


@pytest.mark.parametrize(
    ("value", "trace"),
    [(f"00-{'ab' * 16}-{'cd' * 8}-01", "ab" * 16), ("", ""), ("garbage", ""), (b"00-a-b-01", "")],
)
def test_the_trace_of_a_question(value: str | bytes, trace: str) -> None:
    assert trace_of((("x-prism-stage", "route"), ("traceparent", value))) == trace


def test_a_question_in_no_trace() -> None:
    assert trace_of(()) == ""
