"""The attempts that a decision leads to: which of its models can be called, and which race."""

from __future__ import annotations

from collections.abc import Sequence

from prism.exchange.routed import Routed
from prism.exchange.targets import Target
from prism.routing.catalog import Table
from prism.routing.racing import Race, Races, racers, wait_ms


def attempts(found: Sequence[Target], most: int, *, retry_allowed: bool) -> Sequence[Target]:
    """Those of a decision's targets that can be called, in order: a model whose key is missing
    can't. A single one is tried again, ``most`` times at most, with another of its keys."""
    usable = [target for target in found if target.missing_key is None]
    if not retry_allowed:
        return usable[:1]
    if len(usable) == 1:
        # No other model may answer, but another key may be taken where this one is not.
        return usable * max(1, min(len(usable[0].keys), most))
    return usable


def no_key(found: Sequence[Target]) -> str:
    """That none of them can be called, in words."""
    lacking = ", ".join(f"{target.missing_key} ({target.provider})" for target in found)
    return f"The gateway has no key for any model that may answer; missing: {lacking}."


def race_of(table: Table, routed: Routed, targets: Sequence[Target], races: Races) -> Race | None:
    """The race of a decision; ``None`` where the key of one of the first two is missing."""
    decision, signals = routed.decision, routed.signals
    if tuple([target.model for target in targets[:2]]) != decision.models[:2]:
        return None
    output = 0 if decision.estimate is None else decision.estimate.output_tokens
    first = table.models[decision.models[0]]
    wait = wait_ms(table.racing, first, races, output, signals.stream)
    return Race(
        table,
        tuple([table.models[target.model] for target in racers(table.racing, targets)]),
        wait,
        signals.input_tokens,
        output,
        signals.stream,
    )
