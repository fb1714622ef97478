"""Step 6 of the decision order: bounds on cost, quality and latency."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

from prism.routing.bounds import Limits
from prism.routing.catalog import Model, Task
from prism.routing.cost import cost_usd, latency_ms, usd
from prism.routing.decision import Reason, Step


def stricter(policy: Limits, request: Limits) -> Limits:
    """The bounds that hold when both must: the lower ceilings and the higher floor."""
    return Limits(
        max_cost=_pick(min, policy.max_cost, request.max_cost),
        min_quality=_pick(max, policy.min_quality, request.min_quality),
        max_latency_ms=_pick(min, policy.max_latency_ms, request.max_latency_ms),
    )


def unbounded(limits: Limits) -> bool:
    """Whether ``limits`` bound nothing."""
    return limits.max_cost is None and limits.min_quality is None and limits.max_latency_ms is None


def described(limits: Limits) -> Reason:
    """The trace's line that says which bounds hold."""
    bounds = []
    if limits.max_cost is not None:
        bounds.append(f"cost at most {usd(limits.max_cost)}")
    if limits.min_quality is not None:
        bounds.append(f"quality at least {limits.min_quality:g}")
    if limits.max_latency_ms is not None:
        bounds.append(f"latency at most {limits.max_latency_ms:g} ms")
    return Reason(Step.LIMITS, ", ".join(bounds))


def within(
    limits: Limits,
    models: Iterable[Model],
    task: Task,
    input_tokens: int,
    output_tokens: int,
    first_token_ms: Mapping[str, float],
) -> tuple[list[Model], list[Reason]]:
    """The models that keep ``limits``, in their order, and why each other one does not.
    ``first_token_ms`` is what was measured, by model, in place of the table's figures."""
    kept: list[Model] = []
    dropped: list[Reason] = []
    for model in models:
        measured = first_token_ms.get(model.name)
        text = _broken(limits, model, task, input_tokens, output_tokens, measured)
        if text is None:
            kept.append(model)
        else:
            dropped.append(Reason(Step.LIMITS, text, model.name))
    return kept, dropped


def preferred(
    limits: Limits,
    models: Sequence[Model],
    task: Task,
    input_tokens: int,
    output_tokens: int,
    conversation: str | None = None,
) -> tuple[Sequence[Model], Reason | None]:
    """``models`` in the order that the bounds ask for, and the reason where they ask.

    A quality floor says "good enough, then cheap"; a budget alone says "the best I can
    get for it"; a latency bound leaves the order alone.
    """
    if limits.min_quality is not None:
        ordered = cheapest_first(models, input_tokens, output_tokens, conversation)
        text = "cheapest that meets the quality floor first"
    elif limits.max_cost is not None:
        ordered = best_first(models, task, input_tokens, output_tokens, conversation)
        text = "best quality under the cost limit first"
    else:
        return models, None
    return ordered, Reason(Step.LIMITS, f"{text}: {', '.join(m.name for m in ordered)}")


def cheapest_first(
    models: Iterable[Model], input_tokens: int, output_tokens: int, conversation: str | None = None
) -> list[Model]:
    """By estimated cost for these tokens; then as ``ranked``, so that the order is always one."""
    return sorted(
        models,
        key=lambda m: (
            cost_usd(m.price, input_tokens, output_tokens),
            ranked(conversation, m.name),
        ),
    )


def best_first(
    models: Iterable[Model],
    task: Task,
    input_tokens: int,
    output_tokens: int,
    conversation: str | None = None,
) -> list[Model]:
    """By quality for ``task``, then the cheaper, then as ``ranked``."""
    return sorted(
        models,
        key=lambda m: (
            -m.quality[task],
            cost_usd(m.price, input_tokens, output_tokens),
            ranked(conversation, m.name),
        ),
    )


def ranked(conversation: str | None, model: str) -> str:
    """What decides between models that are equal: each conversation has an order of its own, the
    same on every replica (rendezvous hashing); without one, the name."""
    if conversation is None:
        return model
    return blake2b(f"{conversation} {model}".encode(), digest_size=8).hexdigest()


def _pick(
    choose: Callable[[float, float], float], one: float | None, other: float | None
) -> float | None:
    if one is None:
        return other
    return one if other is None else choose(one, other)


def _broken(
    limits: Limits,
    model: Model,
    task: Task,
    input_tokens: int,
    output_tokens: int,
    first_token_ms: float | None,
) -> str | None:
    if limits.max_cost is not None:
        cost = cost_usd(model.price, input_tokens, output_tokens)
        if cost > limits.max_cost:
            return f"estimated cost {usd(cost)} is over {usd(limits.max_cost)}"
    if limits.min_quality is not None and model.quality[task] < limits.min_quality:
        return f"quality {model.quality[task]:g} for {task} is below {limits.min_quality:g}"
    if limits.max_latency_ms is not None:
        latency = latency_ms(model.latency, output_tokens, first_token_ms)
        if latency > limits.max_latency_ms:
            how = "estimated" if first_token_ms is None else "measured"
            return f"{how} latency {latency:.0f} ms is over {limits.max_latency_ms:g} ms"
    return None
