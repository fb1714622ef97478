"""The features are part of the model's format: they may not change under a shipped model."""

from __future__ import annotations

import math

import numpy as np
import pytest

from prism.classify import HEAD_CHARS, TAIL_CHARS
from prism.classify.features import (
    HEAD_WORDS,
    MOST_WORDS,
    SHAPE,
    TAIL_WORDS,
    Reader,
    clip,
)
from prism.classify.vocabulary import REMEMBERED, SPECIAL, Vocabulary

WORDS = [
    "hello", "write", "a", "poem", "translate", "page", "00", ",", "!", "(", ")", "```", "\x01",
    "\x02", "\x03", "你", "你好", "straße", "नमस्ते", "wri*", "*tion", ".",
]  # fmt: skip
NAMES = (*SPECIAL, *WORDS)


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(WORDS, range(len(SPECIAL), len(SPECIAL) + len(WORDS)))


@pytest.fixture
def reader(vocabulary: Vocabulary) -> Reader:
    return Reader(vocabulary)


def words_of(reader: Reader, text: str) -> list[str]:
    """The names of the rows that a text is read as."""
    return [NAMES[row] for row in reader.features_of([text]).words[0].tolist()[1:-1]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, write a POEM!", ["hello", ",", "write", "a", "poem", "!"]),
        ("page 42", ["page", "00"]),
        ("page 1234567", ["page", "<number>"]),
        ("(write)", ["(", "write", ")"]),
        ("write?", ["write", "<sign>"]),
        ("poem 🙂", ["poem", "<emoji>"]),
        ("a\nb", ["a", "\x01", "<word>"]),
        ("a\n\na", ["a", "\x02", "a"]),
        ("a\n    a\n\ta", ["a", "\x03", "a", "\x03", "a"]),
        ("```\na", ["```", "\x01", "a"]),
        ("你好你", ["你好", "<joined>"]),
        ("好", ["<joined>"]),
        ("Straße नमस्ते", ["straße", "नमस्ते"]),
        ("ｗｒｉｔｅ", ["write"]),
    ],
)
def test_a_text_is_read_word_by_word(reader: Reader, text: str, words: list[str]) -> None:
    assert words_of(reader, text) == words


@pytest.mark.parametrize("word", ["helllo", "ehllo", "hallo", "hellox"])
def test_one_slip_of_a_finger_does_not_hide_a_word(reader: Reader, word: str) -> None:
    assert words_of(reader, word) == ["hello"]


def test_a_lost_letter_does_not_hide_a_word(reader: Reader) -> None:
    assert words_of(reader, "transate") == ["translate"]


def test_unknown_words_are_known_by_how_they_begin_or_end(reader: Reader) -> None:
    assert words_of(reader, "writable vibration xyz") == ["wri*", "*tion", "<word>"]


def test_nothing_stands_at_both_ends(reader: Reader) -> None:
    for text in ("", "hello", "hello " * 1_000):
        words = reader.features_of([text]).words[0]
        assert words.dtype == np.int64
        assert words[0] == words[-1] == 0


def test_of_a_long_text_the_first_and_the_last_words_count(reader: Reader) -> None:
    words = words_of(reader, "write " * 150 + "a " * 100)
    assert words == ["write"] * HEAD_WORDS + ["a"] * TAIL_WORDS
    assert len(words) == MOST_WORDS


@pytest.mark.parametrize(
    "text", ["", "a", "word " * 3_000, "你好" * 2_000, "\ud800\0", "ﷺ" * 2_000]
)
def test_shapes_are_finite_and_small(reader: Reader, text: str) -> None:
    shape = reader.features_of([text]).shape
    assert shape.shape == (1, SHAPE)
    assert shape.dtype == np.float32
    assert (shape >= 0).all()
    assert (shape < 2.5).all()


def test_the_shape_is_of_logarithms(reader: Reader) -> None:
    sizes = (len("hello\na") / 4, 2, 3, len("hello\na") / 2 / 4)
    wanted = [math.log1p(size) / 4 for size in sizes]
    assert reader.features_of(["hello\na"]).shape[0] == pytest.approx(wanted)


def test_what_is_read_does_not_depend_on_what_was_read_before(vocabulary: Vocabulary) -> None:
    chunk = "(helo,"
    first = vocabulary[chunk]
    assert vocabulary[chunk] == first
    for number in range(REMEMBERED + 10):
        vocabulary[f"x{number:x}"]
    assert len(vocabulary) <= REMEMBERED + len(WORDS)
    assert vocabulary[chunk] == first
    assert vocabulary["write"] == Vocabulary(WORDS, range(6, 6 + len(WORDS)))["write"]


def test_clip_keeps_head_and_tail() -> None:
    assert clip("short \n") == "short"
    text = "h" * HEAD_CHARS + "m" * 5_000 + "t" * TAIL_CHARS
    assert clip(text) == "h" * HEAD_CHARS + "\n" + "t" * TAIL_CHARS
