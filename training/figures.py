"""The model card's numbers as pictures, for the documentation."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
from card import Report
from matplotlib import pyplot as plt
from rows import REALISTIC, labels

from prism.classify import Classifier
from prism.classify.quality import confusion
from prism.routing.catalog import TASKS

LENGTHS = (10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000, 1_000_000)
ROUNDS = 200
BLUE, GREY = "#2f6db5", "#8a8a8a"


def write_figures(folder: Path, report: Report, model: Path) -> None:
    """Write ``classifier-confusion.svg``, ``-reliability.svg`` and ``-latency.svg``."""
    mpl.use("svg")
    # The same numbers give the same bytes.
    mpl.rcParams |= {"svg.hashsalt": "prism", "font.size": 9, "axes.spines.top": False,
                     "axes.spines.right": False}  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (("confusion", _confusion), ("reliability", _reliability)):
        draw(report)
        _save(folder / f"classifier-{name}.svg")
    _latency(Classifier(model))
    _save(folder / "classifier-latency.svg")


def _save(path: Path) -> None:
    plt.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close()


def _confusion(report: Report) -> None:
    real = report.group < len(REALISTIC)
    table = confusion(labels(report.rows)[real], report.probabilities[real].argmax(1))
    shares = table / table.sum(1, keepdims=True)
    plt.figure(figsize=(3.6, 3.2))
    plt.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(*shares.shape):
        colour = "white" if shares[i, j] > 0.5 else "black"
        plt.text(j, i, f"{shares[i, j]:.0%}", ha="center", va="center", color=colour)
    plt.xticks(range(len(TASKS)), TASKS)
    plt.yticks(range(len(TASKS)), TASKS)
    plt.xlabel("read as")
    plt.ylabel("labelled")


def _reliability(report: Report) -> None:
    real = report.group < len(REALISTIC)
    said, truth = report.probabilities[real], labels(report.rows)[real]
    confidence, right = said.max(1), said.argmax(1) == truth
    tenth = np.minimum((confidence * 10).astype(int), 9)
    here = [b for b in range(10) if (tenth == b).sum() >= 20]
    plt.figure(figsize=(3.6, 3.2))
    plt.plot([0.2, 1], [0.2, 1], color=GREY, linewidth=1, linestyle="--")
    sizes = [400 * (tenth == b).mean() for b in here]
    plt.scatter([confidence[tenth == b].mean() for b in here],
                [right[tenth == b].mean() for b in here], s=sizes, color=BLUE)  # fmt: skip
    plt.xlabel("confidence")
    plt.ylabel("share read rightly")


def _latency(classifier: Classifier) -> None:
    sentence = "Compare three ways to store 250 GB of logs, then write a short plan. "
    curves: dict[str, list[float]] = defaultdict(list)
    for length in LENGTHS:
        text = (sentence * (length // len(sentence) + 1))[:length]
        for name, look in (
            ("words alone", lambda text: classifier.first((text,))),
            (
                "with a second look",
                lambda text: (classifier.first((text,)), classifier.second(text)),
            ),
        ):
            times = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                look(text)
                times.append((time.perf_counter() - began) * 1_000)
            curves[f"{name}, p50"].append(statistics.median(times))
            curves[f"{name}, p99"].append(float(np.percentile(times, 99)))
    plt.figure(figsize=(4.6, 2.8))
    for name, values in curves.items():
        dashes = "-" if name.endswith("p50") else ":"
        colour = GREY if name.startswith("words") else BLUE
        plt.plot(LENGTHS, values, dashes, color=colour, marker="o", markersize=3, label=name)
    plt.xscale("log")
    plt.ylim(0)
    plt.xlabel("characters")
    plt.ylabel("ms a prompt, one thread")
    plt.legend(frameon=False)
