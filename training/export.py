"""Writes the fitted models as one ONNX file.

Its graph reads the words, and the encoder's pieces where some are given (``If``)."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from pathlib import Path

import network as net
import numpy as np
from encoder import SIZE, Encoder, encode
from graph import IR_VERSION, OPSETS, Graph, check
from head import QUERIES, VALUES, Head
from measure import DOUBT, Cascade
from network import Network
from numpy.typing import NDArray
from onnx import TensorProto, helper
from words import Words

from prism.classify.features import MOST_WORDS, SHAPE
from prism.classify.model_file import (
    ABSTAIN_KEY,
    CLASSES,
    CLASSES_KEY,
    FORMAT,
    FORMAT_KEY,
    HIDDEN,
    PIECES_KEY,
    ROWS_KEY,
    SURE_KEY,
    WORDS_KEY,
)
from prism.classify.refit import BIAS, BOTH_BIAS, BOTH_WEIGHTS, READ, WEIGHTS
from prism.classify.vocabulary import NOTHING

_RAMPS = net.MEANS - net.HEADS
_LEAST = 1e-30
"""Less than any sum of shares: they are e to the power of -25 or more."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trained:
    """All that a model file is made of. ``abstain_below`` is its advice."""

    network: Network
    head: Head
    encoder: Encoder
    words: Words
    cascade: Cascade
    abstain_below: float


def export(path: Path, trained: Trained) -> None:
    """Write the model."""
    graph = Graph()
    _network(graph, trained.network)
    _last(graph, trained)
    doubted = graph.node("Greater", graph.node("Shape", "pieces", start=1, end=2),
                         graph.numbers(0))  # fmt: skip
    encoded = Graph("e.", graph)
    seen = _seen(encoded, trained.head, encode(encoded, trained.encoder, "pieces"))
    read = encoded.node("Concat", HIDDEN, seen, axis=1)
    logits = encoded.node("Gemm", read, BOTH_WEIGHTS, BOTH_BIAS)
    alone = Graph("w.")
    same = alone.node("Identity", HIDDEN)
    graph.nodes.append(helper.make_node(
        "If", [graph.node("Squeeze", doubted)], ["logits", READ],
        then_branch=encoded.branch("encoded", logits, read),
        else_branch=alone.branch("alone", alone.node("Gemm", HIDDEN, WEIGHTS, BIAS), same),
    ))  # fmt: skip
    graph.node("Softmax", "logits", out="probabilities", axis=1)
    _write(path, graph, trained)


def _seen(graph: Graph, head: Head, x: str) -> str:
    """What the hidden layer of the head makes of the pieces ``x``; see ``head._Read``."""
    params = head.params
    # All pieces count alike in the first mean, as each does whose query is nothing.
    query = np.concatenate([np.zeros((SIZE, 1), np.float32), params["query"]], axis=1)
    scores = graph.node("MatMul", x, graph.constant(query))
    shares = graph.node("Transpose", graph.node("Softmax", scores, axis=1), perm=[0, 2, 1])
    # By query, as the values are.
    means = graph.node("Transpose", graph.node("MatMul", shares, x), perm=[1, 0, 2])
    whole, learnt = graph.split(means, 1, QUERIES, axis=0)
    made = graph.node("MatMul", learnt, _half(graph, params["values"]))
    made = graph.node("Transpose", made, perm=[1, 0, 2])
    read = graph.node(
        "Concat",
        graph.node("Reshape", whole, graph.numbers(-1, SIZE)),
        graph.node("Reshape", made, graph.numbers(-1, QUERIES * VALUES)),
        axis=1,
    )
    first, bias = _half(graph, params["first"]), graph.constant(params["first_bias"])
    return graph.node("Relu", graph.node("Gemm", read, first, bias))


def _half(graph: Graph, numbers: Floats) -> str:
    """Numbers that have 16 bits in the file only: onnxruntime makes them float32 once, when the
    model is opened."""
    return graph.node("Cast", graph.constant(numbers, np.float16), to=TensorProto.FLOAT)


def _last(graph: Graph, trained: Trained) -> None:
    """The last layers of both looks, with their calibration. They lie in the outer graph, where
    ``prism train`` finds them."""
    network, head = trained.network.params, trained.head.params
    words, both = trained.cascade.words, trained.cascade.both
    (factor,) = words.factors
    graph.constant(network["second"] * factor, name=WEIGHTS)
    graph.constant(network["second_bias"] * factor, name=BIAS)
    layers = [layer["second"] * f for layer, f in zip((network, head), both.factors, strict=True)]
    biases = [
        layer["second_bias"] * f for layer, f in zip((network, head), both.factors, strict=True)
    ]
    graph.constant(np.concatenate(layers), name=BOTH_WEIGHTS)
    graph.constant(sum(biases), name=BOTH_BIAS)


def _rounded(table: Floats) -> tuple[NDArray[np.int8], Floats]:
    """8-bit numbers, and what each column of them is to be multiplied by.

    The three columns of a filter are added, so share a factor; so do the words' weights.
    """
    factors = np.maximum(np.abs(table).max(0), 1e-9) / 127
    filters = factors[: 3 * net.FILTERS].reshape(3, -1)
    filters[:] = filters.max(0)
    factors[-net.HEADS :] = factors[-net.HEADS :].max()
    return np.clip(np.round(table / factors), -127, 127).astype(np.int8), factors


def _network(graph: Graph, network: Network) -> None:
    params, wide = network.params, net.FILTERS
    # The bias of a filter is the same for all words, so it goes into their columns.
    biased = network.table()
    biased[:, 2 * wide : 3 * wide] += params["bias"]
    rounded, factors = _rounded(biased)
    inputs = _inputs(graph, _with_nothing(rounded), float(factors[-1]))
    # What 8 bits are to be multiplied by is folded into the layer.
    means = np.tile(factors[3 * wide : -net.HEADS], net.MEANS)
    folded = np.concatenate([means, factors[:wide], np.ones(SHAPE)])
    first = graph.constant(params["first"] * folded[:, None])
    hidden = graph.node("Gemm", inputs, first, graph.constant(params["first_bias"]))
    graph.node("Relu", hidden, out=HIDDEN)


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


def _write(path: Path, graph: Graph, trained: Trained) -> None:
    inputs = [
        helper.make_tensor_value_info("words", TensorProto.INT64, ["texts", "words_count"]),
        helper.make_tensor_value_info("shape", TensorProto.FLOAT, ["texts", SHAPE]),
        helper.make_tensor_value_info("pieces", TensorProto.INT64, ["texts", "pieces_count"]),
    ]
    output = helper.make_tensor_value_info(
        "probabilities", TensorProto.FLOAT, ["texts", net.CLASSES]
    )
    made = helper.make_graph(graph.nodes, "task", inputs, [output], graph.constants)
    model = helper.make_model(made, opset_imports=OPSETS)
    model.ir_version = IR_VERSION
    helper.set_model_props(
        model,
        {
            FORMAT_KEY: FORMAT,
            CLASSES_KEY: CLASSES,
            ABSTAIN_KEY: f"{trained.abstain_below:.2f}",
            SURE_KEY: str(DOUBT),
            WORDS_KEY: _packed("\n".join(trained.words.names).encode()),
            ROWS_KEY: _packed(trained.words.rows.astype("<u2").tobytes()),
            PIECES_KEY: _packed(trained.encoder.pieces),
        },
    )
    check(model)
    path.write_bytes(model.SerializeToString())


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()
