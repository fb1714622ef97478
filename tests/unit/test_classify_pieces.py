"""The pieces are part of the model's format: they may not change under a shipped model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2 as messages

from prism.classify.pieces import END, HEAD_PIECES, MOST_PIECES, START, TAIL_PIECES, Pieces

NAMES = ["<s>", "<pad>", "</s>", "<unk>", "▁write", "▁a", "▁po", "em", "▁", "e", "m", "你", "▁fi"]


@pytest.fixture(scope="module")
def pieces() -> Pieces:
    kind = messages.ModelProto.SentencePiece
    model = messages.ModelProto()
    for number, name in enumerate(NAMES):
        what = kind.NORMAL if number > 3 else kind.UNKNOWN if number == 3 else kind.CONTROL
        model.pieces.append(kind(piece=name, score=-float(number), type=what))
    model.trainer_spec.model_type = messages.TrainerSpec.UNIGRAM
    model.trainer_spec.unk_id, model.trainer_spec.bos_id = 3, START
    model.trainer_spec.eos_id, model.trainer_spec.pad_id = END, 1
    model.normalizer_spec.name = "identity"
    return Pieces(model.SerializeToString())


def names(pieces: Pieces, text: str) -> list[str]:
    found = pieces.of(text)
    assert found.dtype == np.int64
    assert found.shape[0] == 1
    ids = found[0].tolist()
    assert (ids[0], ids[-1]) == (START, END)
    return [NAMES[piece] for piece in ids[1:-1]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write a POEM", ["▁write", "▁a", "▁po", "em"]),
        ("write\n\n\ta  poem ", ["▁write", "▁a", "▁po", "em"]),
        ("ｗｒｉｔｅ", ["▁write"]),
        ("ﬁ", ["▁fi"]),
        ("你", ["▁", "你"]),
        ("", []),
        (" \n ", []),
        ("\ud800", ["▁", "<unk>"]),
        ("z", ["▁", "<unk>"]),
    ],
)
def test_a_text_is_cut_into_pieces(pieces: Pieces, text: str, found: list[str]) -> None:
    assert names(pieces, text) == found


def test_of_a_long_text_the_first_and_the_last_pieces_count(pieces: Pieces) -> None:
    for many in (200, 20_000):
        found = names(pieces, "write " * many + "a " * many)
        assert found == ["▁write"] * HEAD_PIECES + ["▁a"] * TAIL_PIECES


@given(st.text(st.characters(codec=None), max_size=900))
def test_any_text_has_pieces(pieces: Pieces, text: str) -> None:
    assert 2 <= pieces.of(text).shape[1] <= MOST_PIECES


def test_texts_that_grow_by_their_normal_form_are_cut(pieces: Pieces) -> None:
    assert pieces.of("ﷺ" * 5_000).shape[1] <= MOST_PIECES


@pytest.mark.parametrize("model", [b"", b"no model", bytes(100)])
def test_what_is_no_model_is_refused(model: bytes) -> None:
    with pytest.raises(RuntimeError):
        Pieces(model)
