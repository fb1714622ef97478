"""What racing gains and costs: one model alone, and raced by the other provider after its p95."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import quantiles

from attempts_client import Client, all_good
from attempts_documents import ALONE, INPUT, OUTPUT, RACED, RACING

from prism.providers import Fault, FaultKind, SimulatedProviders

TAIL = Fault(kind=FaultKind.DELAY, delay_ms=3000, probability=0.03)
"""Three requests of a hundred hang for three seconds: a full queue, a machine that restarts."""


@dataclass(slots=True)
class Mode:
    """What requests of one mode took and cost."""

    first_ms: list[float] = field(default_factory=list)
    attempts: int = 0
    usd: float = 0.0

    def percentile(self, number: int) -> float:
        """Milliseconds to the first byte of the answer's body."""
        return quantiles(self.first_ms, n=100, method="inclusive")[number - 1]

    @property
    def each_usd(self) -> float:
        """US dollars for a request."""
        return self.usd / len(self.first_ms)


async def measure(
    client: Client,
    providers: SimulatedProviders,
    say: Callable[[str], None],
    rounds: int,
    batch: int,
) -> dict[str, float]:
    """Learn the p95 first, then each mode in turn."""
    modes = {ALONE: Mode(), RACED: Mode()}
    await _batch(client, providers, ALONE, Mode(), batch)
    for number in range(1, rounds + 1):
        for name, mode in modes.items():
            await _batch(client, providers, name, mode, batch)
        shown = ", ".join(
            f"{name} p50 {mode.percentile(50):.0f} p99 {mode.percentile(99):.0f} ms"
            for name, mode in (("alone", modes[ALONE]), ("raced", modes[RACED]))
        )
        say(f"racing, round {number} of {rounds}: {shown}")
    return _figures(modes[ALONE], modes[RACED])


async def _batch(
    client: Client, providers: SimulatedProviders, name: str, mode: Mode, batch: int
) -> None:
    providers.reset()
    for provider in RACING.providers:
        providers.fault(provider, TAIL)
    for answer in all_good(await client.ask_many(RACING, batch, name)):
        mode.first_ms.append(answer.first_ms)
        asked = answer.usage["prompt_tokens"] * INPUT
        written = answer.usage["completion_tokens"] * OUTPUT
        # A loser is cancelled before it has sent anything: it has read the prompt.
        mode.usd += (asked * answer.attempts + written) / 1e6
    got = providers.requests
    await providers.until(lambda: all(r.finished_at is not None for r in got), timeout_s=30)
    mode.attempts += len(got)


def _figures(alone: Mode, raced: Mode) -> dict[str, float]:
    return {
        "race_p99_ttft_cut": 1 - raced.percentile(99) / alone.percentile(99),
        "race_cost_ratio": raced.each_usd / alone.each_usd,
        "race_attempts_per_request": raced.attempts / len(raced.first_ms),
        **{
            f"{name}_p{number}_ttft_ms": mode.percentile(number)
            for name, mode in (("alone", alone), ("raced", raced))
            for number in (50, 95, 99)
        },
    }
