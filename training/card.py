"""The model card, every number of it measured by the run that writes it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from augment import BESIDE
from measure import DOUBT
from rows import GROUPS, REALISTIC, Row, labels, parts, trained_only
from validate import Scaled

from prism.classify import Classifier
from prism.classify.pieces import HEAD_PIECES, TAIL_PIECES
from prism.classify.quality import (
    Floats,
    Labels,
    abstained,
    confusion,
    ece,
    kept,
    macro_f1,
    under_routed,
    unsure,
)
from prism.cli.classify import measured
from prism.routing.catalog import TASKS


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured. ``group``: as ``validate.Left`` has it. ``held``: as ``validate.hold_out``
    gives it, with probabilities."""

    rows: Sequence[Row]
    group: Labels
    found: Scaled
    threshold: float
    held: tuple[Labels, Floats]

    @property
    def probabilities(self) -> Floats:
        return self.found.probabilities


def write_card(path: Path, report: Report, model: Path) -> None:
    """Write the card of ``model`` to ``path``."""
    path.write_text("\n".join(_lines(report, model)) + "\n", encoding="utf-8")


def _lines(report: Report, model: Path) -> Iterator[str]:
    size = model.stat().st_size / 2**20
    yield from (
        "# Model card: the task classifier",
        "",
        "Written by `training/train.py` from the numbers of its run; don't edit it by hand.",
        "",
        f"`task.onnx`, {size:.2f} MiB, tells the task of a prompt: {', '.join(TASKS)}.",
        "It looks at the words first: a table has a row for each word that it knows, with a small",
        "network on top (filters over three words in a row, means of the words, the numbers of",
        "characters, words and lines). The rows are made of word vectors of multilingual-e5-small",
        f"(MIT). Where that leaves it with less than {DOUBT.sure_from} confidence, or less than",
        f"{DOUBT.short_sure_from} in a text of up to {DOUBT.short_words} words, it reads the first",
        f"{HEAD_PIECES} and the last {TAIL_PIECES} pieces of the text with the lower eight layers",
        "of the same encoder, as they are, and a network on what these make of it. Both looks are",
        "calibrated on prompts of sources that they had not seen. Transcripts and words to the",
        'router ("this is a simple task") are taken off before.',
        "",
        f"Default abstain threshold: **{report.threshold:.2f}** confidence.",
        "",
        "## Out of source",
        "",
        "Each group was answered for by models, and a calibration, that saw none of it. F1 is the",
        "mean over the classes that the group has; ECE has 15 bins; under-routed is the share of",
        "code, reasoning and complex prompts read as simple with confidence at or above the",
        "threshold; abstained is the share of all that is read as simple with less. Authored and",
        "own prompts were written task by task and are clearer than what people ask; those as in",
        "logs were written without a thought of tasks and labelled afterwards by two readers.",
        "",
    )
    yield from _groups(report)
    yield from ("", "## Two looks, realistic groups", "", *_looks(report))
    yield from ("", "## In source", "", *_in_source(report))
    yield from ("", "## Confusion, realistic groups", "")
    yield from _confusion(report)
    yield from ("", "## By language, realistic groups", "")
    yield from _languages(report)
    yield from ("", "## Calibration, realistic groups", "")
    yield from _calibration(report)
    yield from ("", "## Threshold, realistic groups", "")
    yield from _thresholds(report)
    yield from ("", "## Robustness", "", *_ROBUSTNESS)
    yield from _robustness(report)
    yield from (
        "",
        "## Latency",
        "",
        "One thread, features included, as `prism classify --benchmark`",
        "measures it on the machine that trained:",
        "",
        "```",
    )
    yield from measured(Classifier(model))
    yield from ("```", "", "## Data", "", *_DATA)
    yield from _sources(report)
    yield from ("", "## Known weaknesses", "", *_weaknesses(report))


