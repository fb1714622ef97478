"""The labelled prompts: loading, capping, weighing, and the sources that are left out together."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from augment import bare, changed
from numpy.typing import NDArray

from prism.routing.catalog import TASKS, Task

# No (source, label) gives more rows than this.
CAP = 900
# What a class's realistic prompts weigh against its benchmark prompts in all.
REALISTIC_SHARE = 0.7
# How often a prompt is trained on besides, changed; what each of these weighs against the prompt.
COPIES = 1
COPY_WEIGHT = 0.5

# Sources that share prompts or a hand, so are left out together. The first group reads as
# real use; the second is benchmarks.
REALISTIC: dict[str, tuple[str, ...]] = {
    "arena-hard v2": ("arena_hard_v2.0",),
    "awesome-prompts": ("awesome_chatgpt_prompts",),
    "BELLE": ("belle_eval_1k", "belle_zh_seed"),
    "FollowBench": ("followbench",),
    "WritingBench": ("writingbench",),
    "self-instruct": ("self_instruct_user_and_seed",),
    "authored code": ("authored_code",),
    "authored complex": ("authored_complex",),
    "authored simple": ("authored_simple",),
    "authored reasoning": ("authored_reasoning",),
    "authored multilingual": ("authored_multilingual",),
    "own": ("own_realistic",),
    "as in logs, broad": (
        "own_everyday", "own_office", "own_chinese_sixth", "own_play", "own_learned", "own_eleven",
    ),
    "as in logs, other": (
        "own_oneday", "own_deducing", "own_makers", "own_technical", "own_chinese_seventh",
        "own_given",
    ),
}  # fmt: skip
BENCHMARK: dict[str, tuple[str, ...]] = {
    "AGIEval": ("agieval",),
    "BIG-bench hard": ("big_bench_hard",),
    "CLINC150, BFCL": ("clinc150", "bfcl_live"),
    "nl2bash, MBPP, MultiPL-E": ("nl2bash", "mbpp", "multipl_e_humaneval"),
    "GSM8K, MATH, SVAMP, NQ, LLMRouter": (
        "gsm8k", "hendrycks_math", "svamp", "nq_open", "llmrouter_queries",
    ),
    "T0/P3": ("t0_p3_via_self_instruct",),
}  # fmt: skip
GROUPS = REALISTIC | BENCHMARK
# Of the realistic groups those that were written task by task, each prompt to be of one. They are
# clearer than what people ask, so any model reads them better.
WRITTEN_FOR_A_TASK = (
    "authored code", "authored complex", "authored simple", "authored reasoning",
    "authored multilingual", "own",
)  # fmt: skip
# Own prompts, each source by another hand. They are trained on and never measured.
OTHER_HANDS = (
    "own_chat", "own_instruction", "own_europe", "own_asia", "own_east", "own_code", "own_border",
    "own_long", "own_log", "own_creative", "own_templated", "own_chinese", "own_tasks", "own_work",
    "own_west", "own_orient", "own_neighbours", "own_constraints", "own_pasted", "own_hard",
    "own_errands", "own_chinese_too", "own_documents", "own_strangers", "own_many", "own_short",
    "own_longform", "own_chinese_third", "own_rules", "own_coding", "own_commands", "own_exams",
    "own_instruction_too", "own_languages", "own_library", "own_pasted_too", "own_public",
    "own_several", "own_stacked", "own_chinese_fourth", "own_chinese_fifth", "own_edges",
    "own_public_too", "own_world", "own_questions", "own_engineers", "own_passages_english",
    "own_passages_asian", "own_passages_romance", "own_passages_scripts", "own_passages_northern",
    "own_arguments", "own_brief", "own_visitors", "own_applications", "own_retrieved", "own_pupils",
    "own_chinese_eighth", "own_forms", "own_experts", "own_continent", "own_south", "own_builders",
    "own_wits", "own_curious", "own_trades", "own_paragraphs", "own_volunteers", "own_demanding",
    "own_rare", "own_figures_west", "own_figures_east", "own_figures_north",
    *(f"own_seeded_{number}" for number in range(1, 22)),
)  # fmt: skip
# Hands that wrote kinds of which some sources are made, most of them from descriptions that were
# written after looking at prompts of these. They are left out with the groups they imitate; the
# other hands with none.
IMITATING: dict[str, tuple[str, ...]] = {
    "own_arguments": ("AGIEval",),
    "own_chinese_eighth": ("BELLE",),
    "own_chinese_fifth": ("BELLE",),
    "own_chinese_third": ("BELLE",),
    "own_chinese_too": ("BELLE",),
    "own_commands": ("CLINC150, BFCL",),
    "own_constraints": ("FollowBench",),
    "own_documents": ("awesome-prompts",),
    "own_errands": ("self-instruct", "BELLE"),
    "own_exams": ("AGIEval", "BIG-bench hard"),
    "own_figures_east": ("AGIEval",),
    "own_figures_north": ("AGIEval",),
    "own_figures_west": ("AGIEval",),
    "own_forms": ("FollowBench",),
    "own_library": ("awesome-prompts",),
    "own_longform": ("T0/P3", "WritingBench"),
    "own_pupils": ("AGIEval",),
    "own_rules": ("FollowBench",),
    "own_several": ("T0/P3",),
    "own_stacked": ("FollowBench",),
    "own_tasks": ("T0/P3",),
    "own_templated": ("WritingBench",),
    "own_trades": ("WritingBench",),
    "own_wits": ("BIG-bench hard",),
}
# Translations of own and authored prompts, trained on and never measured; their style is the source
# of the original, and they are left out with its group.
TRANSLATED = "own_translated"
# The group that each style of this source imitates, and is left out with.
IMITATED = "own_formats"
STYLES: dict[str, tuple[str, ...]] = {
    "arena-hard v2": ("format-judge-question",),
    "FollowBench": ("verifiable-constraints", "rules-added", "format-constraints"),
    "WritingBench": ("format-open-writing",),
    "AGIEval": (
        "mmlu-science", "medical-exam", "graduate-science", "aqua-lsat", "law", "format-mcq",
    ),
    "BIG-bench hard": ("big-bench-like", "format-logic"),
    "CLINC150, BFCL": ("format-intent", "format-slots", "format-tools"),
    "nl2bash, MBPP, MultiPL-E": (
        "function-stub", "shell", "sql", "contest-problem", "data-science", "repository-issue",
        "format-stub", "format-shell", "format-sql", "format-tests", "format-issue",
    ),
    "GSM8K, MATH, SVAMP, NQ, LLMRouter": (
        "grade-school-maths", "competition-maths", "reading-arithmetic", "trivia", "arc-science",
        "format-maths",
    ),
    "T0/P3": (
        "sentence-completion", "reading", "sentiment-nli", "short-summary", "long-synthesis",
        "translation", "long-reading", "format-passage", "format-entailment", "format-sentiment",
        "format-paraphrase", "format-topic", "format-coref", "format-title",
        "format-data-to-text", "format-dialogue-summary", "format-acceptability",
        "format-outline-story", "format-long-article",
    ),
}  # fmt: skip
# Groups that are left out at the same time: each fold spans classes, kinds and languages.
FOLDS = (
    ("arena-hard v2", "authored code", "T0/P3"),
    ("awesome-prompts", "authored simple", "AGIEval"),
    ("BELLE", "authored reasoning", "CLINC150, BFCL", "as in logs, broad"),
    ("FollowBench", "authored complex", "GSM8K, MATH, SVAMP, NQ, LLMRouter"),
    ("WritingBench", "authored multilingual", "BIG-bench hard", "as in logs, other"),
    ("self-instruct", "own", "nl2bash, MBPP, MultiPL-E"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt. ``weight`` is what it counts in training; ``style`` tags authored prompts."""

    id: str
    source: str
    text: str
    label: Task
    lang: str
    license: str
    style: str
    weight: float = 1.0


