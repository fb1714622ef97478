"""Rebuilds the shipped classifier and its model card: ``python training/train.py --data DIR``."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "extproc"))

from card import Report, write_card  # noqa: E402 (the package is found by the line above)
from export import export  # noqa: E402
from matrix import matrix, stack  # noqa: E402
from measure import choose_threshold  # noqa: E402
from rows import REALISTIC, copies, labels, load  # noqa: E402
from validate import Folds, fit, leave_out, mixed  # noqa: E402
from words import build  # noqa: E402

SEED = 20
VECTOR_SIZE = 48
# Under-routing that the default threshold may leave on realistic sources left out.
MOST_UNDER_ROUTED = 0.03
# Share of the prompts that are trained on a second time, changed.
COPIED = 0.5


def main() -> None:
    """Load, validate by leaving sources out, train on all, export, measure, write the card."""
    asked = _arguments()
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {what}", flush=True)

    rows = load(asked.data, SEED)
    say(f"{len(rows):,} prompts; the word table")
    words = build(rows, asked.words, VECTOR_SIZE)
    chance = random.Random(SEED)
    extra = copies([row for row in rows if chance.random() < COPIED], SEED)
    say(f"features of {len(rows):,} prompts and {len(extra):,} changed copies")
    given = matrix([row.text for row in rows], words)
    changed = matrix([row.text for row in extra], words)
    say("leaving sources out")
    left = leave_out(Folds(rows, given, extra, changed, words, SEED), asked.jobs)
    mix, probabilities, pairs = mixed(left, rows)
    real = left.group < len(REALISTIC)
    threshold = choose_threshold(labels(rows)[real], probabilities[real], MOST_UNDER_ROUTED)
    say(f"threshold {threshold}, shares {mix.shares}; training on everything")
    linear, network = fit([*rows, *extra], stack(given, changed), words, SEED)
    export(asked.out, linear, network, words, mix.shares, mix.bias, threshold)
    say(f"wrote {asked.out.name}, {asked.out.stat().st_size / 2**20:.2f} MiB; the card")
    report = Report(rows, left.group, probabilities, pairs, threshold, mix)
    write_card(HERE / "MODEL_CARD.md", report, asked.out)
    say("done")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    shipped = HERE.parent / "extproc" / "prism" / "classify" / "model" / "task.onnx"
    parser.add_argument("--data", type=Path, required=True, help="folder with *.jsonl")
    parser.add_argument("--out", type=Path, default=shipped, help="the model file to write")
    parser.add_argument(
        "--words", type=Path, default=HERE / "words.npz",
        help="kept word vectors; made (some 10 minutes) where the file is missing",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, default=2, help="groups left out at a time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
