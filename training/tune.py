"""Trains the upper layers of the encoder together with the head, in PyTorch.

The head is fitted first, on the encoder as it is, and then both are trained: the other way round a
head that knows nothing would spoil what the encoder knows (Kumar et al., Fine-Tuning can Distort
Pretrained Features, 2022). What is learnt is added to the matrices as products of narrow ones (Hu
et al., LoRA, 2022), which are small enough to lie in the file in float16.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from encoder import (
    ENCODED,
    ENDS_READ,
    HEADS,
    LAYERS,
    QKV,
    REACH,
    READ,
    SIZE,
    Encoded,
    Encoder,
    biases,
    measured,
    stacked,
)
from head import Head, fit_head
from matrix import Floats, Labels, in_parts
from network import AVERAGED_EVERY, AVERAGED_FROM, CLASSES, SMOOTHING, Average
from numpy.typing import NDArray

from prism.classify.pieces import MOST_PIECES

if TYPE_CHECKING:
    from torch import Tensor

FROZEN = 4
"""The lower layers, which stay as they are: they know of words and languages. What they make of a
text is computed once for all that is trained."""
POOL = 36_000
"""Texts that the encoder and its head are trained on, drawn by weight. On a processor with neither
a matrix unit nor AVX-512 each takes some 0.03 s of one core, in each of the models."""
RANK = 16
"""Of what is added to a matrix. Of a whole encoder that was trained so, rank 8, 16 and 64 kept
0.835, 0.837 and 0.838 of a macro-F1 of 0.841; its matrices rounded to 4 bits anew kept 0.810."""
# The highest rates of learning: of the narrow matrices, and of vectors and the head. With 1e-3, and
# a dropout of 0.1, next to nothing was gained.
NARROW_RATE = 2e-3
RATE = 3e-4
BATCH = 32
DROPOUT = 0.3
DECAY = 1e-2
# Of the steps, those in which the rate rises; what is left of it at the end. It needn't come to
# rest: the numbers are averaged over the second half.
RISE, REST = 0.05, 0.3
LONGEST_SLOPE = 1.0
# Texts on which is measured how far the columns inside the trained encoder reach.
MEASURED_TEXTS = 400

# The linear layers of a layer of the encoder: their parts, and how many inputs they have.
LINEAR: tuple[tuple[tuple[str, ...], int], ...] = (
    (QKV, SIZE), (("ao",), SIZE), (("fi",), SIZE), (("fo",), 4 * SIZE),
)  # fmt: skip
NORMS = ("aln.w", "aln.b", "oln.w", "oln.b")


@dataclass(frozen=True, slots=True)
class Pool:
    """The texts that the encoder is trained on. ``index``: their numbers among those that they were
    drawn from. ``read``: the texts as ``Features.read`` has them.

    ``halfway``: float16 [pieces, SIZE] of each text, what the lower layers make of it. ``encoded``:
    float32 [texts, ENCODED], what the encoder as it is makes of them.
    """

    index: Labels
    read: list[str]
    halfway: list[NDArray[np.float16]]
    encoded: Floats

    def take(self, numbers: Labels) -> Pool:
        """Some of the texts."""
        return Pool(
            self.index[numbers], [self.read[i] for i in numbers],
            [self.halfway[i] for i in numbers], self.encoded[numbers],
        )  # fmt: skip


def pool(encoder: Encoder, read: Sequence[str], weights: Floats, seed: int, jobs: int) -> Pool:
    """Draw ``POOL`` texts, heavy ones sooner and none twice."""
    chance = np.random.default_rng(seed)
    # The first of a race in which each runs as fast as it is heavy.
    index = np.sort(np.argsort(chance.exponential(size=len(read)) / weights)[:POOL])
    drawn = [read[i] for i in index]
    parts = [*in_parts(_halfway, drawn, Encoded(encoder, FROZEN), jobs)]
    halfway = [one for half, _ in parts for one in half]
    encoded = np.concatenate([np.zeros((0, ENCODED), np.float32), *(part for _, part in parts)])
    return Pool(index, drawn, halfway, encoded)


def _halfway(read: Sequence[str], encoder: Encoded) -> tuple[list[NDArray[np.float16]], Floats]:
    return encoder.halfway(read)


def tuned(
    encoder: Encoder, texts: Pool, targets: Floats, weights: Floats, seed: int
) -> tuple[Encoder, Head]:
    """The encoder and a head, trained on texts whose ``targets`` are probabilities
    [texts, CLASSES]."""
    import torch

    began = time.monotonic()
    # Models are trained side by side.
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    head = fit_head(texts.encoded, targets, weights, seed)
    model = _Model(encoder, head, texts.encoded)
    wanted = torch.from_numpy((targets * (1 - SMOOTHING) + SMOOTHING / CLASSES).astype(np.float32))
    heavy = torch.from_numpy((weights / weights.mean()).astype(np.float32))
    batches = _batches(texts, chance)
    groups = model.groups()
    adam = torch.optim.AdamW(groups)
    rise, average = RISE * len(batches), Average()

    def rate(step: int) -> float:
        return min((step + 1) / rise, 1 - (1 - REST) * step / len(batches))

    rates = torch.optim.lr_scheduler.LambdaLR(adam, rate)
    trained = [value for group in groups for value in group["params"]]
    for step, numbers in enumerate(batches):
        x = torch.from_numpy(np.stack([texts.halfway[i] for i in numbers])).float()
        # Cross-entropy with targets that are probabilities.
        loss = torch.nn.functional.cross_entropy(model.logits(x), wanted[numbers], reduction="none")
        adam.zero_grad()
        (loss * heavy[numbers]).mean().backward()
        torch.nn.utils.clip_grad_norm_(trained, LONGEST_SLOPE)
        adam.step()
        rates.step()
        if step >= AVERAGED_FROM * len(batches) and step % AVERAGED_EVERY == 0:
            average.add(model.values())
    model.take(average.value())
    found = replace(encoder, weights=encoder.weights.trained(*model.learnt()))
    some = chance.choice(len(texts.read), min(MEASURED_TEXTS, len(texts.read)), replace=False)
    found = measured(found, [texts.read[i] for i in some])
    print(f"  encoder: {len(texts.read):,} texts, {time.monotonic() - began:.0f} s", flush=True)
    return found, model.head()


def _batches(texts: Pool, chance: np.random.Generator) -> list[list[int]]:
    """The numbers of texts of like length together, in random order."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for i in chance.permutation(len(texts.read)).tolist():
        by_length[len(texts.halfway[i])].append(i)
    batches = [
        alike[first : first + BATCH]
        for _, alike in sorted(by_length.items())
        for first in range(0, len(alike), BATCH)
    ]
    return [batches[number] for number in chance.permutation(len(batches)).tolist()]


