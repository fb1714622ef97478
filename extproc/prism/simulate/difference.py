"""Many decisions made again, summed up: what moves, what it costs, how good it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prism.simulate.again import Again


@dataclass(slots=True)
class Sum:
    """Decisions together. Cost in US dollars, of those whose cost is known then and now; quality
    summed over the ``graded`` ones, of which it is known both times."""

    decisions: int = 0
    moved: int = 0
    cost_before: float = 0.0
    cost_after: float = 0.0
    quality_before: float = 0.0
    quality_after: float = 0.0
    graded: int = 0

    def add(self, found: Again) -> None:
        """Count one more."""
        self.decisions += 1
        self.moved += found.moved
        if found.cost_before is not None and found.cost_after is not None:
            self.cost_before += found.cost_before
            self.cost_after += found.cost_after
        if found.quality_before is not None and found.quality_after is not None:
            self.quality_before += found.quality_before
            self.quality_after += found.quality_after
            self.graded += 1

    @property
    def cost_change(self) -> float:
        """How much more it costs, as a share of what it cost."""
        return _change(self.cost_before, self.cost_after)

    @property
    def quality_change(self) -> float:
        """How much better it is, as a share of how good it was."""
        return _change(self.quality_before, self.quality_after)


def _change(before: float, after: float) -> float:
    if before:
        return after / before - 1
    return float("inf") if after else 0.0


Move = tuple[str | None, str | None]
"""From which model to which; ``None``: refused."""


@dataclass(slots=True)
class Difference:
    """All of it. ``moves`` has every pair of models between which decisions move, ``examples``
    the first decisions of each. ``unpriced`` counts those whose cost is not known both times,
    ``untold`` those that can't be made again, by reason."""

    total: Sum = field(default_factory=Sum)
    projects: dict[str, Sum] = field(default_factory=dict)
    tasks: dict[str, Sum] = field(default_factory=dict)
    modes: dict[str, Sum] = field(default_factory=dict)
    moves: dict[Move, Sum] = field(default_factory=dict)
    examples: dict[Move, list[Again]] = field(default_factory=dict)
    refused: int = 0
    unrefused: int = 0
    unpriced: int = 0
    untold: Counter[str] = field(default_factory=Counter)

    def add(self, found: Again, examples: int) -> None:
        """Count one more; keep it where fewer than ``examples`` of its move are kept."""
        self.total.add(found)
        for sums, key in (
            (self.projects, found.project or "(no project)"),
            (self.tasks, str(found.task)),
            (self.modes, str(found.mode)),
        ):
            sums.setdefault(key, Sum()).add(found)
        self.unpriced += found.cost_before is None or found.cost_after is None
        if not found.moved:
            return
        self.refused += found.after is None
        self.unrefused += found.before is None
        move = (found.before, found.after)
        self.moves.setdefault(move, Sum()).add(found)
        kept = self.examples.setdefault(move, [])
        if len(kept) < examples:
            kept.append(found)

    def largest_moves(self) -> list[tuple[Move, Sum]]:
        """Most decisions first."""
        return sorted(self.moves.items(), key=lambda item: (-item[1].decisions, str(item[0])))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a difference may be at most; ``None``: anything. Shares, so 0.05 is 5 %."""

    cost: float | None = None
    quality_loss: float | None = None
    refused: int | None = 0
    moved: float | None = None


def broken(found: Difference, limits: Limits) -> Iterator[str]:
    """A sentence for each limit that is broken."""
    total = found.total
    if limits.refused is not None and found.refused > limits.refused:
        yield f"{found.refused:,} decisions would be refused, at most {limits.refused:,} may be"
    if limits.cost is not None and total.cost_change > limits.cost:
        yield f"cost would change by {total.cost_change:+.1%}, at most {limits.cost:+.1%} may be"
    if limits.quality_loss is not None and -total.quality_change > limits.quality_loss:
        yield (
            f"quality would change by {total.quality_change:+.1%}, at most "
            f"{-limits.quality_loss:+.1%} may be"
        )
    share = total.moved / total.decisions if total.decisions else 0.0
    if limits.moved is not None and share > limits.moved:
        yield f"{share:.1%} of decisions would move, at most {limits.moved:.1%} may"


def as_json(found: Difference, limits: Iterable[str]) -> dict[str, object]:
    """All of it for programs."""
    return {
        "total": _sum(found.total),
        "refused": found.refused,
        "noLongerRefused": found.unrefused,
        "withoutPrice": found.unpriced,
        "untold": dict(found.untold),
        "projects": _sums(found.projects),
        "tasks": _sums(found.tasks),
        "modes": _sums(found.modes),
        "moves": [
            {
                "from": move[0],
                "to": move[1],
                **_sum(total),
                "examples": [_example(one) for one in found.examples[move]],
            }
            for move, total in found.largest_moves()
        ],
        "brokenLimits": list(limits),
    }


def _sums(sums: Mapping[str, Sum]) -> dict[str, object]:
    return {name: _sum(total) for name, total in sorted(sums.items())}


def _sum(total: Sum) -> dict[str, object]:
    graded = total.graded or 1
    return {
        "decisions": total.decisions,
        "moved": total.moved,
        "costBefore": total.cost_before,
        "costAfter": total.cost_after,
        "qualityBefore": total.quality_before / graded if total.graded else None,
        "qualityAfter": total.quality_after / graded if total.graded else None,
    }


def _example(one: Again) -> dict[str, object]:
    return {
        "decisionId": one.decision_id,
        "project": one.project,
        "task": one.task,
        "mode": one.mode,
        "costBefore": one.cost_before,
        "costAfter": one.cost_after,
        "why": one.why,
    }
