"""Rebuilds the shipped classifier and its model card: ``python training/train.py --data DIR``."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
# Folds run side by side: more threads each would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(HERE.parent / "extproc"))

import numpy as np  # noqa: E402 (the package is found by the line above)
from augment import EVERY, TRAINED  # noqa: E402
from card import Report, write_card  # noqa: E402
from encoder import Encoded, Encoder, choose, measured  # noqa: E402
from export import Trained, export  # noqa: E402
from figures import write_figures  # noqa: E402
from matrix import matrices, matrix, stack  # noqa: E402
from rows import FOLDS, Row, copies, labels, load, parts, trained_only  # noqa: E402
from stages import Stage, all_kept, done, fingerprint  # noqa: E402
from validate import Folds, fit, fold, hold_out, left_out, scaled  # noqa: E402
from words import build  # noqa: E402

from prism.classify.features import Reader  # noqa: E402
from prism.classify.quality import choose_threshold  # noqa: E402
from prism.classify.vocabulary import Vocabulary  # noqa: E402

Names = Sequence[Sequence[str]]

SEED = 20
VECTOR_SIZE = 128
# Texts on which is measured how far the columns inside the encoder reach.
MEASURED_TEXTS = 400
# Under-routing that the default threshold may leave in each of the parts of what was left out. Of
# the prompts in outside.jsonl half as many again are read as simple: 2 % here are 3 % there.
MOST_UNDER_ROUTED = 0.02

# The stages behind the folds.
WHOLE = ("held-out", "all")


def main() -> None:
    """Load, validate by leaving sources out, train on all, export, measure, write the card."""
    asked = _arguments()
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {what}", flush=True)

    task, encoder, keep = prepare(asked, FOLDS, WHOLE, say)
    rows, words = task.rows, task.words
    say("leaving sources out")
    left = left_out(task, done(fold_stages(task, FOLDS), asked.jobs, keep))
    found = scaled(left, rows)
    threshold = max(
        choose_threshold(labels(rows)[part], found.probabilities[part], MOST_UNDER_ROUTED)
        for part in parts(left.group).values()
    )
    say(f"threshold {threshold}; holding prompts out of every source, and training on everything")
    extra = besides(rows, EVERY)
    given = task.given
    if not all_kept(WHOLE, keep):
        same = np.arange(len(trained_only()))
        changed = matrices(
            [row.text for row in extra[len(same) :]], task.reader, task.encoder, asked.jobs
        )
        given = stack(stack(task.given, task.changed.take(same)), changed)
    work = (partial(hold_out, task), partial(fit, [*rows, *extra], given, words, SEED))
    stages = [*map(Stage, WHOLE, work)]
    (held, looks), fitted = done(stages, asked.jobs, keep)
    said = found.cascade.probabilities(looks)
    trained = Trained(fitted.network, fitted.head, encoder, words, found.cascade, threshold)
    export(asked.out, trained)
    say(f"wrote {asked.out.name}, {asked.out.stat().st_size / 2**20:.2f} MiB; the card")
    report = Report(rows, left.group, found, threshold, (held, said))
    write_card(HERE / "MODEL_CARD.md", report, asked.out)
    write_figures(HERE.parent / "docs" / "images", report, asked.out)
    say("done")


def prepare(
    asked: argparse.Namespace, folds: Names, more: Sequence[str], say: Callable[[str], None]
) -> tuple[Folds, Encoder, Path]:
    """Load the prompts, change some, choose words and pieces; the last is the folder for what is
    done. The features of all are computed where some fold or stage in ``more`` isn't done yet."""
    rows = load(asked.data, SEED)
    say(f"{len(rows):,} prompts; the words")
    words = build([*rows, *trained_only()], asked.words, VECTOR_SIZE)
    reader = Reader(Vocabulary(words.names, words.rows.tolist()))
    extra = besides(rows, TRAINED)
    say("the encoder")
    texts = [row.text for row in [*rows, *trained_only()]]
    some = random.Random(SEED).sample(texts, MEASURED_TEXTS)
    encoder = measured(choose(texts), some)
    encoded = Encoded(encoder)
    keep = asked.keep / fingerprint([*rows, *extra])
    nothing = matrix([], reader, encoded)
    task = Folds(rows, nothing, extra, nothing, words, reader, encoded, SEED)
    names = [stage.name for stage in fold_stages(task, folds)]
    if not all_kept([*names, *more], keep):
        say(f"features of {len(rows):,} prompts, and of {len(extra):,} to train on besides")
        given = matrices([row.text for row in rows], reader, encoded, asked.jobs)
        changed = matrices([row.text for row in extra], reader, encoded, asked.jobs)
        task = replace(task, given=given, changed=changed)
    return task, encoder, keep


def fold_stages(task: Folds, folds: Names) -> list[Stage]:
    """The work for each fold."""
    return [
        Stage(f"left-out-{number}", partial(fold, task, names))
        for number, names in enumerate(folds, 1)
    ]


def besides(rows: Sequence[Row], half: slice) -> list[Row]:
    """What is trained on and not measured: some own prompts, and changed copies of these and
    of ``rows``; ``half``: see ``augment``."""
    more = trained_only()
    return more + copies([*rows, *more], SEED, half)


def arguments(parser: argparse.ArgumentParser) -> None:
    """What both training and its benchmark are told."""
    parser.add_argument(
        "--words", type=Path, default=HERE / "words.npz",
        help="kept word vectors; made (some 10 minutes) where the file is missing",
    )  # fmt: skip
    parser.add_argument("--jobs", type=int, default=2, help="models trained at a time")
    parser.add_argument(
        "--keep", type=Path, default=HERE.parent / "build" / "train",
        help="folder for what is done already: taken up again as long as neither the code that"
        " trains nor the prompts changed",
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    shipped = HERE.parent / "extproc" / "prism" / "classify" / "model" / "task.onnx"
    parser.add_argument("--data", type=Path, required=True, help="folder with *.jsonl")
    parser.add_argument("--out", type=Path, default=shipped, help="the model file to write")
    arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
