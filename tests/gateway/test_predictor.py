"""A table's predictor at work: the prompt decides between the models of one cell."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from prism.classify import Classifier
from prism.resources.halves import half_float_text

from . import config
from .running import Gateway, chat

CODE = "Write a Python function that reverses a singly linked list, with type hints."
OTHER = "Fix this SQL: SELECT nam FROM users WHERE id = 3 ORDER BY created DESC LIMIT 10;"


def predictor(classifier: str) -> dict[str, object]:
    """The cell's second model for what reads as CODE does, its first for what reads as OTHER."""
    read = Classifier()
    rows = []
    for text in (CODE, OTHER):
        hidden = read.classify(text).hidden
        assert hidden is not None
        rows.append(hidden.values.tolist())
    way = [a - b for a, b in zip(*rows, strict=True)]
    length = sum(value * value for value in way)
    middle = sum(w * (a + b) / 2 for w, a, b in zip(way, *rows, strict=True))
    weights = [8 * value / length for value in way]
    second = config.CELLS["code"]["balanced"][1]
    return {
        "classifier": classifier,
        "trade": {"eco": 0, "balanced": 0, "sport": 0},
        "models": [
            {"name": second, "weights": half_float_text([*weights, -8 * middle / length])},
        ],
    }


@pytest.mark.parametrize("known", [True, False], ids=["its-classifier", "another-classifier"])
def test_the_prompt_decides_within_a_cell(own_gateway: Callable[..., Gateway], known: bool) -> None:
    digest = Classifier().digest if known else "ab" * 32
    gateway = own_gateway(predictor=predictor(digest))
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}"}
    found = []
    for text in (CODE, OTHER):
        url = f"{gateway.base_url}/chat/completions"
        answer = httpx.post(url, json=chat(text), headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-prism-task-type"] == "code"
        found.append(answer.headers["x-prism-model"])
    first, second = config.CELLS["code"]["balanced"][:2]
    assert found == ([second, first] if known else [first, first])
    record = gateway.record(answer.headers["x-prism-decision-id"])
    assert ("corrections" in record["classification"]) is known
    assert "hidden" not in str(record)
