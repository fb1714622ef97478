"""Measures the classifier next to its baselines: ``python training/bench.py --data DIR``.

Quality is out of source: our model and the TF-IDF baseline are trained anew without the sources
that they answer for. Speed, size and memory are those of the model that is shipped.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

HERE = Path(__file__).parent
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(HERE.parent / "extproc"))

import numpy as np  # noqa: E402 (the package is found by the line above)
import onnxruntime  # noqa: E402
from augment import BESIDE  # noqa: E402
from baselines import keyword_answers, tfidf_answers  # noqa: E402
from encoder import SIZE, Exact, Weights, layer  # noqa: E402
from graph import IR_VERSION, OPSETS, Graph  # noqa: E402
from measure import DOUBT  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from public_router import litellm_answers  # noqa: E402
from rows import (  # noqa: E402
    FOLDS,
    GROUPS,
    LOGS,
    OTHER_HANDS,
    REALISTIC,
    Row,
    group_of,
    groups_of,
    is_ours,
    labels,
    parts,
    trained_only,
)
from stages import done  # noqa: E402
from train import SEED, Names, arguments, fold_stages, prepare  # noqa: E402
from validate import Folds, left_out, scaled  # noqa: E402

from prism.classify import SHIPPED, Classifier  # noqa: E402
from prism.classify.features import Reader  # noqa: E402
from prism.classify.model_file import open_model  # noqa: E402
from prism.classify.quality import (  # noqa: E402
    Floats,
    Labels,
    abstained,
    ece,
    kept,
    macro_f1,
    under_routed,
)

Figures = dict[str, float]


def main() -> None:
    """Measure, print a table, write the figures."""
    asked = _arguments()
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {what}", flush=True)

    say("quality: training without each source in turn")
    folds = FOLDS[: asked.folds]
    task, _, keep = prepare(asked, folds, (), say)
    figures = _ours(task, asked.jobs, folds, keep)
    say("speed, size and memory of the shipped model")
    # In a fresh process: this one has held much more than a model.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        shares = (figures["encoder_share_long"], figures["encoder_share_short"])
        figures |= pool.submit(_cost, asked.data, shares).result()
    say("the baselines")
    for name, said in (
        ("keywords_", keyword_answers(task.rows)),
        ("litellm_", litellm_answers(task.rows)),
        ("tfidf_", _tfidf(task.rows, folds, trained_only())),
        ("tfidf_public_", _tfidf(task.rows, folds, None)),
    ):
        figures |= _quality(name, task.rows, said, folds, figures["abstain_below"])
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    _show(figures)
    say(f"wrote {asked.out}")


def _cost(data: Path, shares: tuple[float, float]) -> Figures:
    """Times over the authored prompts and those as in logs, in random order, one thread, features
    included. ``shares`` of the long and of the short ones get a second look: as many as out of
    source. The model has seen these prompts, and would itself look twice at fewer of them."""
    before, began = _resident_mib(), time.perf_counter()
    classifier = Classifier()
    classifier.classify("")
    loaded = (time.perf_counter() - began) * 1_000
    peak = _most_resident_mib()
    memory = _resident_mib() - before
    texts = []
    for path in (data / "authored.jsonl", LOGS):
        with path.open(encoding="utf-8") as lines:
            said = map(json.loads, lines)
            texts += [one["text"] for one in said if one["source"] not in OTHER_HANDS]
    chance = random.Random(SEED)
    chance.shuffle(texts)
    shape = Reader(open_model(SHIPPED, 1).vocabulary).features_of(texts).shape
    limits = DOUBT.limits(shape)
    looks: tuple[list[float], list[float]] = ([], [])
    for text, limit in zip(texts, limits, strict=True):
        twice = chance.random() < shares[limit > DOUBT.sure_from]
        began = time.perf_counter()
        classifier.first((text,))
        if twice:
            classifier.second(text)
        looks[twice].append((time.perf_counter() - began) * 1_000)
    times = looks[0] + looks[1]
    p50, p99 = np.percentile(times, [50, 99])
    return {
        "p50_ms": round(float(p50), 3), "mean_ms": round(float(np.mean(times)), 3),
        "p99_ms": round(float(p99), 3), "words_alone_ms": round(float(np.mean(looks[0])), 3),
        "second_look_ms": round(float(np.mean(looks[1])), 3), "load_ms": round(loaded, 1),
        "model_mib": round(SHIPPED.stat().st_size / 2**20, 2), "memory_mib": round(memory, 1),
        "load_peak_mib": round(peak - before, 1), "minilm_128_ms": round(_minilm(), 2),
    }  # fmt: skip


def _minilm() -> float:
    """Milliseconds in the median for 128 pieces, one thread, by a network of MiniLM's shape (six
    layers like the encoder's, float32): how fast this machine is."""
    graph, pieces = Graph(), 128
    weights, x, exact = Weights(), "x", Exact()
    for number in range(6):
        x = layer(graph, weights, f"l{number}.", x, exact)
    shape = [1, pieces, SIZE]
    given, told = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", x)
    )
    made = helper.make_graph(graph.nodes, "minilm", [given], [told], graph.constants)
    model = helper.make_model(made, opset_imports=OPSETS)
    model.ir_version = IR_VERSION
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    some = {"x": np.random.default_rng(SEED).normal(size=shape).astype(np.float32)}
    times = []
    for _ in range(50):
        began = time.perf_counter()
        session.run([x], some)
        times.append((time.perf_counter() - began) * 1_000)
    return float(np.median(times))


