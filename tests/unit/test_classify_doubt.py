"""Which texts get a second look: the confidence that the words' answer needs, by length."""

from __future__ import annotations

import pytest

from prism.classify.doubt import Doubt
from prism.classify.features import Reader
from prism.classify.vocabulary import Vocabulary

DOUBT = Doubt(sure_from=0.75, short_sure_from=0.95, short_words=3)


def test_short_texts_need_more_confidence() -> None:
    reader = Reader(Vocabulary(["a"], [1]))
    texts = ["", "a", "a a a", "a a a a", "a " * 200]
    limits = DOUBT.limits(reader.features_of(texts).shape)
    assert limits == [0.95, 0.95, 0.95, 0.75, 0.75]


def test_none_is_short_where_no_word_is_allowed() -> None:
    reader = Reader(Vocabulary(["a"], [1]))
    limits = Doubt(0.5, 1.0, 0).limits(reader.features_of(["a", ""]).shape)
    assert limits == [0.5, 1.0]


def test_a_model_file_keeps_it_as_text() -> None:
    assert str(DOUBT) == "0.75 0.95 3"
    assert Doubt.read(str(DOUBT)) == DOUBT


@pytest.mark.parametrize(
    "said",
    ["", "0.75", "0.75 0.95", "0.75 0.95 3 4", "a 0.95 3", "0.75 0.95 3.5",
     "1.1 0.95 3", "0.75 -0.1 3", "nan 0.95 3", "0.75 0.95 -1"],
)  # fmt: skip
def test_anything_else_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Doubt.read(said)
