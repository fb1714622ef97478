"""What a table and its candidate chose, as text."""

from __future__ import annotations

from collections.abc import Iterator

from prism.cli.simulation_text import notes, sums_of
from prism.routing.cost import usd
from prism.simulate.arms import Arm, Arms
from prism.simulate.difference import Difference


def candidate_lines(found: Difference, arms: Arms) -> Iterator[str]:
    """How often the two differ and what the candidate changes, then what was measured of each."""
    total = found.total
    share = total.moved / total.decisions if total.decisions else 0.0
    yield (
        f"{total.decisions:,} decisions of tables with a candidate: in {total.moved:,} "
        f"({share:.1%}) the candidate chose another model"
    )
    yield from sums_of(found)
    yield ""
    yield from _measured(arms)
    yield from notes(found)
    yield "What was applied costs what was measured, the other choice what it would have."


def _measured(arms: Arms) -> Iterator[str]:
    """The requests that each decided, where the candidate decided some."""
    if not any(candidate.decisions for _, candidate in arms.by_task.values()):
        yield "The candidate decided none of them: nothing was measured of it."
        return
    yield f"{'measured':21} {'decided':>9} {'failed':>7}  {'cost of one':14} time of one"
    for name, (table, candidate) in arms.by_task.items():
        yield _arm(name, "table", table)
        yield _arm("", "candidate", candidate)


def _arm(name: str, side: str, arm: Arm) -> str:
    cost = usd(round(arm.cost_usd / arm.priced, 6)) if arm.priced else "unknown"
    time = f"{arm.total_ms / arm.timed:,.0f} ms" if arm.timed else "unknown"
    return f"{name:10} {side:10} {arm.decisions:>9,} {arm.failed:>7,}  {cost:14} {time}"