def _resident_mib() -> float:
    """What the process holds of memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def _most_resident_mib() -> float:
    """The most that the process has held (Linux). Not getrusage, which counts from before exec."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 1024


def _ours(task: Folds, jobs: int, folds: Names, keep: Path) -> Figures:
    left = left_out(task, done(fold_stages(task, folds), jobs, keep))
    found = scaled(left, task.rows)
    threshold, real = Classifier().abstain_below, left.group < len(REALISTIC)
    figures = _quality("", task.rows, found.probabilities, folds, threshold)
    figures |= _quality("words_alone_", task.rows, found.words, folds, threshold)
    shares = [
        kept(found.probabilities[index], changed, threshold)
        for kind, (index, changed) in found.pairs.items()
        if kind != BESIDE and len(index)
    ]
    same, same_or_abstained = np.mean(shares, axis=0)
    short = left.said.limits > DOUBT.sure_from
    asked = {"": real, "_long": real & ~short, "_short": real & short}
    return (
        figures
        | {
            f"encoder_share{which}": round(float(found.doubted[left.answered & here].mean()), 4)
            for which, here in asked.items()
        }
        | {
            "robust": round(float(same), 4),
            "robust_or_abstained": round(float(same_or_abstained), 4),
            "abstain_below": threshold,
        }
    )


def _quality(prefix: str, rows: list[Row], said: Floats, folds: Names, threshold: float) -> Figures:
    group, wanted = np.array([group_of(row) for row in rows]), labels(rows)
    out = np.isin(group, [list(GROUPS).index(name) for names in folds for name in names])
    real, unwritten, other = (out & part for part in parts(group).values())

    def f1(here: Labels) -> float:
        return round(macro_f1(wanted[here], said[here].argmax(1)), 4)

    def right(here: Labels) -> float:
        return round(float((wanted[here] == said[here].argmax(1)).mean()), 4)

    return {
        f"{prefix}macro_f1_out_of_source": f1(real),
        f"{prefix}macro_f1_not_written_for_a_task": f1(unwritten),
        f"{prefix}macro_f1_benchmarks": f1(other),
        f"{prefix}accuracy_out_of_source": right(real),
        f"{prefix}accuracy_benchmarks": right(other),
        f"{prefix}ece": round(ece(wanted[real], said[real]), 4),
        f"{prefix}under_routed": round(under_routed(wanted[real], said[real], threshold), 4),
        f"{prefix}abstained": round(abstained(said[real], threshold), 4),
    }


def _tfidf(rows: list[Row], folds: Names, more: list[Row] | None) -> Floats:
    """TF-IDF's answers; trained on ``rows`` and ``more``, or on public sources alone."""
    group = np.array([group_of(row) for row in rows])
    found = np.zeros((len(rows), 4), np.float32)
    public = [more is not None or not is_ours(row) for row in rows]
    for names in folds:
        numbers = [list(GROUPS).index(name) for name in names]
        out = np.isin(group, numbers)
        train = [row for row, left, use in zip(rows, out, public, strict=True) if use and not left]
        train += [row for row in more or () if groups_of(row).isdisjoint(numbers)]
        found[out] = tfidf_answers(train, [rows[i] for i in np.flatnonzero(out)])
        print(f"  without {', '.join(names)}", flush=True)
    return found


def _show(figures: Figures) -> None:
    for name, value in figures.items():
        print(f"{name:40} {value:>10}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    root = HERE.parent
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data" / "prompts")
    parser.add_argument(
        "--out", type=Path, default=root / "build" / "bench" / "bench-classifier.json"
    )
    parser.add_argument(
        "--folds", type=int, default=len(FOLDS), help="leave out only the first so many folds"
    )
    arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
