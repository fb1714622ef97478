"""The model file: one ONNX graph whose metadata says what it is; opened, checked, or refused."""

from __future__ import annotations

import base64
import binascii
import contextlib
import ctypes
import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism.classify.doubt import Doubt
from prism.classify.features import SHAPE
from prism.classify.pieces import END, START, Pieces
from prism.classify.unpacking import matrices, session
from prism.classify.vocabulary import Vocabulary
from prism.routing.catalog import TASKS

# Changes with the features: a model trained on others would answer nonsense.
FORMAT = "8"
# Keys of the model's metadata.
FORMAT_KEY = "prism.format"
CLASSES_KEY = "prism.classes"
WORDS_KEY = "prism.words"
ROWS_KEY = "prism.rows"
PIECES_KEY = "prism.pieces"
SURE_KEY = "prism.sure_from"
ABSTAIN_KEY = "prism.abstain_below"

CLASSES = ",".join(TASKS)
INPUTS: dict[str, tuple[str, list[int | None]]] = {
    "words": ("tensor(int64)", [None, None]),
    "shape": ("tensor(float)", [None, SHAPE]),
    "pieces": ("tensor(int64)", [None, None]),
}
OUTPUTS: dict[str, tuple[str, list[int | None]]] = {
    "probabilities": ("tensor(float)", [None, len(TASKS)])
}
HIDDEN = "hidden"
"""What the last layer reads of the words, by its name in the graph."""
NO_PIECES = np.zeros((1, 0), np.int64)
"""Given for ``pieces``, one row a text, it leaves the encoder out."""
# Protobuf's messages merge when their bytes are joined. These are a model whose graph (7) has one
# output (12): its name (1), and its type (2), which is a tensor's (1) of float32 (1 = 1).
_SHOW_HIDDEN = b"\x3a\x10\x62\x0e\x0a\x06hidden\x12\x04\x0a\x02\x08\x01"


class ModelRefused(ValueError):
    """The file is no classifier that this version can run; the message says why."""


@dataclass(frozen=True, slots=True)
class Model:
    """``session``: an onnxruntime session. ``vocabulary``: the words it knows. ``pieces``: those
    that its encoder reads.

    ``doubt``: of which texts the encoder is asked. ``abstain_below``: the confidence under which
    its trainer advises to abstain. ``digest``: the SHA-256 of the file.
    """

    session: Any
    vocabulary: Vocabulary
    pieces: Pieces
    doubt: Doubt
    abstain_below: float
    digest: str


def open_model(path: Path, threads: int) -> Model:
    """Open and check a model. Raises ``ModelRefused``; ``FileNotFoundError`` where none is."""
    # Newer releases report use to their maker unless told not to; a gateway must not.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    try:
        found = matrices(content)
        made = _showing_hidden(content, found, threads)
        made = made or session(content, found, _options(threads))
    # onnxruntime's errors have no common base but this.
    except Exception as error:
        raise ModelRefused(f"{path}: not a readable ONNX model: {error}") from error
    said = made.get_modelmeta().custom_metadata_map
    _check(path, made, said)
    _give_back()
    vocabulary, pieces = _vocabulary(path, said), _pieces(path, said)
    _probe(path, made, vocabulary, pieces)
    doubt, abstain_below = _doubt(path, said), _share(path, said, ABSTAIN_KEY)
    return Model(made, vocabulary, pieces, doubt, abstain_below, digest)


def _give_back() -> None:
    """Return memory to the system: reading the file takes several times its size for a moment,
    which glibc would keep for later. Other C libraries have no such call."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Threads that spin would take the cores that requests need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _showing_hidden(content: bytes, found: dict[str, NDArray[np.int8]], threads: int) -> Any:
    """A session whose second output is what the last layer reads; ``None`` where it has no name."""
    try:
        return session(content, found, _options(threads), _SHOW_HIDDEN)
    # Such as a model of another maker: it classifies, and no predictor fits it.
    except Exception:
        return None


def _check(path: Path, session: Any, said: dict[str, str]) -> None:
    for key, wanted in ((FORMAT_KEY, FORMAT), (CLASSES_KEY, CLASSES)):
        if said.get(key) != wanted:
            raise ModelRefused(f"{path}: metadata {key} is {said.get(key)!r}, not {wanted!r}")
    for what, nodes, wanted_nodes in (
        ("inputs", session.get_inputs(), INPUTS),
        ("outputs", session.get_outputs(), OUTPUTS),
    ):
        found = {n.name: (n.type, _sizes(n.shape)) for n in nodes if n.name != HIDDEN}
        if found != wanted_nodes:
            raise ModelRefused(f"{path}: {what} are {found}, not {wanted_nodes}")


def _sizes(shape: list[int | str | None]) -> list[int | None]:
    return [size if isinstance(size, int) else None for size in shape]


def _vocabulary(path: Path, said: dict[str, str]) -> Vocabulary:
    names = _unpacked(path, said, WORDS_KEY).decode("utf-8", "replace").split("\n")
    packed = _unpacked(path, said, ROWS_KEY)
    rows = struct.unpack(f"<{len(packed) // 2}H", packed[: len(packed) // 2 * 2])
    if len(rows) != len(names):
        raise ModelRefused(
            f"{path}: metadata {ROWS_KEY} has {len(rows)} entries for {len(names)} words"
        )
    return Vocabulary(names, rows)


def _unpacked(path: Path, said: dict[str, str], key: str) -> bytes:
    try:
        return zlib.decompress(base64.b64decode(said[key], validate=True))
    except (KeyError, ValueError, binascii.Error, zlib.error) as error:
        raise ModelRefused(f"{path}: metadata {key} is unreadable: {error!r}") from None


def _pieces(path: Path, said: dict[str, str]) -> Pieces:
    try:
        return Pieces(_unpacked(path, said, PIECES_KEY))
    except (RuntimeError, ValueError) as error:
        if isinstance(error, ModelRefused):
            raise
        raise ModelRefused(f"{path}: metadata {PIECES_KEY} is unreadable: {error}") from None


def _probe(path: Path, session: Any, vocabulary: Vocabulary, pieces: Pieces) -> None:
    """Run it once on the last rows that words and pieces name: smaller tables would fail on
    texts."""
    words = np.array([[0, vocabulary.size - 1, 0]])
    given = {"words": words, "shape": np.zeros((1, SHAPE), np.float32)}
    both = np.array([[START, pieces.size - 1, END]])
    for looked_up, table in ((NO_PIECES, "words"), (both, "pieces")):
        try:
            (found,) = session.run(list(OUTPUTS), given | {"pieces": looked_up})
        except Exception as error:
            raise ModelRefused(
                f"{path}: the table has fewer rows than its {table}: {error}"
            ) from error
        if not 0.99 < float(found.sum()) < 1.01:
            raise ModelRefused(f"{path}: its probabilities sum to {float(found.sum())}, not to 1")


def _doubt(path: Path, said: dict[str, str]) -> Doubt:
    try:
        return Doubt.read(said[SURE_KEY])
    except (KeyError, ValueError) as error:
        raise ModelRefused(f"{path}: metadata {SURE_KEY} is unreadable: {error!r}") from None


def _share(path: Path, said: dict[str, str], key: str) -> float:
    try:
        share = float(said[key])
    except (KeyError, ValueError) as error:
        raise ModelRefused(f"{path}: metadata {key} is unreadable: {error!r}") from None
    if not 0 <= share <= 1:
        raise ModelRefused(f"{path}: metadata {key} is {share}, not within 0 to 1")
    return share
