"""The features are part of the model's format: they may not change under a shipped model."""

from __future__ import annotations

import numpy as np
import pytest

from prism.classify.features import BUCKETS, HEAD_CHARS, TAIL_CHARS, clip, features_of, word_hash
from prism.classify.shape import SHAPE


def test_the_format_holds() -> None:
    found = features_of("Hello, Wörld 42! 你好")
    digest = [
        int(part.astype(np.uint64).sum()) for part in (found.tokens, found.grams, found.words)
    ]
    assert digest == [3_315_316, 7_097_360, 19_441_592_234]
    assert float(found.shape.sum()) == pytest.approx(7.6268, abs=1e-4)


@pytest.mark.parametrize(
    "text", ["", "a", "word " * 3_000, "你好" * 2_000, "\ud800\0", "ﷺ" * 2_000]
)
def test_buckets_are_distinct_and_within_bounds(text: str) -> None:
    found = features_of(text)
    for part in (found.tokens, found.grams):
        assert part.dtype == np.int64
        assert len(part) > 0
        assert (np.diff(part) > 0).all()
        assert part[0] >= 0
        assert part[-1] < BUCKETS
    assert found.shape.shape == (SHAPE,)
    assert np.isfinite(found.shape).all()


def test_case_digits_and_width_of_letters_do_not_count() -> None:
    plain = features_of("translate page 12 now")
    for other in ("Translate PAGE 99 now", "ｔranslate page 12 now"):
        found = features_of(other)
        assert (found.tokens == plain.tokens).all()
        assert (found.words == plain.words).all()


def test_a_word_has_one_hash_wherever_it_stands() -> None:
    assert word_hash("poem") == word_hash("POEM") == int(features_of("write a poem").words[-1])
    assert word_hash("你好") == int(features_of("说你好").words[-1])


def test_clip_keeps_head_and_tail() -> None:
    assert clip("short \n") == "short"
    text = "h" * HEAD_CHARS + "m" * 5_000 + "t" * TAIL_CHARS
    assert clip(text) == "h" * HEAD_CHARS + "\n" + "t" * TAIL_CHARS
