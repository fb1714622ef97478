"""What routing saves at equal quality: writes build/bench/bench-money.json.

Tables are calibrated on one half of the prompts and evaluated on the other, as ``prism calibrate``
and ``prism evaluate`` do it, with prompts classified: several splits, whose means are the figures.
Then whole kinds of prompts are left out, which is harder. What the shipped table saves is by its
own numbers.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import money_data as data

from prism.calibrate.answers import Gatherer
from prism.calibrate.build import abstaining, answer_tokens, calibrate, read_base
from prism.calibrate.measured import Origin
from prism.calibrate.outcomes import Outcome
from prism.calibrate.settings import Settings, read_settings
from prism.calibrate.tally import count, measured
from prism.cli.calibrate import read_table
from prism.cli.outcome_tasks import classification_reader
from prism.evaluate.graded import Graded, ReadAs, graded
from prism.evaluate.strategies import Strategy, best_model, of_models, of_table
from prism.routing.catalog import MODES, TASKS, Mode, Table, Task
from prism.routing.cost import cost_usd
from prism.routing.signals import Classification

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "examples" / "models"
DATA = ROOT.parent / "shared" / "data"
# Our reading of "How People Use ChatGPT" (Chatterji et al., NBER 34255, 2025): half of chat is
# asking, rewriting and translating, a third advice and longer writing, code and mathematics a
# tenth or less.
CHAT = {Task.SIMPLE: 0.5, Task.CODE: 0.1, Task.REASONING: 0.1, Task.COMPLEX: 0.3}
# What each figure stands for: the mode that is meant to reach it.
CHEAP, BETTER = Mode.ECO, Mode.BALANCED
TARGETS = {
    "quality_ratio_cheap": "0.99 or more",
    "cost_ratio_cheap": "0.50 or less",
    "quality_ratio_better": "above 1",
    "cost_ratio_better": "0.75 or less",
    "balanced_saving_2026": "0.60 or more",
}


def main() -> None:
    """Measure, write, and print the figures beside their targets."""
    args = _arguments()
    outcomes, prompts = args.outcomes or args.data / data.OUTCOMES, args.prompts
    prompts = prompts or [args.data / data.PROMPTS]
    figures: dict[str, Any] = _shipped()
    missing = data.complaint([outcomes, args.test] if args.test else [outcomes], prompts)
    if missing is None:
        figures |= _routed(args, outcomes, prompts)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    for name, value in figures.items():
        target = f"   ({TARGETS[name]})" if name in TARGETS else ""
        print(f"{name:34} {value}{target}")
    if missing is not None:
        raise SystemExit(missing)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=DATA, help="a folder with outcomes and prompts"
    )
    parser.add_argument("--outcomes", type=Path, help="graded answers to calibrate on")
    parser.add_argument("--test", type=Path, help="graded answers to evaluate on")
    parser.add_argument("--prompts", type=Path, nargs="+", help="texts of the prompts")
    parser.add_argument("--base", type=Path, help="a RoutingTable with the models' prices")
    parser.add_argument("--splits", type=int, default=5, help="how many halvings (5)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench" / "bench-money.json")
    return parser.parse_args()


def _shipped() -> dict[str, float]:
    """Of the table in ``examples/models``: what balanced saves against always the best model, and
    the least share of the best quality at a task that it takes."""
    table = read_table(SHIPPED / "table.yaml")
    path = SHIPPED / "calibration.yaml"
    settings = read_settings(path.read_bytes(), str(path))

    def cost(name: str, task: Task) -> float:
        tokens = settings.input_tokens.of(task), table.expected_output_tokens[task]
        return cost_usd(table.models[name].price, *tokens)

    def quality(name: str) -> float:
        return sum(share * table.models[name].quality[task] for task, share in CHAT.items())

    best = max(table.models, key=quality)
    first = {task: table.cells[task, Mode.BALANCED][0] for task in TASKS}
    always = sum(share * cost(best, task) for task, share in CHAT.items())
    routed = sum(share * cost(first[task], task) for task, share in CHAT.items())
    tops = {task: max(m.quality[task] for m in table.models.values()) for task in TASKS}
    found = {"balanced_saving_2026": round(1 - routed / always, 4)}
    found["balanced_least_quality_2026"] = round(
        min(table.models[first[task]].quality[task] / tops[task] for task in TASKS), 4
    )
    return found | {
        f"balanced_saving_2026_{task}": round(1 - cost(first[task], task) / cost(best, task), 4)
        for task in TASKS
    }


def _routed(args: argparse.Namespace, outcomes: Path, prompts: list[Path]) -> dict[str, float]:
    rows, kinds = data.read(outcomes)
    if args.base is None:
        base = data.base({row.model for row in rows})
    else:
        base = read_base(args.base.read_bytes(), str(args.base))
    readers = [classification_reader(path, classify=True) for path in prompts]

    def read(outcome: Outcome) -> Classification | None:
        return next((found for one in readers if (found := one(outcome)) is not None), None)

    pairs: list[tuple[list[Outcome], list[Outcome]]]
    if args.test is not None:
        pairs = [(rows, data.read(args.test)[0])]
    else:
        pairs = [_halves(rows, seed) for seed in range(args.splits)]
    found = [_ratios([_compared(base, read, *pair)]) for pair in pairs]
    figures = {name: statistics.fmean(split[name] for split in found) for name in found[0]}
    figures |= _worst(found)
    if kinds and args.test is None:
        apart = [
            _compared(base, read, *_apart(rows, lambda row, kind=kind: kinds[row.prompt] == kind))
            for kind in sorted(set(kinds.values()))
        ]
        unseen = _ratios([one for one in apart if one is not None])
        figures |= {f"unseen_{name}": value for name, value in unseen.items()}
    return {name: round(value, 4) for name, value in figures.items()}


def _halves(rows: Iterable[Outcome], seed: int) -> tuple[list[Outcome], list[Outcome]]:
    rows = list(rows)
    prompts = sorted({row.prompt for row in rows})
    random.Random(seed).shuffle(prompts)
    half = set(prompts[: len(prompts) // 2])
    return _apart(rows, lambda row: row.prompt not in half)


def _apart(
    rows: Iterable[Outcome], wanted: Callable[[Outcome], bool]
) -> tuple[list[Outcome], list[Outcome]]:
    """The rows to calibrate on, and the wanted ones to evaluate on."""
    parts: tuple[list[Outcome], list[Outcome]] = ([], [])
    for row in rows:
        parts[wanted(row)].append(row)
    return parts


Compared = tuple[list[Graded], dict[str, list[Strategy]]]


def _compared(
    base: Mapping[str, Any], read: ReadAs, known: Sequence[Outcome], new: Sequence[Outcome]
) -> Compared | None:
    """The table with a predictor and without, at prompts that neither has seen."""
    settings, routed_by = Settings(), abstaining(base)
    gatherer = Gatherer(routed_by)

    def task_of(outcome: Outcome) -> Task | None:
        if (found := read(outcome)) is None:
            return None
        gatherer.show(outcome, found)
        return routed_by(found)

    tokens = answer_tokens(base)
    models = measured(count(known, task_of), tokens, Origin("bench"))
    names = [item["name"] for item in base["spec"]["models"]]
    tables = {
        "": calibrate(base, models, {}, settings, gatherer.answers(names)).table,
        "plain_": calibrate(base, models, {}, settings).table,
    }
    cost_of = _cost_of(tables[""], settings)
    prompts, _ = graded(new, read, cost_of, names)
    if not prompts:
        return None
    return prompts, {name: of_table(name, table, prompts) for name, table in tables.items()}


def _cost_of(table: Table, settings: Settings) -> Callable[[str, Task], float]:
    def cost_of(name: str, task: Task) -> float:
        tokens = settings.input_tokens.of(task), table.expected_output_tokens[task]
        return cost_usd(table.models[name].price, *tokens)

    return cost_of


def _ratios(parts: Sequence[Compared | None]) -> dict[str, float]:
    """Quality and cost of modes, of always the best model's, over all parts together."""
    kept = [part for part in parts if part is not None]
    prompts = [prompt for found, _ in kept for prompt in found]
    best = best_model(of_models(prompts))
    figures = {}
    for table in kept[0][1]:
        for place, mode in enumerate(MODES):
            name = {CHEAP: "cheap", BETTER: "better"}.get(mode, str(mode))
            routed = [found[table][place] for _, found in kept]
            scores = [score for strategy in routed for score in strategy.scores]
            costs = [cost for strategy in routed for cost in strategy.costs]
            figures[f"{table}quality_ratio_{name}"] = sum(scores) / sum(best.scores)
            figures[f"{table}cost_ratio_{name}"] = sum(costs) / sum(best.costs)
    return figures | {"prompts": float(len(prompts))}


def _worst(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {
        "worst_quality_ratio_cheap": min(split["quality_ratio_cheap"] for split in found),
        "worst_cost_ratio_cheap": max(split["cost_ratio_cheap"] for split in found),
        "worst_quality_ratio_better": min(split["quality_ratio_better"] for split in found),
        "worst_cost_ratio_better": max(split["cost_ratio_better"] for split in found),
    }


if __name__ == "__main__":
    main()
