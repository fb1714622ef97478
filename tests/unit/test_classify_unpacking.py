"""The encoder's matrices come out of the file as its 4-bit blocks and their factors say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from prism.classify.unpacking import BLOCK, matrices
from prism.classify.v1 import constants_pb2 as messages

INPUTS, OUTPUTS = 2 * BLOCK, 3


def numbers() -> NDArray[np.int64]:
    """Of 4 bits, [outputs, inputs]."""
    return np.random.default_rng(5).integers(-8, 8, (OUTPUTS, INPUTS))


def packed() -> bytes:
    blocks = (numbers() + 8).reshape(OUTPUTS, -1, 2, BLOCK // 2).astype(np.uint8)
    return (blocks[:, :, 0] | blocks[:, :, 1] << 4).tobytes()


def factors() -> NDArray[np.float16]:
    return np.arange(1, 1 + OUTPUTS * INPUTS // BLOCK).astype(np.float16) / 2


def even() -> NDArray[np.float32]:
    return np.linspace(0.5, 1.5, INPUTS, dtype=np.float32)


def constant(name: str, kind: int, data: bytes) -> messages.TensorProto:
    return messages.TensorProto(name=name, data_type=kind, raw_data=data)


def a_model(*more: messages.TensorProto, dims: tuple[int, ...] = (INPUTS, OUTPUTS)) -> bytes:
    wanted = messages.TensorProto(name="m", data_type=3, dims=dims, data_location=1)
    return messages.ModelProto(
        graph=messages.GraphProto(initializer=[wanted, *more])
    ).SerializeToString()


PACKED = constant("m.packed", 2, packed())
FACTORS = constant("m.factors", 10, factors().tobytes())
EVEN = constant("m.even", 1, even().tobytes())


def test_blocks_become_a_matrix() -> None:
    found = matrices(a_model(PACKED, FACTORS))["m"]
    each = factors().astype(np.float32).reshape(OUTPUTS, -1).repeat(BLOCK, axis=1)
    assert found.dtype == np.int8
    assert found.flags.c_contiguous
    assert found.tolist() == np.rint(numbers() * each).T.tolist()


def test_columns_are_multiplied_where_the_file_says_so() -> None:
    found = matrices(a_model(PACKED, FACTORS, EVEN))["m"]
    each = factors().astype(np.float32).reshape(OUTPUTS, -1).repeat(BLOCK, axis=1)
    assert found.tolist() == np.rint(numbers().astype(np.float32) * each * even()).T.tolist()


def test_a_model_that_has_all_it_needs_is_given_nothing() -> None:
    inside = constant("m", 3, bytes(INPUTS * OUTPUTS))
    graph = messages.GraphProto(initializer=[inside])
    assert matrices(messages.ModelProto(graph=graph).SerializeToString()) == {}
    assert matrices(b"") == {}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (a_model(), "it has no m.packed"),
        (a_model(PACKED), "it has no m.factors"),
        (a_model(constant("m.packed", 2, packed()[1:]), FACTORS), "m.packed has another size"),
        (a_model(constant("m.packed", 9, packed()), FACTORS), "m.packed has another size or type"),
        (a_model(PACKED, constant("m.factors", 1, b"")), "m.factors has another size"),
        (a_model(PACKED, FACTORS, constant("m.even", 1, b"1234")), "m.even has another size"),
        (a_model(PACKED, FACTORS, dims=(INPUTS,)), "m is no matrix"),
        (a_model(PACKED, FACTORS, dims=(INPUTS + 1, OUTPUTS)), "m is no matrix"),
        (a_model(PACKED, FACTORS, dims=(INPUTS, -OUTPUTS)), "m is no matrix"),
        (b"not a model", "pars"),
    ],
)
def test_what_is_missing_or_of_another_size_is_named(model: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        matrices(model)
