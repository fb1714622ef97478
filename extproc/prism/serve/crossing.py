"""What happened first, where Envoy's two logs tell it the other way round.

Each log comes in batches of its own, so news of an answer may overtake news of a failure that was
before it. Each entry has its own time, by Envoy's clock.
"""

from __future__ import annotations

from prism.envoy.logs import FLUSH_S

LATE_S = 10 * FLUSH_S
"""By how much one log may be behind the other. Where times differ by more, the clock was set, and
the order in which the entries came counts."""


def crossed(at: float, later: float) -> bool:
    """Whether what is told now, and was at ``at``, was before what has been told already and was
    at ``later``: seconds since the epoch."""
    return 0.0 < later - at < LATE_S