class _Model:
    """The upper layers of the encoder (``encoder.encode``, in float32) and the head.

    ``_fixed``: what is not trained, the matrices [outputs, inputs] among it; ``_trained``: what is,
    by name, with an ``.up`` [outputs, RANK] and a ``.down`` [RANK, inputs] for each matrix.
    """

    def __init__(self, encoder: Encoder, head: Head, encoded: Floats) -> None:
        import torch

        weights, self._torch = encoder.weights, torch
        falling = np.exp(-np.arange(MOST_PIECES, dtype=np.float32) / REACH)
        middle, width = encoded.mean(0), encoded.std(0) + np.float32(1e-4)
        fixed = {"falling": falling, "middle": middle, "width": width}
        trained = {
            "first": (head.params["first"] * width[:, None]).T,
            "first_bias": head.params["first_bias"] + middle @ head.params["first"],
            "second": head.params["second"].T, "second_bias": head.params["second_bias"],
        }  # fmt: skip
        self._of_head = set(trained)
        for number in range(FROZEN, LAYERS):
            layer = f"l{number}."
            for parts, inputs in LINEAR:
                name = f"{layer}{parts[0]}"
                matrix = stacked(weights, layer, parts, inputs)
                fixed[f"{name}.w"] = matrix
                trained[f"{name}.b"] = biases(weights, layer, parts)
                # With one of the two at 0 the sum begins as the matrix is.
                trained[f"{name}.up"] = np.zeros((len(matrix), RANK), np.float32)
                down = torch.empty(RANK, inputs).uniform_(-(inputs**-0.5), inputs**-0.5)
                trained[f"{name}.down"] = down.numpy()
            trained |= {f"{layer}{norm}": weights.numbers(f"{layer}{norm}", 0) for norm in NORMS}
        self._fixed = {name: torch.tensor(value) for name, value in fixed.items()}
        self._trained = {
            name: torch.tensor(value, dtype=torch.float32, requires_grad=True)
            for name, value in trained.items()
        }

    def groups(self) -> list[dict[str, Any]]:
        """The trained numbers with their rates; matrices are held near 0, vectors are not."""
        return [
            {
                "params": [value],
                "lr": NARROW_RATE if name.endswith((".up", ".down")) else RATE,
                "weight_decay": DECAY if value.ndim == 2 else 0.0,
            }
            for name, value in self._trained.items()
        ]

    def logits(self, x: Tensor) -> Tensor:
        """Float32 [texts, CLASSES], in training, of what the lower layers make of texts."""
        torch, functional = self._torch, self._torch.nn.functional
        read, ends = [], self._ends(x.shape[1])
        for number in range(FROZEN, LAYERS + 1):
            if number in READ:
                read.append(x.mean(1))
            if number in ENDS_READ:
                read.append((ends @ x).flatten(1))
            if number < LAYERS:
                x = self._layer(x, f"l{number}.")
        even = (torch.cat(read, 1) - self._fixed["middle"]) / self._fixed["width"]
        even = functional.dropout(even, DROPOUT)
        hidden = functional.linear(even, self._trained["first"], self._trained["first_bias"])
        hidden = functional.dropout(hidden.relu(), DROPOUT)
        return functional.linear(hidden, self._trained["second"], self._trained["second_bias"])

    def _ends(self, many: int) -> Tensor:
        falling = self._fixed["falling"][:many]
        both = self._torch.stack([falling, falling.flip(0)])
        return both / both.sum(1, keepdim=True)

    def _layer(self, x: Tensor, name: str) -> Tensor:
        texts, many, _ = x.shape
        three = self._linear(x, f"{name}q").view(texts, many, 3, HEADS, SIZE // HEADS)
        query, key, value = three.permute(2, 0, 3, 1, 4)
        # Faster on a CPU than PyTorch's own attention.
        shares = (query @ key.transpose(2, 3) * (SIZE // HEADS) ** -0.5).softmax(3)
        seen = (shares @ value).transpose(1, 2).reshape(texts, many, SIZE)
        x = self._normal(x + self._linear(seen, f"{name}ao"), f"{name}aln")
        wide = self._torch.nn.functional.gelu(self._linear(x, f"{name}fi"))
        return self._normal(x + self._linear(wide, f"{name}fo"), f"{name}oln")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        linear = self._torch.nn.functional.linear
        told = linear(x, self._fixed[f"{name}.w"], self._trained[f"{name}.b"])
        narrow = linear(x, self._trained[f"{name}.down"])
        return told + linear(narrow, self._trained[f"{name}.up"])

    def _normal(self, x: Tensor, name: str) -> Tensor:
        scale, bias = self._trained[f"{name}.w"], self._trained[f"{name}.b"]
        return self._torch.nn.functional.layer_norm(x, (SIZE,), scale, bias, 1e-12)

    def values(self) -> dict[str, Floats]:
        """The trained numbers as they are now, by name; they go on changing."""
        return {name: value.detach().numpy() for name, value in self._trained.items()}

    def take(self, values: dict[str, Floats]) -> None:
        """Put these in the place of the trained numbers."""
        for name, value in values.items():
            self._trained[name].data = self._torch.from_numpy(value)

    def learnt(self) -> tuple[dict[str, Floats], dict[str, tuple[Floats, Floats]]]:
        """The vectors and what is to be added to matrices, as ``Weights.trained`` takes them."""
        values = self.values()
        vectors: dict[str, Floats] = {}
        added = {}
        for number in range(FROZEN, LAYERS):
            layer = f"l{number}."
            vectors |= {f"{layer}{norm}": values[f"{layer}{norm}"] for norm in NORMS}
            for parts, _ in LINEAR:
                name = f"{layer}{parts[0]}"
                each = np.split(values[f"{name}.b"], len(parts))
                vectors |= {f"{layer}{part}.b": b for part, b in zip(parts, each, strict=True)}
                added[name] = (values[f"{name}.up"], values[f"{name}.down"])
        return vectors, added

    def head(self) -> Head:
        """The head, on what the encoder makes of a text as it comes."""
        found = {name: self._trained[name].detach().numpy() for name in self._of_head}
        first = found["first"].T / self._fixed["width"].numpy()[:, None]
        bias = found["first_bias"] - self._fixed["middle"].numpy() @ first
        return Head(
            {
                "first": first, "first_bias": bias,
                "second": found["second"].T.copy(), "second_bias": found["second_bias"],
            }
        )  # fmt: skip