_ROBUSTNESS = (
    "Share of realistic prompts (left out, up to 100 a group) whose task stays when the text is",
    "changed, without and with the changes after which it abstains not counted. The wrappings are",
    "others than those trained on; the rules that take wrappings off were written with both in",
    "view. Code without a question: prompts labelled code, of which only the pasted code is left.",
    "Another language: 108 own and authored prompts, each in nine translations.",
    "",
)
_DATA = (
    "Prompts used for training after capping; their text is not in this repository, except the",
    "authored and own ones, which are the project's. Labels come from the source, a heuristic or",
    "one reader. awesome_chatgpt_prompts, which a heuristic labelled, was read by two more: where",
    "both gave another label, theirs counts (162 of 858; reasoning, of which so few were found, is",
    "what its macro-F1 suffers from). Some own prompts are trained on and not measured. Those of",
    "them that were written in the manner of a group, or after looking at prompts of it that an",
    "earlier model had read wrongly, are left out with it.",
    "",
)


def _groups(report: Report) -> Iterator[str]:
    wanted = labels(report.rows)
    yield "| left out | prompts | macro-F1 | accuracy | ECE | under-routed | abstained |"
    yield "|---|---|---|---|---|---|---|"
    spots = [(name, report.group == i) for i, name in enumerate(GROUPS)]
    real, unwritten, rest = (
        (f"**all {name}**", here) for name, here in parts(report.group).items()
    )
    spots[len(REALISTIC) : len(REALISTIC)] = [real, unwritten]
    spots.append(rest)
    for name, here in spots:
        truth, said = wanted[here], report.probabilities[here]
        found = said.argmax(1)
        cells = (
            f"{macro_f1(truth, found):.3f}",
            f"{(truth == found).mean():.3f}",
            f"{ece(truth, said):.3f}",
            f"{under_routed(truth, said, report.threshold):.3f}",
            f"{abstained(said, report.threshold):.3f}",
        )
        yield f"| {name} | {here.sum():,} | {' | '.join(cells)} |"


def _looks(report: Report) -> Iterator[str]:
    wanted, found = labels(report.rows), report.found
    real = report.group < len(REALISTIC)
    yield "| prompts | share | macro-F1 of the words alone | macro-F1 |"
    yield "|---|---|---|---|"
    for name, here in (
        ("decided by the words", real & ~found.doubted),
        ("read by the encoder", real & found.doubted),
        ("all", real),
    ):
        alone, both = (
            macro_f1(wanted[here], said[here].argmax(1))
            for said in (found.words, found.probabilities)
        )
        share = here.sum() / real.sum()
        yield f"| {name} | {share:.3f} | {alone:.3f} | {both:.3f} |"


def _in_source(report: Report) -> Iterator[str]:
    held, said = report.held
    wanted, found = labels([report.rows[i] for i in held]), said.argmax(1)
    real = report.group[held] < len(REALISTIC)
    yield "A model that saw nine tenths of every source, asked for the last tenth. Prompts of one"
    yield "source are alike, so this is what to expect of prompts like those trained on, at most."
    yield ""
    yield "| prompts of | held out | macro-F1 | accuracy |"
    yield "|---|---|---|---|"
    for name, here in (("realistic groups", real), ("benchmarks", ~real)):
        truth, read = wanted[here], found[here]
        right = (truth == read).mean()
        yield f"| {name} | {here.sum():,} | {macro_f1(truth, read):.3f} | {right:.3f} |"


def _confusion(report: Report) -> Iterator[str]:
    real = report.group < len(REALISTIC)
    table = confusion(labels(report.rows)[real], report.probabilities[real].argmax(1))
    yield f"| label, read as | {' | '.join(TASKS)} | recall |"
    yield "|---|---|---|---|---|---|"
    for task, counts in zip(TASKS, table, strict=True):
        recall = counts[TASKS.index(task)] / counts.sum()
        yield f"| {task} | {' | '.join(str(count) for count in counts)} | {recall:.3f} |"


