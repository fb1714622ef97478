"""The data of ``make bench-money``: where it is, how it is read, what its models cost."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from prism.calibrate.outcomes import Outcome, read_outcomes
from prism.calibrate.settings import OutcomeColumns

OUTCOMES, PROMPTS = Path("outcomes", "llmrouter_train.csv"), Path("prompts", "train.jsonl")
COLUMNS = OutcomeColumns(prompt="prompt_id", task="label")
KIND = "task"
"""The column that says which collection of prompts a row is of."""
# US dollars per million tokens, in as out, as LLMRouter lists them.
PRICES = {
    "gemma-2-9b-it": 0.1,
    "qwen2.5-7b-instruct": 0.2,
    "codegemma-7b": 0.2,
    "llama-3.1-8b-instruct": 0.2,
    "llama3-chatqa-1.5-8b": 0.2,
    "mistral-7b-instruct-v0.3": 0.2,
    "llama-3.3-nemotron-super-49b-v1": 0.9,
    "llama-3.1-nemotron-51b-instruct": 0.9,
    "llama3-chatqa-1.5-70b": 0.9,
}
MISSING = """\
No {what} at {path}.
They are no part of the project, and no test needs them. Give a folder that has
  {outcomes}   prompt_id, task, label, model, score: one row a prompt and model
  {prompts}              JSON lines with id and text
with "make bench-money ARGS='--data DIR'", or single files with --outcomes, --prompts, and --test
(outcomes to evaluate on, instead of a half of --outcomes). Models without a known price need
--base FILE, a RoutingTable that has them."""


def complaint(outcomes: Sequence[Path], prompts: Sequence[Path]) -> str | None:
    """What is missing and how to give it; ``None`` where nothing is."""
    for what, paths in (("graded answers", outcomes), ("prompts", prompts)):
        for path in paths:
            if not path.is_file():
                return MISSING.format(what=what, path=path, outcomes=OUTCOMES, prompts=PROMPTS)
    return None


def read(path: Path) -> tuple[list[Outcome], dict[str, str]]:
    """The outcomes of a file, and the kind of each prompt where the file says one: LLMRouter's
    columns, else those that ``prism calibrate`` reads."""
    if path.suffix == ".parquet":
        return list(read_outcomes(path, OutcomeColumns())), {}
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        if COLUMNS.prompt not in (reader.fieldnames or ()):
            return list(read_outcomes(path, OutcomeColumns())), {}
        kinds = {row[COLUMNS.prompt]: row.get(KIND) or "" for row in reader}
    return list(read_outcomes(path, COLUMNS)), kinds


def base(models: Iterable[str]) -> dict[str, Any]:
    """A table with those models and their prices, and nothing measured."""
    names = sorted(models)
    if unknown := [name for name in names if name not in PRICES]:
        raise SystemExit(f"no price of {', '.join(unknown)}: give --base, a RoutingTable with it")
    return {
        "apiVersion": "routing.prism.dev/v1alpha1",
        "kind": "RoutingTable",
        "metadata": {"name": "default"},
        "spec": {
            "providers": [{"name": "pool", "baseURL": "https://pool.invalid/v1"}],
            "models": [
                {
                    "name": name,
                    "provider": "pool",
                    "contextLength": 128_000,
                    "price": {"inputPerMillion": PRICES[name], "outputPerMillion": PRICES[name]},
                    # Nobody measured it, and nothing here asks for it.
                    "latency": {"timeToFirstTokenMs": 500, "tokensPerSecond": 80},
                }
                for name in names
            ],
        },
    }
