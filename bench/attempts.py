"""``make bench-attempts``: what racing gains and costs, on providers with a heavy tail.

Two simulated providers, one gateway, two modes in turn: one model alone, and the same model
raced by the other provider after its measured p95. Ctrl-C ends every process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import aiohttp
import yaml
from gateways import NotStarted, Process, free_port
from load import BadAnswer

from prism.providers import Fault, FaultKind, ModelTiming, ProviderSpec, SimulatedProviders

TIMING = ModelTiming(time_to_first_token_ms=200, tokens_per_second=200, jitter=0.5)
TAIL = Fault(kind=FaultKind.DELAY, delay_ms=3000, probability=0.03)
"""Three requests of a hundred hang for three seconds: a full queue, a machine that restarts."""
PROVIDERS = ("alpha", "beta")
INPUT, OUTPUT = 1.0, 4.0
"""US dollars per million tokens, at either provider: only the ratio counts."""
ALONE, RACED = "balanced", "sport"
QUESTION = "Summarise the following report in three sentences. " + "All is well so far. " * 40


@dataclass(slots=True)
class Mode:
    """What requests of one mode took and cost."""

    first_ms: list[float] = field(default_factory=list)
    requests: int = 0
    attempts: int = 0
    usd: float = 0.0

    def percentile(self, number: int) -> float:
        """Milliseconds to the first byte of the answer's body."""
        return quantiles(self.first_ms, n=100, method="inclusive")[number - 1]


