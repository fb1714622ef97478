"""What providers that fail cost: one of two is down, one fails now and then, all fail at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import cycle, islice
from statistics import median, quantiles

from attempts_client import Answered, Client, all_good
from attempts_documents import BURST, DOWN, FAILOVER, Part
from load import BadAnswer

from prism.providers import Fault, FaultKind, SimulatedProviders

Say = Callable[[str], None]
WAYS_DOWN = (
    Fault(kind=FaultKind.STATUS, status=503),
    Fault(kind=FaultKind.RESET),
    Fault(kind=FaultKind.HANG),
)
"""A provider is down in one of these ways, in turn."""
WAYS_TO_FAIL = (
    Fault(kind=FaultKind.STATUS, status=503, delay_ms=50, times=1),
    Fault(kind=FaultKind.STATUS, status=429, times=1),
    Fault(kind=FaultKind.RESET, delay_ms=20, times=1),
)
BETWEEN = 3
"""Good answers for each failure, so that the model stays well."""
ERRORS = 0.3
"""Share of requests that fail in the burst, at each provider."""
_LEARNED_S = 20.0
_LOOK_S = 0.01


async def one_down(
    client: Client, providers: SimulatedProviders, say: Say, rounds: int, batch: int
) -> dict[str, float]:
    """Both up and one down in turn. Success counts from the first request to a provider that
    is down, the median from when the model is known to fail."""
    provider, model = DOWN.providers[0], DOWN.models[0]
    up: list[Answered] = []
    down: list[Answered] = []
    learned: list[Answered] = []
    for number, fault in enumerate(islice(cycle(WAYS_DOWN), rounds), 1):
        providers.reset()
        await _healed(client, DOWN)
        up += all_good(await client.ask_many(DOWN, batch))
        providers.fault(provider, fault)
        while model not in (await client.status())["failingModels"]:
            down += await client.ask_many(DOWN, 16)
        since = await client.ask_many(DOWN, batch)
        down, learned = down + since, learned + since
        good = sum(answer.good for answer in down) / len(down)
        ratio = _p50(learned) / _p50(up)
        say(f"one of two down ({fault.kind}), round {number} of {rounds}: "
            f"{good:.2%} good of {len(down)}, p50 {ratio:.3f} of that with both up")  # fmt: skip
    providers.reset()
    return {
        "success_one_down": sum(answer.good for answer in down) / len(down),
        "requests_one_down": len(down),
        "p50_one_down_ratio": _p50(learned) / _p50(up),
        "p50_both_up_ttft_ms": _p50(up),
        "p50_one_down_ttft_ms": _p50(learned),
    }


async def _healed(client: Client, part: Part) -> None:
    """Ask for a part's first model by name until it is known to be well. Failures that lie far
    apart where there is more to do must not be taken for a row."""
    model = part.models[0]
    async with asyncio.timeout(_LEARNED_S):
        while model in (await client.status())["failuresInARow"]:
            await client.ask(part, model=model)


async def _known_to_have_failed(client: Client, part: Part) -> None:
    """Wait for the news of a failure, which comes up to 0.2 s later: three of them that came
    together would be a row, whatever went well between them."""
    model = part.models[0]
    async with asyncio.timeout(_LEARNED_S):
        # Prism says it only to those who ask.
        while model not in (await client.status())["failuresInARow"]:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)


async def failover(
    client: Client, providers: SimulatedProviders, say: Say, times: int
) -> dict[str, float]:
    """One request at a time: what the client waits beyond what the providers took."""
    direct: list[float] = []
    over: list[float] = []
    for number, fault in enumerate(islice(cycle(WAYS_TO_FAIL), times), 1):
        providers.reset()
        direct += [await _beyond(client, providers, 1) for _ in range(BETWEEN)]
        await _healed(client, FAILOVER)
        providers.fault(FAILOVER.providers[0], fault)
        over.append(await _beyond(client, providers, 2))
        await _known_to_have_failed(client, FAILOVER)
        if number % 30 == 0:
            say(f"failover, {number} of {times}: adds {median(over):.1f} ms, "
                f"a request without one {median(direct):.1f} ms")  # fmt: skip
    providers.reset()
    return {
        "failover_added_ms": median(over),
        "failover_added_p95_ms": quantiles(over, n=20, method="inclusive")[-1],
        "no_failover_added_ms": median(direct),
    }


async def _beyond(client: Client, providers: SimulatedProviders, attempts: int) -> float:
    """Milliseconds of a request in which no provider was at work."""
    before = len(providers.requests)
    answer = await client.ask(FAILOVER)
    asked = providers.requests[before:]
    await providers.until(lambda: all(r.finished_at is not None for r in asked))
    if not answer.good or answer.attempts != len(asked) or len(asked) != attempts:
        raise BadAnswer(f"{attempts} attempts should give a good answer, not {answer}")
    took = sum((request.finished_at or 0.0) - request.started_at for request in asked)
    return answer.total_ms - took * 1000


async def burst(
    client: Client, providers: SimulatedProviders, say: Say, rounds: int, batch: int
) -> dict[str, float]:
    """Every provider fails a share of its requests; what they get is counted by them."""
    answers: list[Answered] = []
    attempts = 0
    for number in range(1, rounds + 1):
        providers.reset()
        fault = Fault(kind=FaultKind.STATUS, status=503, probability=ERRORS)
        for provider in BURST.providers:
            providers.fault(provider, fault)
        answers += await client.ask_many(BURST, batch, together=32)
        attempts += len(providers.requests)
        good = sum(answer.good for answer in answers) / len(answers)
        say(f"burst, round {number} of {rounds}: {attempts / len(answers):.3f} attempts per "
            f"request, {good:.1%} good")  # fmt: skip
    providers.reset()
    return {
        "attempts_per_request_burst": attempts / len(answers),
        "success_burst": sum(answer.good for answer in answers) / len(answers),
    }


def _p50(answers: list[Answered]) -> float:
    return median(answer.first_ms for answer in answers if answer.good)
