"""Writes the fitted models as one ONNX file."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import onnx
from linear import Linear
from matrix import EDGE_WORDS, Floats, Words
from network import Network
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from words import STEPS

from prism.classify.features import BUCKETS
from prism.classify.model_file import (
    ABSTAIN_KEY,
    CLASSES,
    CLASSES_KEY,
    FORMAT,
    FORMAT_KEY,
    SENSES_KEY,
    WORDS_KEY,
)
from prism.classify.shape import SHAPE

OPSET = 17
IR_VERSION = 9


class Graph:
    """Collects nodes and constants; each method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, *inputs: str, out: str = "", **settings: object) -> str:
        name = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **settings))
        return name

    def rows(self, table: str, index: str) -> str:
        """Rows of an 8-bit table as float32 [many, width]."""
        return self.node("Cast", self.node("Gather", table, index), to=TensorProto.FLOAT)


def export(
    path: Path, linear: Linear, network: Network, words: Words,
    mix: tuple[float, float], bias: Floats, abstain_below: float,
) -> None:  # fmt: skip
    """Write the model; ``mix`` weighs the logits of the two models, ``bias`` is added."""
    graph = Graph()
    first = _linear(graph, linear, mix[0])
    second = _network(graph, network, words, mix[1])
    offset = graph.constant((bias + mix[0] * linear.bias).astype(np.float32))
    logits = graph.node("Add", graph.node("Add", first, second), offset)
    soft = graph.node("Softmax", logits, axis=1)
    graph.node("Reshape", soft, graph.constant(np.array([4])), out="probabilities")
    _write(path, graph, words, abstain_below)


def _linear(graph: Graph, linear: Linear, share: float) -> str:
    scale = np.abs(linear.table).max(0) / 127
    table = np.clip(np.round(linear.table / scale), -127, 127).astype(np.int8)
    tables = np.split(table, [BUCKETS, 2 * BUCKETS])
    parts = []
    for name, part in zip(("tokens", "grams", "senses"), tables, strict=True):
        total = graph.node(
            "ReduceSum", graph.rows(graph.constant(part), name),
            graph.constant(np.array([0])), keepdims=1,
        )  # fmt: skip
        many = graph.node("Cast", graph.node("Size", name), to=TensorProto.FLOAT)
        parts.append(graph.node("Div", total, graph.node("Sqrt", many)))
    whole = graph.node("Sum", *parts)
    return graph.node("Mul", whole, graph.constant((scale * share)[None].astype(np.float32)))


def _network(graph: Graph, network: Network, words: Words, share: float) -> str:
    whole = np.round(words.vectors * STEPS).astype(np.int8)
    steps = graph.constant(np.array([[1 / STEPS]], np.float32))
    vectors = graph.node("Mul", graph.rows(graph.constant(whole), "words"), steps)
    shares = np.round(words.weights * 255).astype(np.uint8)[:, None]
    weights = graph.rows(graph.constant(shares), "words")
    end, zero = graph.constant(np.array([2**31])), graph.constant(np.array([0]))
    pooled = [_mean(graph, vectors, weights)]
    for first, last in (
        (zero, graph.constant(np.array([EDGE_WORDS]))),
        (graph.constant(np.array([-EDGE_WORDS])), end),
    ):
        pieces = [graph.node("Slice", part, first, last, zero) for part in (vectors, weights)]
        pooled.append(_mean(graph, *pieces))
    # Up to opset 17 ReduceMax and ReduceMin take their axes as an attribute.
    pooled += [
        graph.node(kind, vectors, axes=[0], keepdims=1) for kind in ("ReduceMax", "ReduceMin")
    ]
    shape = graph.node("Reshape", "shape", graph.constant(np.array([1, SHAPE])))
    filters, bias, w1, b1, w2, b2 = network.params
    seen = _filters(graph, vectors, filters, bias)
    inputs = graph.node("Concat", *pooled, shape, seen, axis=1)
    # Standardising is folded into the first layer.
    dense = len(network.scale)
    folded = np.concatenate([w1[:dense] * network.scale[:, None], w1[dense:]])
    offset = b1 - (network.mean * network.scale) @ w1[:dense]
    hidden = graph.node("Relu", _layer(graph, inputs, folded, offset))
    return _layer(graph, hidden, w2 * share, b2 * share)


def _filters(graph: Graph, vectors: str, filters: Floats, bias: Floats) -> str:
    """As in training: nothing before the words, at least a window of nothing after them."""
    size = filters.shape[0] // 3
    before, after = (graph.constant(np.zeros((many, size), np.float32)) for many in (1, 3))
    padded = graph.node("Concat", before, vectors, after, axis=0)
    zero = graph.constant(np.array([0]))
    windows = graph.node(
        "Concat",
        *(graph.node("Slice", padded, graph.constant(np.array([first])),
                     graph.constant(np.array([last])), zero)
          for first, last in ((0, -2), (1, -1), (2, 2**31))),
        axis=1,
    )  # fmt: skip
    heights = graph.node("MatMul", windows, graph.constant(filters))
    highest = graph.node("ReduceMax", heights, axes=[0], keepdims=1)
    return graph.node("Relu", graph.node("Add", highest, graph.constant(bias[None])))


def _mean(graph: Graph, vectors: str, weights: str) -> str:
    turned = graph.node("Transpose", weights, perm=[1, 0])
    total = graph.node("ReduceSum", weights, keepdims=1)
    tiny = graph.constant(np.array([[1e-6 * 255]], np.float32))
    return graph.node("Div", graph.node("MatMul", turned, vectors), graph.node("Add", total, tiny))


def _layer(graph: Graph, inputs: str, weights: Floats, bias: Floats) -> str:
    parts = [graph.constant(part.astype(np.float32)) for part in (weights, bias)]
    return graph.node("Gemm", inputs, *parts)


def _write(path: Path, graph: Graph, words: Words, abstain_below: float) -> None:
    inputs = [
        *(helper.make_tensor_value_info(name, TensorProto.INT64, [f"{name}_count"])
          for name in ("tokens", "grams", "words", "senses")),
        helper.make_tensor_value_info("shape", TensorProto.FLOAT, [SHAPE]),
    ]  # fmt: skip
    output = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [4])
    made = helper.make_graph(graph.nodes, "task", inputs, [output], graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    helper.set_model_props(
        model,
        {
            FORMAT_KEY: FORMAT,
            CLASSES_KEY: CLASSES,
            ABSTAIN_KEY: f"{abstain_below:.2f}",
            WORDS_KEY: base64.b64encode(words.table.hashes.astype("<u4").tobytes()).decode(),
            SENSES_KEY: base64.b64encode(words.table.senses.astype("<u2").tobytes()).decode(),
        },
    )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