class Bench:
    """One gateway before simulated providers that this process runs."""

    def __init__(self, providers: SimulatedProviders, url: str, batch: int) -> None:
        self._providers = providers
        self._url = url
        self._batch = batch
        self.modes = {ALONE: Mode(), RACED: Mode()}

    async def run(self, rounds: int) -> None:
        """Learn the p95 first, then each mode in turn."""
        async with aiohttp.ClientSession() as client:
            await self._requests(client, ALONE, Mode())
            for number in range(1, rounds + 1):
                for name, mode in self.modes.items():
                    await self._requests(client, name, mode)
                print(f"round {number} of {rounds}: {_line(self.modes)}", flush=True)

    async def _requests(self, client: aiohttp.ClientSession, name: str, mode: Mode) -> None:
        """One batch, 16 requests at a time."""
        self._providers.reset()
        for provider in PROVIDERS:
            self._providers.fault(provider, TAIL)
        turn = asyncio.Semaphore(16)
        await asyncio.gather(*(self._request(client, name, mode, turn) for _ in range(self._batch)))
        got = self._providers.requests
        await self._providers.until(lambda: all(r.finished_at is not None for r in got))
        mode.requests += self._batch
        mode.attempts += len(got)

    async def _request(
        self, client: aiohttp.ClientSession, name: str, mode: Mode, turn: asyncio.Semaphore
    ) -> None:
        body = {
            "model": "auto",
            "messages": [{"role": "user", "content": QUESTION}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async with turn:
            began = time.perf_counter()
            url, headers = f"{self._url}/v1/chat/completions", {"x-prism-mode": name}
            async with client.post(url, json=body, headers=headers) as answer:
                first = await answer.content.readany()
                mode.first_ms.append((time.perf_counter() - began) * 1000)
                rest = await answer.content.read()
        if answer.status != 200 or not (text := first + rest).rstrip().endswith(b"[DONE]"):
            raise BadAnswer(f"{answer.status}: {(first + rest)[:300]!r}")
        usage = json.loads(text.split(b"data: ")[-2])["usage"]
        asked, written = usage["prompt_tokens"] * INPUT, usage["completion_tokens"] * OUTPUT
        # A loser is cancelled before it has sent anything: it has read the prompt.
        losers = int(answer.headers["x-prism-attempts"]) - 1
        mode.usd += (asked * (1 + losers) + written) / 1e6


def figures(modes: dict[str, Mode]) -> dict[str, float]:
    """What issue trackers and graphs take: one flat object."""
    alone, raced = modes[ALONE], modes[RACED]
    return {
        "race_p99_ttft_cut": round(1 - raced.percentile(99) / alone.percentile(99), 4),
        "race_cost_ratio": round((raced.usd / raced.requests) / (alone.usd / alone.requests), 4),
        "race_attempts_per_request": round(raced.attempts / raced.requests, 4),
        **{
            f"{name}_p{number}_ttft_ms": round(mode.percentile(number), 1)
            for name, mode in (("alone", alone), ("raced", raced))
            for number in (50, 95, 99)
        },
        "requests": alone.requests + raced.requests,
    }


def _line(modes: dict[str, Mode]) -> str:
    return ", ".join(
        f"{name} p50 {mode.percentile(50):.0f} p99 {mode.percentile(99):.0f} ms"
        for name, mode in modes.items()
    )


def _configuration(providers: SimulatedProviders) -> str:
    tasks = ("simple", "code", "reasoning", "complex")
    cells = {ALONE: ["a"], "eco": ["a"], RACED: ["a", "b"]}
    models = [
        {
            "name": provider[0],
            "provider": provider,
            "price": {"inputPerMillion": INPUT, "outputPerMillion": OUTPUT},
            "quality": dict.fromkeys(tasks, 0.7),
            "latency": {"timeToFirstTokenMs": 200, "tokensPerSecond": 200},
            "contextLength": 100_000,
        }
        for provider in PROVIDERS
    ]
    spec = {
        "providers": [
            {"name": name, "baseURL": providers.url(name), "region": "eu"} for name in PROVIDERS
        ],
        "models": models,
        "cells": dict.fromkeys(tasks, cells),
        "retry": {"maxAttempts": 2, "attemptTimeout": "30s"},
        "racing": {"modes": [RACED], "wait": "P95", "maxShare": 1},
    }
    kind = {"apiVersion": "routing.prism.dev/v1alpha1", "kind": "RoutingTable"}
    return yaml.safe_dump({**kind, "metadata": {"name": "default"}, "spec": spec})


def _gateway(folder: Path, stack: ExitStack, documents: str) -> str:
    """Start Prism with these documents; gives its URL."""
    (folder / "config").mkdir()
    (folder / "config" / "bench.yaml").write_text(documents, "utf-8")
    port = free_port()
    command = [sys.executable, "-m", "prism", "run", "--config", str(folder / "config")]
    command += ["--listen", f"127.0.0.1:{port}", "--state", str(folder / "state")]
    command += ["--admin", f"127.0.0.1:{free_port()}", "--concurrency", "1", "--drain", "1"]
    prism = Process(folder, "prism", [*command, "--log-level", "warning"], os.environ)
    stack.callback(prism.stop)
    prism.wait_for(port)
    return f"http://127.0.0.1:{port}"


async def measure(rounds: int, batch: int) -> dict[str, Mode]:
    """Start everything, measure, and end it; raises ``BadAnswer`` and ``NotStarted``."""
    specs = [ProviderSpec(name=name, timing=TIMING) for name in PROVIDERS]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        async with SimulatedProviders(specs) as providers:
            # Starting blocks, which no provider minds yet.
            bench = Bench(providers, _gateway(folder, stack, _configuration(providers)), batch)
            await bench.run(rounds)
    return bench.modes


def main() -> None:
    """Measure, show and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, less exact")
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    arguments = parser.parse_args()
    try:
        found = figures(asyncio.run(measure(*((2, 150) if arguments.quick else (10, 200)))))
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was stored")
    except (BadAnswer, NotStarted) as error:
        sys.exit(f"error: {error}")
    text = json.dumps(found, indent=2)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "bench-attempts.json").write_text(text + "\n", "utf-8")
    print(f"{text}\n\nStored in {arguments.output}/bench-attempts.json")


if __name__ == "__main__":
    main()
