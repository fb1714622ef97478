"""Reads the encoder's matrices out of a model file: they lie there in 4 bits and are computed with
in 8.

ONNX could say how the one becomes the other, and onnxruntime would do it when it opens the model;
but it holds every step of it, each a copy of all matrices, until the model is open: 300 MiB.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from prism.classify.v1 import constants_pb2 as messages

BLOCK = 32
"""So many numbers, one after the other in a row, are multiplied by the same factor."""
PACKED, FACTORS, EVEN = ".packed", ".factors", ".even"
"""What a matrix is made of, by the ends of the constants' names. ``.packed``: uint8 [outputs,
inputs / 2], of a block the first half in the low bits and the second in the high ones, each 8 more
than its number. ``.factors``: float16 [outputs, inputs / BLOCK]. ``.even``, which may be missing:
float32 [inputs]."""
_EXTERNAL = 1
_INT8 = 3
_KINDS = {1: np.float32, 2: np.uint8, 10: np.float16}
"""ONNX's numbers of types."""


def unpacked(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Float32 [outputs, blocks, BLOCK], -8 to 7, of bytes [outputs, blocks, BLOCK / 2]."""
    halves = np.concatenate([packed & 15, packed >> 4], axis=-1).astype(np.float32)
    halves -= 8
    return halves


def matrices(content: bytes) -> dict[str, NDArray[np.int8]]:
    """The matrices that a model file wants given, int8 [inputs, outputs], by name; none where it
    has all it needs.

    Raises ``ValueError`` where what they are made of is missing or of another size.
    """
    try:
        graph = messages.ModelProto.FromString(content).graph
    except DecodeError as error:
        raise ValueError(str(error)) from error
    constants = {constant.name: constant for constant in graph.initializer}
    wanted = [
        constant for constant in graph.initializer
        if constant.data_location == _EXTERNAL and constant.data_type == _INT8
    ]  # fmt: skip
    return {constant.name: _matrix(constant.name, constant.dims, constants) for constant in wanted}


def _matrix(name: str, dims: Any, constants: dict[str, Any]) -> NDArray[np.int8]:
    inputs, outputs = _two(name, dims)
    packed = _values(constants, f"{name}{PACKED}", (outputs, inputs // BLOCK, BLOCK // 2))
    numbers = unpacked(packed)
    numbers *= _values(constants, f"{name}{FACTORS}", (outputs, inputs // BLOCK, 1))
    if f"{name}{EVEN}" in constants:
        numbers *= _values(constants, f"{name}{EVEN}", (1, inputs // BLOCK, BLOCK))
    rounded = np.rint(numbers, out=numbers).astype(np.int8).reshape(outputs, inputs)
    return np.ascontiguousarray(rounded.T)


def _two(name: str, dims: Any) -> tuple[int, int]:
    if len(dims) != 2 or min(dims) < 1 or dims[0] % BLOCK:
        raise ValueError(f"{name} is no matrix of blocks of {BLOCK}: {list(dims)}")
    return int(dims[0]), int(dims[1])


def _values(constants: dict[str, Any], name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    found = constants.get(name)
    if found is None:
        raise ValueError(f"it has no {name}")
    kind = _KINDS.get(found.data_type)
    if kind is None or len(found.raw_data) != np.prod(shape) * np.dtype(kind).itemsize:
        raise ValueError(f"{name} has another size or type than its matrix wants")
    return np.frombuffer(found.raw_data, kind).reshape(shape)


def session(
    content: bytes, found: dict[str, NDArray[np.int8]], options: Any, more: bytes = b""
) -> Any:
    """An onnxruntime session of a model file that is given its matrices, as ``matrices`` has them.
    ``more`` are bytes behind the file's."""
    import onnxruntime

    values = [onnxruntime.OrtValue.ortvalue_from_numpy(matrix) for matrix in found.values()]
    options.add_external_initializers([*found], values)
    made = onnxruntime.InferenceSession(content + more, options, ["CPUExecutionProvider"])
    # It computes with the arrays themselves and does not keep them.
    made.prism_matrices = found
    return made
