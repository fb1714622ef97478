"""How a decision reads whose table has a candidate."""

from __future__ import annotations

import pytest

from prism.routing.explanation import explanation_of
from prism.routing.tree import tree

from .tables import policy
from .test_decide_candidate import next_table, plan, tried

SHADOW = """\
├─ compared    table next, the candidate of main, did not decide (0%); the two differ
│  ├─ table next would try small, large: 1,000 tokens in, 1,000 out, $0.001, 10.2 s
│  ├─ quality 0.60, here 0.75
│  └─ its last reason: cell (code, balanced): small, large
"""
APPLIED = """\
├─ compared    table next, the candidate of main, decided (100%); the two differ
│  ├─ table main would try medium, large: 1,000 tokens in, 1,000 out, $0.005, 10.4 s
│  ├─ quality 0.75, here 0.60
│  └─ its last reason: cell (code, balanced): medium, large
"""


@pytest.mark.parametrize(("percent", "says"), [(0, SHADOW), (100, APPLIED)])
def test_both_tables_are_in_the_tree(percent: int, says: str) -> None:
    text = tree(explanation_of(tried(plan(percent))))
    assert says in text, text
    assert "the candidate of table main" in text.partition("├─ steps")[2].partition("├─ cand")[0]


def test_a_candidate_that_would_refuse_is_said_to() -> None:
    held = policy(allowed_models=frozenset({"medium"}))
    small = next_table(models={n: plan(0).tables["next"].models[n] for n in ("small", "large")})
    text = tree(explanation_of(tried(plan(100, held, other=small), held)))
    assert "table next would refuse: No model can take this request:" in text
    assert "did not decide (100%); the two differ" in text


def test_a_table_without_one_says_nothing_of_it() -> None:
    said = explanation_of(tried(plan(0), pin="huge"))
    assert said["candidateTable"] is None
    assert "compared" not in tree(said)
