"""The strongest public router without a model of its own, as a baseline: LiteLLM's rules.

LiteLLM names how hard a prompt is (SIMPLE to REASONING) and, for its adaptive router, what kind
of request it is; neither is our four tasks. Of the ways to read its answers as tasks that were
tried, this one does best on realistic prompts: the kind where its rules find one, else code where
its scorer sees words of code, else its trained tiers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
from matrix import Floats
from rows import Row

from prism.routing.catalog import TASKS, Task

_KINDS = {
    "code_generation": Task.CODE, "code_understanding": Task.CODE,
    "analytical_reasoning": Task.REASONING, "factual_lookup": Task.SIMPLE,
    "technical_design": Task.COMPLEX, "writing": Task.COMPLEX,
}  # fmt: skip
_TIERS = {1: Task.SIMPLE, 2: Task.COMPLEX, 3: Task.COMPLEX, 4: Task.REASONING}


def litellm_answers(rows: Sequence[Row]) -> Floats:
    """As probabilities [rows, 4], all on one task."""
    task_of = _litellm()
    found = [TASKS.index(task_of(row.text)) for row in rows]
    return np.eye(len(TASKS), dtype=np.float32)[found]


def _litellm() -> Callable[[str], Task]:
    # Its list of prices is in the package; it would fetch a newer one when imported.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    from litellm.router_strategy.adaptive_router.classifier import classify_prompt
    from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter
    from litellm.router_strategy.complexity_router.tier_predictor import (
        TierSuccessPredictor,
        resolve_tier_artifact,
    )

    tiers = {name: name for name in ("SIMPLE", "MEDIUM", "COMPLEX", "REASONING")}
    scorer = ComplexityRouter("baseline", None, {"tiers": tiers})
    predictor = TierSuccessPredictor(resolve_tier_artifact("ultrafeedback"))

    def task_of(text: str) -> Task:
        kind = classify_prompt(text)
        if known := _KINDS.get(kind.value):
            return known
        _, _, signals = scorer.classify(text)
        if any(signal.startswith("code") for signal in signals):
            return Task.CODE
        return _TIERS[predictor.predict(text, kind).required_tier]

    return task_of
