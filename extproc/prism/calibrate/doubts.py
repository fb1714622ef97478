"""What a calibration cannot conclude from its data, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from prism.calibrate.build import Calibrated
from prism.calibrate.choose import Choice, Point, measured_enough
from prism.routing.catalog import TASKS, Mode, Task

_NEAR = 0.015
"""How far below a mode's floor (share of the best quality) a cheaper model is worth naming."""
_DISAGREE = 3.0
"""How many times dearer than expected a source's measured cost must be to be named."""


def doubts(found: Calibrated) -> list[str]:
    """Every sentence, those about everything first."""
    return [
        *_general(found),
        *_predicted(found),
        *_unmeasured(found),
        *_cells(found),
        *_spent(found),
        *_prices(found),
    ]


def _general(found: Calibrated) -> Iterator[str]:
    samples = [s for m in found.measured.values() for s in m.samples.values()]
    if any(sample.count is None for sample in samples):
        yield (
            "The source publishes means without saying of how many answers: there are no "
            "confidence intervals, and differences of a few points may be chance."
        )
    tokens = ", ".join(f"{task} {found.settings.input_tokens.of(task)}" for task in TASKS)
    if any(not m.cost for m in found.measured.values()):
        yield (
            "Cost was not measured by task: models are compared by list price at one length of "
            f"prompt ({tokens} tokens) and answer. Models that think at length before they answer "
            "cost more than that; caches make long conversations cheaper."
        )


def _predicted(found: Calibrated) -> Iterator[str]:
    worth = found.predicted
    if worth is None:
        return
    modes = ", ".join(
        f"{mode} {_share_of(value.quality, worth.single.quality)} of the best model's quality at "
        f"{_share_of(value.cost, worth.single.cost)} of its cost"
        for mode, value in worth.by_mode.items()
    )
    yield (
        f"The predictor, by cross-validation over {worth.prompts:,} prompts: {modes}. Prompts of a "
        "kind that the outcomes do not have are predicted worse than that."
    )
    if not worth.pays:
        yield (
            "The predictor is neither better than the table without it for the same cost nor much "
            "cheaper for the same quality: leave --predict out."
        )


def _share_of(part: float, whole: float) -> str:
    """``part`` of ``whole`` in percent; of nothing it is all."""
    return f"{part / whole if whole else 1.0:.0%}"


def _unmeasured(found: Calibrated) -> Iterator[str]:
    least = found.settings.min_samples
    for task in TASKS:
        points = found.points[task]
        none = [p.model for p in points if p.quality.mean is None]
        few = [
            f"{p.model} ({p.quality.count} answers)"
            for p in points
            if p.quality.mean is not None and not _enough(found, p)
        ]
        if len(none) == len(points):
            yield f"Nothing was measured at {task}: its cells follow from the other tasks."
        elif len(none) + len(few) == len(points):
            yield (
                f"No model has {least} answers at {task}: its cells are chosen from few "
                f"({_names(few)}), and from the other tasks."
            )
        else:
            if none:
                yield f"{_names(none)}: not measured at {task}, so not chosen for it."
            if few:
                yield f"{_names(few)}: under {least} answers at {task}, so not chosen for it."


def _cells(found: Calibrated) -> Iterator[str]:
    for choice in found.choices:
        points = {point.model: point for point in found.points[choice.task]}
        chosen = points[choice.names[0]]
        where = f"{choice.task}, {choice.mode}"
        low = chosen.quality.low
        if low is not None and low < choice.floor and choice.mode is not Mode.SPORT:
            yield (
                f"{where}: {chosen.model} is at {chosen.quality.value:.3f}, but may be as low as "
                f"{low:.3f}, which is below the floor of {choice.floor:.3f}."
            )
        if missed := _near_miss(found, choice, chosen):
            short = (choice.floor - missed.quality.value) * 100
            yield (
                f"{where}: {missed.model} costs {missed.cost / chosen.cost:.0%} of {chosen.model} "
                f"and misses the floor by {short:.1f} points of 100."
            )


def _near_miss(found: Calibrated, choice: Choice, chosen: Point) -> Point | None:
    """The cheapest model that chance alone may keep out."""
    if choice.mode is Mode.SPORT:
        return None
    near = []
    for point in found.points[choice.task]:
        value, high = point.quality.value, point.quality.high
        reach = value + _NEAR * _best(found, choice.task) if high is None else high
        if value < choice.floor <= reach and point.cost < chosen.cost and _enough(found, point):
            near.append(point)
    return min(near, key=lambda point: (point.cost, point.model), default=None)


def _best(found: Calibrated, task: Task) -> float:
    return max(point.quality.value for point in found.points[task])


def _enough(found: Calibrated, point: Point) -> bool:
    return measured_enough(point.quality, found.settings)


def _spent(found: Calibrated) -> Iterator[str]:
    """Models that a source paid far more for than prices let expect, beside the others."""
    ratios = {}
    for name, measured in found.measured.items():
        if measured.spent and name in found.table.models:
            expected = sum(p.cost for task in TASKS for p in found.points[task] if p.model == name)
            if expected:
                ratios[name] = measured.spent / expected
    if len(ratios) < 3:
        return
    usual = sorted(ratios.values())[len(ratios) // 2]
    dear = [
        f"{name} ({ratio / usual:.0f} times)"
        for name, ratio in sorted(ratios.items(), key=lambda pair: -pair[1])
        if ratio > _DISAGREE * usual
    ]
    if dear:
        yield (
            f"Paid at a source's own tasks was far more than list prices let expect, next to the "
            f"median model, by {_names(dear)}: hidden thinking is paid for, so their cells may be "
            "dearer than the table says."
        )


def _prices(found: Calibrated) -> Iterator[str]:
    for name, listed in found.prices.items():
        other = found.measured[name].price
        if other is not None and other is not listed:
            ours, theirs = listed.price, other.price
            if (ours.input, ours.output) != (theirs.input, theirs.output):
                yield (
                    f"{name}: {listed.origin.source} says {ours.input:g} in, {ours.output:g} out; "
                    f"{other.origin.source} says {theirs.input:g} and {theirs.output:g}. "
                    "The first is used."
                )


def _names(names: list[str]) -> str:
    return ", ".join(names)
