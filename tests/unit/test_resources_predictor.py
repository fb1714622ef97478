"""The predictor of a RoutingTable: read, compiled, and every way in which it can be wrong."""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml

from prism.resources import has_errors, read_document, to_table
from prism.resources.halves import half_float_text, half_floats
from prism.routing.catalog import Mode

SMALLEST = Path(__file__).parents[1] / "data" / "resources" / "valid" / "table-smallest.yaml"
GOOD: dict[str, Any] = {
    "classifier": "0f" * 32,
    "trade": {"eco": 0.2, "balanced": 0.05, "sport": 0},
    "models": [{"name": "MODEL", "weights": half_float_text((0.5, -2.0, 0.25))}],
}


def document(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(SMALLEST.read_text())
    name = found["spec"]["models"][0]["name"]
    predictor = {**GOOD, **changes}
    predictor["models"] = [
        {**entry, "name": name if entry["name"] == "MODEL" else entry["name"]}
        for entry in predictor["models"]
    ]
    found["spec"]["predictor"] = predictor
    return found


def test_a_predictor_is_compiled() -> None:
    resource, problems = read_document(document())
    assert resource is not None
    assert not has_errors(problems)
    found = to_table(resource).predictor
    assert found is not None
    assert found.classifier == "0f" * 32
    assert found.trade == {Mode.ECO: 0.2, Mode.BALANCED: 0.05, Mode.SPORT: 0.0}
    assert list(found.weights.values()) == [(0.5, -2.0, 0.25)]


def test_another_predictor_has_another_digest() -> None:
    digests = set()
    for eco in (0.2, 0.3):
        resource, _ = read_document(document(trade={**GOOD["trade"], "eco": eco}))
        assert resource is not None
        found = to_table(resource).predictor
        assert found is not None
        digests.add(found.digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classifier": "ABC"}, "calibrate"),
        ({"trade": {"eco": 0.1}}, "balanced"),
        ({"trade": {**GOOD["trade"], "eco": -1}}, "-1"),
        ({"models": []}, "models"),
        ({"models": [{"name": "nobody", "weights": "AAAA"}]}, 'no model named "nobody"'),
        ({"models": [{"name": "MODEL", "weights": "not base64!"}]}, "base64"),
        ({"models": [{"name": "MODEL", "weights": "AAAAA"}]}, "no base64 of two-byte numbers"),
        ({"models": [{"name": "MODEL", "weights": "AAAA"}]}, "no base64 of two-byte numbers"),
        (
            {"models": [{"name": "MODEL", "weights": half_float_text((float("nan"), 1.0))}]},
            "not finite",
        ),
        (
            {
                "models": [
                    *GOOD["models"],
                    {"name": "other", "weights": half_float_text((1.0,) * 2)},
                ]
            },
            "has 2 numbers where the first model has 3",
        ),
    ],
)
def test_a_wrong_predictor_is_refused(changes: dict[str, Any], message: str) -> None:
    _, problems = read_document(document(**changes))
    assert has_errors(problems)
    said = "\n".join(str(problem) for problem in problems)
    assert message in said
    assert "predictor" in said


def test_half_floats_are_little_endian() -> None:
    assert base64.b64decode(half_float_text((1.0, -2.0))) == b"\x00\x3c\x00\xc0"
    assert half_floats(half_float_text((0.1,))) == struct.unpack("<e", struct.pack("<e", 0.1))
    with pytest.raises(ValueError, match="3 bytes"):
        half_floats("AAAA")