def _languages(report: Report) -> Iterator[str]:
    real = report.group < len(REALISTIC)
    spots: dict[str, list[int]] = defaultdict(list)
    for i in np.flatnonzero(real):
        spots[report.rows[i].lang].append(int(i))
    wanted = labels(report.rows)
    yield "| language | prompts | macro-F1 |"
    yield "|---|---|---|"
    for lang, index in sorted(spots.items(), key=lambda entry: -len(entry[1])):
        if len(index) >= 20:
            score = macro_f1(wanted[index], report.probabilities[index].argmax(1))
            yield f"| {lang} | {len(index):,} | {score:.3f} |"


def _calibration(report: Report) -> Iterator[str]:
    real = report.group < len(REALISTIC)
    truth, said = labels(report.rows)[real], report.probabilities[real]
    confidence, right = said.max(1), said.argmax(1) == truth
    yield "| confidence | prompts | mean confidence | right |"
    yield "|---|---|---|---|"
    for tenth in range(2, 10):
        here = (confidence >= tenth / 10) & (confidence < (tenth + 1) / 10 + (tenth == 9))
        if here.any():
            span = f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}"
            yield (
                f"| {span} | {here.sum():,} | {confidence[here].mean():.3f} "
                f"| {right[here].mean():.3f} |"
            )


def _thresholds(report: Report) -> Iterator[str]:
    real = report.group < len(REALISTIC)
    truth, said = labels(report.rows)[real], report.probabilities[real]
    yield "| simple only from | abstained | under-routed | right, of those answered |"
    yield "|---|---|---|---|"
    for twentieth in range(6, 19):
        threshold = twentieth / 20
        sure = ~unsure(said, threshold)
        right = (said.argmax(1) == truth)[sure].mean()
        missed = under_routed(truth, said, threshold)
        yield f"| {threshold:.2f} | {abstained(said, threshold):.3f} | {missed:.3f} | {right:.3f} |"


def _robustness(report: Report) -> Iterator[str]:
    yield "| change | pairs | same task | same or abstained |"
    yield "|---|---|---|---|"
    shares = []
    for kind, (index, said) in report.found.pairs.items():
        same, fine = kept(report.probabilities[index], said, report.threshold)
        yield f"| {kind} | {len(index):,} | {same:.3f} | {fine:.3f} |"
        if kind != BESIDE:
            shares.append((same, fine))
    same, fine = np.mean(shares, axis=0)
    yield f"| **mean**, without {BESIDE} | | {same:.3f} | {fine:.3f} |"


def _sources(report: Report) -> Iterator[str]:
    counts = Counter((row.source, row.license) for row in [*report.rows, *trained_only()])
    yield "| source | licence | prompts |"
    yield "|---|---|---|"
    for (source, licence), count in sorted(counts.items()):
        yield f"| {source} | {licence} | {count:,} |"


def _weaknesses(report: Report) -> Iterator[str]:
    real = report.group < len(REALISTIC)
    wanted = labels(report.rows)
    table = confusion(wanted[real], report.probabilities[real].argmax(1))
    np.fill_diagonal(table, 0)
    label, found = np.unravel_index(table.argmax(), table.shape)
    share = table[label, found] / (wanted[real] == label).sum()
    scores = {
        name: macro_f1(wanted[here], report.probabilities[here].argmax(1))
        for i, name in enumerate(REALISTIC)
        if (here := report.group == i).any()
    }
    worst = sorted(scores, key=scores.__getitem__)[:3]
    yield f"- The most common error: {TASKS[label]} read as {TASKS[found]}, {share:.1%} of them."
    yield f"- The realistic groups it does worst on: {', '.join(worst)}."
    yield "- An ask hidden in the middle of a long paste can go unseen: the words of the start and"
    yield f"  the end are read, and of pieces the first {HEAD_PIECES} and the last {TAIL_PIECES}."
    yield "- Languages that the prompts lack are known only through the encoder."
