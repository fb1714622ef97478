"""Patterns for Envoy, by Python's own engine: they use nothing that RE2 and it read differently."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from prism.envoy.patterns import greater_than, other_than
from prism.exchange import headers

WORDS = st.text("ab-", max_size=4)


@given(st.sets(WORDS, max_size=5), WORDS)
def test_every_text_but_these(words: set[str], text: str) -> None:
    pattern = other_than(words)
    assert (re.fullmatch(pattern, text) is None) == (text in words)
    assert not any(re.fullmatch(pattern, word) for word in words)


def test_the_headers_that_clients_may_send_are_kept_and_no_other() -> None:
    pattern = "x-prism-" + other_than([n.removeprefix("x-prism-") for n in headers.REQUEST])
    assert not any(re.fullmatch(pattern, name) for name in headers.REQUEST)
    assert all(re.fullmatch(pattern, name) for name in headers.INTERNAL)
    for name in ("x-prism-", "x-prism-mod", "x-prism-modes", "x-prism-model", "x-prism-anything"):
        assert re.fullmatch(pattern, name)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_beyond_one(limit: int, number: int) -> None:
    pattern = greater_than(limit)
    assert (re.fullmatch(pattern, str(number)) is not None) == (number > limit)
    assert re.fullmatch(pattern, str(limit)) is None
    assert re.fullmatch(pattern, str(limit + 1))
