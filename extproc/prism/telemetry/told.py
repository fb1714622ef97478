"""What is told of a request and of feedback: the values that spans and events are made of."""

from __future__ import annotations

from dataclasses import dataclass

from prism.routing.feedback import Feedback, Subject
from prism.routing.record import Outcome, Record
from prism.telemetry.price import Price
from prism.wire.gateway_log import Trace


@dataclass(frozen=True, slots=True)
class Told:
    """A request that is over, since ``over_ns`` (nanoseconds since the epoch). ``trace`` is there
    where it is sampled; ``generation`` is its table's, where that is still live."""

    trace: Trace | None
    record: Record
    outcome: Outcome
    price: Price | None
    generation: str | None
    over_ns: int


@dataclass(frozen=True, slots=True)
class Graded:
    """Feedback that was kept at ``time_ns``, nanoseconds since the epoch."""

    said: Feedback
    subject: Subject
    time_ns: int