OWN = Path(__file__).parent / "prompts.jsonl"
"""Prompts that are kept with the code."""
TRAINED_ONLY = Path(__file__).parent / "trained_only.jsonl"
"""Prompts that are kept with the code and trained on, but never measured: what is measured stays
the same when they grow."""
LOGS = Path(__file__).parent / "logs.jsonl"
"""Prompts written without a thought of tasks, as logs of chat assistants have them, and labelled
afterwards by two readers, each on their own. (``own_deducing`` alone was told of kinds of work, in
other words than the tasks'.) Where these disagree (``or`` is what the second said; one in
eleven) a prompt is trained on as either, and not measured; nor are those of ``OTHER_HANDS``."""
TRANSLATIONS = Path(__file__).parent / "translations.jsonl"
"""Some own and authored prompts in other languages. They are never trained on."""


SECOND_READING = Path(__file__).parent / "second_reading.jsonl"
"""Labels of prompts of ``awesome_chatgpt_prompts`` that two readers, each on their own and by what
the labels mean, gave against the heuristic that labelled this source. They agreed on 97 of 100
prompts; where they did not, the heuristic's label stays."""


def translations() -> dict[str, list[str]]:
    """The texts of ``TRANSLATIONS``, by the prompt's ``id``."""
    found: dict[str, list[str]] = defaultdict(list)
    for said in _lines(TRANSLATIONS):
        found[said["of"]].append(said["text"])
    return found


def load(folder: Path, seed: int) -> list[Row]:
    """Every row of ``train.jsonl``, ``authored.jsonl``, ``OWN`` and ``LOGS`` that is measured, at
    most ``CAP`` a source and label of the first.

    Raises ``FileNotFoundError``, and ``KeyError`` for rows of another shape.
    """
    chance = random.Random(seed)
    by_kind: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for path in (folder / "train.jsonl", folder / "authored.jsonl", OWN, LOGS):
        for row in _read(path):
            if row.source not in OTHER_HANDS:
                by_kind[row.source, row.label].append(row)
    kept: list[Row] = []
    for _, rows in sorted(by_kind.items()):
        kept += rows if is_ours(rows[0]) or len(rows) <= CAP else chance.sample(rows, CAP)
    return kept


