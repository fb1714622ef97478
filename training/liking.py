"""Which pieces of a text are worth the upper layers of the encoder.

A network is trained on all pieces, and asked how much each of them counts in the end. What the
lower layers make of a piece tells that well (a correlation of 0.8, decision record 38).
"""

from __future__ import annotations

import random

import numpy as np
from encoder import KEPT, SIZE, WHOLE_LAYERS, Encoded, Encoder
from head import fit_head
from matrix import Floats, matrices
from rows import labels, trained_only, weights

from prism.classify.features import Reader
from prism.classify.quality import CLASSES

# Prompts on which the network is trained, and long ones of them whose pieces are looked at.
PROMPTS, LONG = 12_000, 3_000
RIDGE = 1e-4


def learnt(encoder: Encoder, reader: Reader, seed: int, jobs: int) -> Floats:
    """``Encoder.liking``: least squares on the logarithm of what pieces count in the mean of all
    queries. Learnt on prompts that are never measured, so a group left out is left out here too.
    """
    some = random.Random(seed).sample(trained_only(), PROMPTS)
    texts = [row.text for row in some]
    seen = matrices(texts, reader, Encoded(encoder), jobs).encoded
    targets = np.eye(CLASSES, dtype=np.float32)[labels(some)]
    query = fit_head(seen, targets, weights(some), seed).params["query"]
    # Short texts keep all of their pieces.
    long = [i for i, pieces in enumerate(seen) if len(pieces) > KEPT][:LONG]
    lower = matrices([texts[i] for i in long], reader, Encoded(encoder, WHOLE_LAYERS), jobs)
    wanted = []
    for i in long:
        scores = seen[i].astype(np.float32) @ query
        shares = np.exp(scores - scores.max(0))
        wanted.append(np.log((shares / shares.sum(0)).mean(1) * len(shares) + 0.01))
    x, y = np.concatenate(lower.encoded).astype(np.float64), np.concatenate(wanted)
    x -= x.mean(0)
    found = np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(SIZE), x.T @ (y - y.mean()))
    liking: Floats = found.astype(np.float32)
    return liking
