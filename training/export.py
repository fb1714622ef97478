"""Writes the fitted models as one ONNX file."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import network as net
import numpy as np
import onnx
from measure import Scale
from network import Network
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from words import Words

from prism.classify.features import MOST_WORDS, SHAPE
from prism.classify.model_file import (
    ABSTAIN_KEY,
    CLASSES,
    CLASSES_KEY,
    FORMAT,
    FORMAT_KEY,
    ROWS_KEY,
    WORDS_KEY,
)
from prism.classify.refit import BIAS, HIDDEN, WEIGHTS
from prism.classify.vocabulary import NOTHING

OPSET = 17
IR_VERSION = 9
_RAMPS = net.MEANS - net.HEADS
_LEAST = 1e-30
"""Less than any sum of shares: they are e to the power of -25 or more."""

Floats = NDArray[np.float32]


class Graph:
    """Collects nodes and constants; each method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, kind: type[np.generic] = np.float32, name: str = "") -> str:
        name = name or f"c{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(value, kind))
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def numbers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def node(self, kind: str, *inputs: str, out: str = "", **settings: object) -> str:
        name = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **settings))
        return name

    def block(self, whole: str, first: tuple[int, int], last: tuple[int, int]) -> str:
        """Of each text the rectangle between two corners (word, column)."""
        bounds = (self.numbers(*first), self.numbers(*last), self.numbers(1, 2))
        return self.node("Slice", whole, *bounds)

    def split(self, whole: str, *sizes: int) -> list[str]:
        """What each text has, cut into pieces of so many columns."""
        names = [f"n{len(self.nodes)}_{i}" for i in range(len(sizes))]
        cut = helper.make_node("Split", [whole, self.numbers(*sizes)], names, axis=2)
        self.nodes.append(cut)
        return names


def export(path: Path, network: Network, words: Words, scale: Scale, abstain_below: float) -> None:
    """Write the model; ``scale`` is what its logits are calibrated by."""
    graph = Graph()
    logits = _network(graph, network, scale)
    graph.node("Softmax", logits, out="probabilities", axis=1)
    _write(path, graph, words, abstain_below)


def _rounded(table: Floats) -> tuple[NDArray[np.int8], Floats]:
    """8-bit numbers, and what each column of them is to be multiplied by.

    The three columns of a filter are added, so share a factor; so do the words' weights.
    """
    factors = np.maximum(np.abs(table).max(0), 1e-9) / 127
    filters = factors[: 3 * net.FILTERS].reshape(3, -1)
    filters[:] = filters.max(0)
    factors[-net.HEADS :] = factors[-net.HEADS :].max()
    return np.clip(np.round(table / factors), -127, 127).astype(np.int8), factors


def _network(graph: Graph, network: Network, scale: Scale) -> str:
    params, wide = network.params, net.FILTERS
    # The bias of a filter is the same for all words, so it goes into their columns.
    biased = network.table()
    biased[:, 2 * wide : 3 * wide] += params["bias"]
    rounded, factors = _rounded(biased)
    inputs = _inputs(graph, _with_nothing(rounded), float(factors[-1]))
    # What 8 bits are to be multiplied by, and the calibration, are folded into the layers.
    means = np.tile(factors[3 * wide : -net.HEADS], net.MEANS)
    folded = np.concatenate([means, factors[:wide], np.ones(SHAPE)])
    first = graph.constant(params["first"] * folded[:, None])
    hidden = graph.node("Gemm", inputs, first, graph.constant(params["first_bias"]))
    seen = graph.node("Relu", hidden, out=HIDDEN)
    weights = graph.constant(params["second"] * scale.factor, name=WEIGHTS)
    bias = params["second_bias"] * scale.factor + scale.bias
    return graph.node("Gemm", seen, weights, graph.constant(bias, name=BIAS))


def _with_nothing(rounded: NDArray[np.int8]) -> NDArray[np.int8]:
    """The table as the graph reads it: behind the values a column that counts words, before the
    heads a column of 0 for each ramp.

    Shorter texts are filled up with ``NOTHING``, which must not count: it has no value, is no
    word, and no word before it lifts a filter there above 0, where none reacts.
    """
    values, heads = 3 * net.FILTERS, net.HEADS
    rounded = rounded.copy()
    rounded[NOTHING] = 0
    rounded[NOTHING, 2 * net.FILTERS : values] = -127
    is_word = (np.arange(len(rounded)) != NOTHING).astype(np.int8)
    ramps = np.zeros((len(rounded), _RAMPS), np.int8)
    return np.concatenate(
        [rounded[:, :-heads], is_word[:, None], ramps, rounded[:, -heads:]], axis=1
    )


def _inputs(graph: Graph, table: NDArray[np.int8], factor: float) -> str:
    """What the hidden layer reads; ``factor`` is what heads are to be multiplied by."""
    wide = net.FILTERS
    found = graph.node("Gather", graph.constant(table, np.int8), "words")
    whole = graph.node("Cast", found, to=TensorProto.FLOAT)
    # The first and the last row stand for nothing; the words are between them.
    before = graph.block(whole, (0, 0), (-2, wide))
    after = graph.block(whole, (2, wide), (2**31, 2 * wide))
    rest = graph.block(whole, (1, 2 * wide), (-1, 2**31))
    here, values, heads = graph.split(rest, wide, net.VALUES + 1, net.MEANS)
    highest = graph.node("ReduceMax", graph.node("Sum", before, here, after),
                         axes=[1], keepdims=0)  # fmt: skip
    seen = graph.node("Relu", highest)
    pooled = _pooled(graph, values, heads, factor)
    return graph.node("Concat", pooled, seen, "shape", axis=1)


def _pooled(graph: Graph, values: str, heads: str, factor: float) -> str:
    """The means of the values, one after the other; see ``network._shares``. Each is a sum over
    words, divided by the same sum of the column that counts them."""
    place = np.arange(MOST_WORDS) / net.REACH
    none = np.zeros(MOST_WORDS)
    ramps = graph.constant(np.stack([none, -place, place, *[none] * net.HEADS], axis=1))
    many = graph.node("Shape", heads, start=1, end=2)
    ramp = graph.node("Slice", ramps, graph.numbers(0), many, graph.numbers(0))
    scores = graph.node("Add", graph.node("Mul", heads, graph.constant(factor)), ramp)
    shares = graph.node("Transpose", graph.node("Exp", scores), perm=[0, 2, 1])
    sums, counted = graph.split(graph.node("MatMul", shares, values), net.VALUES, 1)
    # A text of nothing has no word to count.
    means = graph.node("Div", sums, graph.node("Max", counted, graph.constant(_LEAST)))
    return graph.node("Reshape", means, graph.numbers(-1, net.MEANS * net.VALUES))


def _write(path: Path, graph: Graph, words: Words, abstain_below: float) -> None:
    inputs = [
        helper.make_tensor_value_info("words", TensorProto.INT64, ["texts", "words_count"]),
        helper.make_tensor_value_info("shape", TensorProto.FLOAT, ["texts", SHAPE]),
    ]
    output = helper.make_tensor_value_info(
        "probabilities", TensorProto.FLOAT, ["texts", net.CLASSES]
    )
    made = helper.make_graph(graph.nodes, "task", inputs, [output], graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    helper.set_model_props(
        model,
        {
            FORMAT_KEY: FORMAT,
            CLASSES_KEY: CLASSES,
            ABSTAIN_KEY: f"{abstain_below:.2f}",
            WORDS_KEY: _packed("\n".join(words.names).encode()),
            ROWS_KEY: _packed(words.rows.astype("<u2").tobytes()),
        },
    )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()
