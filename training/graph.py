"""Puts ONNX graphs together."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from prism.classify.unpacking import EVEN, FACTORS, PACKED

Floats = NDArray[np.float32]
MICROSOFT = "com.microsoft"
"""The domain of operators that only onnxruntime has."""
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
IR_VERSION = 9


class Graph:
    """Collects nodes and constants; each method returns the name of its result. A graph inside
    another, ``outer``, needs a ``prefix`` for its names."""

    def __init__(self, prefix: str = "", outer: Graph | None = None) -> None:
        self._prefix = prefix
        self._outer = outer or self
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, kind: type[np.generic] = np.float32, name: str = "") -> str:
        name = name or f"{self._prefix}c{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(value, kind))
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def unpacked(
        self, name: str, packed: NDArray[np.uint8], factors: Floats, even: Floats | None
    ) -> str:
        """A matrix in 8 bits, int8 [inputs, outputs], that who opens the model makes of what
        ``prism.classify.unpacking`` names. It lies in the outer graph."""
        outputs, inputs = len(packed), packed[0].size * 2
        outer = self._outer
        outer.constant(packed.reshape(outputs, -1), np.uint8, f"{name}{PACKED}")
        outer.constant(factors.reshape(outputs, -1), np.float16, f"{name}{FACTORS}")
        if even is not None:
            outer.constant(even, np.float32, f"{name}{EVEN}")
        outside = TensorProto(name=name, dims=(inputs, outputs), data_type=TensorProto.INT8)
        outside.data_location = TensorProto.EXTERNAL
        outside.external_data.add(key="location", value="unpacked")
        outer.constants.append(outside)
        return name

    def numbers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def node(self, kind: str, *inputs: str, out: str = "", **settings: object) -> str:
        name = out or f"{self._prefix}n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **settings))
        return name

    def branch(self, name: str, *outputs: str) -> onnx.GraphProto:
        """What was collected, as one branch of an ``If``."""
        made = [helper.make_empty_tensor_value_info(output) for output in outputs]
        return helper.make_graph(self.nodes, name, [], made, self.constants)

    def block(self, whole: str, first: tuple[int, int], last: tuple[int, int]) -> str:
        """Of each text the rectangle between two corners (word, column)."""
        bounds = (self.numbers(*first), self.numbers(*last), self.numbers(1, 2))
        return self.node("Slice", whole, *bounds)

    def split(self, whole: str, *sizes: int, axis: int = 2) -> list[str]:
        """Cut into pieces of such sizes; by columns, where ``axis`` isn't given."""
        names = [f"{self._prefix}n{len(self.nodes)}_{i}" for i in range(len(sizes))]
        cut = helper.make_node("Split", [whole, self.numbers(*sizes)], names, axis=axis)
        self.nodes.append(cut)
        return names


def check(model: onnx.ModelProto) -> None:
    """Raises where the model isn't valid ONNX. What is given when it is opened counts as inputs:
    the checker would look for a file of it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = list(copy.graph.initializer)
    del copy.graph.initializer[:]
    for constant in constants:
        if constant.data_location == TensorProto.EXTERNAL:
            copy.graph.input.append(
                helper.make_tensor_value_info(constant.name, constant.data_type, constant.dims)
            )
        else:
            copy.graph.initializer.append(constant)
    onnx.checker.check_model(copy)
