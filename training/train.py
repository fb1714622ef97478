"""Rebuilds the shipped classifier and its model card: ``python training/train.py --data DIR``."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
# Folds run side by side: more threads each would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(HERE.parent / "extproc"))

from augment import EVERY, TRAINED  # noqa: E402 (the package is found by the line above)
from card import Report, write_card  # noqa: E402
from encoder import Encoded, Encoder, choose, measured  # noqa: E402
from export import Trained, export  # noqa: E402
from figures import write_figures  # noqa: E402
from matrix import matrices, stack  # noqa: E402
from rows import Row, copies, labels, load, parts, trained_only  # noqa: E402
from validate import Folds, fit, hold_out, leave_out, scaled  # noqa: E402
from words import build  # noqa: E402

from prism.classify.features import Reader  # noqa: E402
from prism.classify.quality import choose_threshold  # noqa: E402
from prism.classify.vocabulary import Vocabulary  # noqa: E402

SEED = 20
VECTOR_SIZE = 128
# Texts on which is measured how far the columns inside the encoder reach.
MEASURED_TEXTS = 400
# Under-routing that the default threshold may leave in each of the parts of what was left out.
MOST_UNDER_ROUTED = 0.03


def main() -> None:
    """Load, validate by leaving sources out, train on all, export, measure, write the card."""
    asked = _arguments()
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {what}", flush=True)

    task, encoder = prepare(asked.data, asked.words, asked.jobs, say)
    rows, words = task.rows, task.words
    say("leaving sources out")
    left = leave_out(task, asked.jobs)
    found = scaled(left, rows)
    threshold = max(
        choose_threshold(labels(rows)[part], found.probabilities[part], MOST_UNDER_ROUTED)
        for part in parts(left.group).values()
    )
    say("holding prompts out of every source")
    held, looks = hold_out(task)
    said = found.cascade.probabilities(looks)
    say(f"threshold {threshold}; training on everything")
    extra = besides(rows, EVERY)
    changed = matrices([row.text for row in extra], task.reader, task.encoder, asked.jobs)
    fitted = fit([*rows, *extra], stack(task.given, changed), words, SEED)
    trained = Trained(fitted.network, fitted.head, encoder, words, found.cascade, threshold)
    export(asked.out, trained)
    say(f"wrote {asked.out.name}, {asked.out.stat().st_size / 2**20:.2f} MiB; the card")
    report = Report(rows, left.group, found, threshold, (held, said))
    write_card(HERE / "MODEL_CARD.md", report, asked.out)
    write_figures(HERE.parent / "docs" / "images", report, asked.out)
    say("done")


def prepare(
    data: Path, cache: Path, jobs: int, say: Callable[[str], None]
) -> tuple[Folds, Encoder]:
    """Load the prompts, change some, choose words and pieces, compute the features of all."""
    rows = load(data, SEED)
    say(f"{len(rows):,} prompts; the words")
    words = build([*rows, *trained_only()], cache, VECTOR_SIZE)
    reader = Reader(Vocabulary(words.names, words.rows.tolist()))
    extra = besides(rows, TRAINED)
    say("the encoder")
    texts = [row.text for row in [*rows, *trained_only()]]
    some = random.Random(SEED).sample(texts, MEASURED_TEXTS)
    encoder = measured(choose(texts), some)
    encoded = Encoded(encoder)
    say(f"features of {len(rows):,} prompts, and of {len(extra):,} to train on besides")
    given = matrices([row.text for row in rows], reader, encoded, jobs)
    changed = matrices([row.text for row in extra], reader, encoded, jobs)
    return Folds(rows, given, extra, changed, words, reader, encoded, SEED), encoder


def besides(rows: Sequence[Row], half: slice) -> list[Row]:
    """What is trained on and not measured: some own prompts, and changed copies of these and
    of ``rows``; ``half``: see ``augment``."""
    more = trained_only()
    return more + copies([*rows, *more], SEED, half)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    shipped = HERE.parent / "extproc" / "prism" / "classify" / "model" / "task.onnx"
    parser.add_argument("--data", type=Path, required=True, help="folder with *.jsonl")
    parser.add_argument("--out", type=Path, default=shipped, help="the model file to write")
    parser.add_argument(
        "--words", type=Path, default=HERE / "words.npz",
        help="kept word vectors; made (some 10 minutes) where the file is missing",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, default=2, help="folds trained at a time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