def is_ours(row: Row) -> bool:
    """Whether the prompt was written for this project."""
    return row.source.startswith(("authored", "own"))


def trained_only() -> list[Row]:
    """The rows of ``TRAINED_ONLY``, those of ``LOGS`` by ``OTHER_HANDS``, and of ``LOGS`` that two
    readers read as different tasks: two rows, one of each, of half the weight."""
    unsure = [said for said in _lines(LOGS) if "or" in said]
    either = [said | {"label": one} for said in unsure for one in (said["label"], said["or"])]
    more = [row for row in _read(LOGS) if row.source in OTHER_HANDS]
    return [*_read(TRAINED_ONLY), *more, *(replace(_row(said), weight=0.5) for said in either)]


def _read(path: Path) -> Iterator[Row]:
    """The rows of a file on whose label all agree."""
    second = {said["id"]: said["label"] for said in _lines(SECOND_READING)}
    for said in _lines(path):
        if "or" not in said:
            yield _row(said | {"label": second.get(said["id"], said["label"])})


def _lines(path: Path) -> Iterator[dict[str, str]]:
    # Not splitlines(): prompts may hold other line ends, U+2028 for one.
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _row(said: dict[str, str]) -> Row:
    return Row(
        id=said["id"], source=said["source"], text=said["text"], label=Task(said["label"]),
        lang=said["lang"], license=said["license"], style=said.get("style") or "",
    )  # fmt: skip


def copies(rows: Sequence[Row], seed: int, half: slice) -> list[Row]:
    """Changed copies of the rows, with the same label, and of code its pasted part alone; ``half``:
    see ``augment``."""
    chance = random.Random(seed)
    found = [
        replace(row, text=changed(row.text, chance, half), weight=row.weight * COPY_WEIGHT)
        for row in rows
        for _ in range(COPIES)
    ]
    coded = [(row, bare(row.text)) for row in rows if row.label is Task.CODE]
    return found + [
        replace(row, text=code, weight=row.weight * COPY_WEIGHT)
        for row, code in coded
        if code is not None
    ]


def weights(rows: Sequence[Row]) -> NDArray[np.float32]:
    """Float32 [rows] with mean 1: classes weigh the same; so do the parts within a class.

    Within a class, realistic sources get ``REALISTIC_SHARE``; within each part a source
    weighs as the square root of its size.
    """
    realistic = {source for sources in REALISTIC.values() for source in sources}
    realistic |= {*OTHER_HANDS, TRANSLATED}
    total: dict[tuple[Task, bool, str], float] = defaultdict(float)
    for row in rows:
        total[row.label, row.source in realistic, row.source] += row.weight
    part: dict[tuple[Task, bool], float] = defaultdict(float)
    for (label, real, _), weight in total.items():
        part[label, real] += weight**0.5
    found = np.zeros(len(rows), np.float32)
    for i, row in enumerate(rows):
        real = row.source in realistic
        share = REALISTIC_SHARE if real else 1 - REALISTIC_SHARE
        size = total[row.label, real, row.source]
        found[i] = row.weight * share * size**0.5 / part[row.label, real] / size
    mean: float = found.mean()
    return found / mean


def parts(group: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Which rows are realistic, which of these were not written for a task, and which are of
    benchmarks, by the numbers of their groups."""
    written = [list(GROUPS).index(name) for name in WRITTEN_FOR_A_TASK]
    real = group < len(REALISTIC)
    return {
        "realistic": real,
        "realistic, not written for a task": real & ~np.isin(group, written),
        "benchmarks": ~real,
    }


def labels(rows: Iterable[Row]) -> NDArray[np.int64]:
    """The index of each row's label in ``TASKS``."""
    return np.array([TASKS.index(row.label) for row in rows], np.int64)


def group_of(row: Row) -> int:
    """The number in ``GROUPS`` of a measured row's group."""
    (group,) = groups_of(row)
    return group


def original(row: Row) -> str:
    """The ``id`` of the prompt that a row is, is a changed copy of or a translation of."""
    return row.id.rpartition("-")[0] if row.source == TRANSLATED else row.id


def groups_of(row: Row) -> frozenset[int]:
    """The numbers in ``GROUPS`` of the groups that a row is left out with: of one that is trained
    on and never measured, none, one or more."""
    source = row.style if row.source == TRANSLATED else row.source
    names = list(GROUPS)
    if source in OTHER_HANDS:
        return frozenset(names.index(name) for name in IMITATING.get(source, ()))
    for i, (name, sources) in enumerate(GROUPS.items()):
        imitated = source == IMITATED and row.style in STYLES.get(name, ())
        if imitated or source in sources:
            return frozenset({i})
    raise ValueError(f"{row.id} of {row.source} ({row.style}) is of no group")
