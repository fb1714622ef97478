"""What somebody said of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Feedback:
    """``score`` is 0 (bad) to 1 (good). ``feedback_id`` is its giver's: saying it anew under the
    same id replaces it, and another id stands beside it."""

    decision_id: str
    score: float
    feedback_id: str = "default"
    comment: str | None = None
    labels: Mapping[str, str] | None = None

    def to_json_dict(self) -> dict[str, Any]:
        """All of it but the decision's id, ready for ``json.dumps``."""
        return {
            "id": self.feedback_id,
            "score": self.score,
            "comment": self.comment,
            "labels": dict(self.labels or {}),
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """What feedback is about: a decision of ``project`` (``None`` where no policy held), the
    model that answered, and the trace, both ``None`` where that is not known."""

    project: str | None
    task: str
    mode: str
    model: str | None
    trace_id: str | None
