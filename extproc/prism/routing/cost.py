"""The one place that multiplies tokens by price, and tokens by speed.

Decisions, the ledger, the benchmark and the savings report all call these functions, so
a dollar means the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from prism.routing.catalog import Latency, Model, Price, Table, Task
from prism.routing.decision import Estimate

UNMEASURED: Mapping[str, float] = MappingProxyType({})
"""Milliseconds to the first token, by model, where none was measured."""
_PER_MILLION = 1_000_000


def cost_usd(
    price: Price,
    input_tokens: int,
    output_tokens: int,
    cached_input_tokens: int = 0,
    cache_write_tokens: int = 0,
) -> float:
    """US dollars for one request.

    ``cached_input_tokens`` are part of ``input_tokens``, as in OpenAI's
    ``usage.prompt_tokens_details.cached_tokens``, and so are ``cache_write_tokens``, which the
    provider put into its cache; more than all of them counts as all.
    """
    cached = min(cached_input_tokens, input_tokens)
    written = min(cache_write_tokens, input_tokens - cached)
    return (
        (input_tokens - cached - written) * price.input
        + cached * price.cached_input
        + written * price.cache_write
        + output_tokens * price.output
    ) / _PER_MILLION


def latency_ms(latency: Latency, output_tokens: int, first_token_ms: float | None = None) -> float:
    """Milliseconds from the request to the last of ``output_tokens``; ``first_token_ms`` is
    what was measured until the first one, in place of the table's figure."""
    first = latency.time_to_first_token_ms if first_token_ms is None else first_token_ms
    return first + output_tokens * 1000 / latency.tokens_per_second


def expected_output(table: Table, task: Task, max_output_tokens: int | None) -> int:
    """Tokens that the answer to ``task`` tends to need, at most the caller's ceiling."""
    expected = table.expected_output_tokens[task]
    return expected if max_output_tokens is None else min(expected, max_output_tokens)


def estimate(
    model: Model,
    input_tokens: int,
    output_tokens: int,
    first_token_ms: Mapping[str, float] = UNMEASURED,
) -> Estimate:
    """What ``model`` is expected to cost and take, without any cached input.

    Whether a prompt is in the provider's cache is not known beforehand, so the estimate
    is the dearer case.
    """
    return Estimate(
        input_tokens,
        output_tokens,
        cost_usd(model.price, input_tokens, output_tokens),
        latency_ms(model.latency, output_tokens, first_token_ms.get(model.name)),
    )


def usd(amount: float) -> str:
    """``amount`` for people: ``$0.0125``, to the hundred-millionth of a dollar."""
    text = f"{amount:.8f}".rstrip("0").rstrip(".")
    return f"${text}"
