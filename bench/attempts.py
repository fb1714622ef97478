"""``make bench-attempts``: what races and failovers gain and cost.

One gateway before simulated providers, in parts: racing against a heavy tail, one provider of
two down, failover, a burst of errors, and what it costs that there could be further attempts.
What is compared takes turns. How to read the result is in ``docs/benchmarks.md``. Ctrl-C ends
every process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import attempts_failing
import attempts_racing
import attempts_report
import attempts_stage
import envoys
from attempts_client import Client
from attempts_documents import PARTS, documents
from gateways import NotStarted, Process, envoy_command, free_port, prism_ready
from load import BadAnswer

from prism.providers import ProviderSpec, SimulatedProviders

_ROOT = Path(__file__).parent.parent
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rounds of how many requests each part has."""

    racing: tuple[int, int]
    down: tuple[int, int]
    failovers: int
    burst: tuple[int, int]
    stage: tuple[int, float]
    """Rounds, and seconds of a slot."""


DEFAULT = Plan(racing=(8, 200), down=(6, 400), failovers=150, burst=(4, 300), stage=(16, 0.8))
QUICK = Plan(racing=(2, 150), down=(3, 100), failovers=30, burst=(1, 200), stage=(4, 0.5))


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the gateway, its admin endpoints, and Envoy without Prism listen."""

    prism: int
    admin: int
    plain: int


def start(folder: Path, stack: ExitStack, providers: SimulatedProviders) -> Ports:
    """Start the upstream, Envoy alone, and Prism before everything."""
    upstream, ports = free_port(), Ports(free_port(), free_port(), free_port())
    for name, port, made in (
        ("upstream", upstream, envoys.upstream(upstream)),
        ("plain", ports.plain, envoys.plain(ports.plain, upstream)),
    ):
        envoy = Process(folder, name, envoy_command(folder, name, made))
        stack.callback(envoy.stop)
        envoy.wait_for(port)
    urls = {name: providers.url(name) for name in providers.specs}
    (folder / "config").mkdir()
    text = documents(urls, f"http://127.0.0.1:{upstream}/v1")
    (folder / "config" / "bench.yaml").write_text(text, "utf-8")
    command = [sys.executable, "-m", "prism", "run", "--config", str(folder / "config")]
    command += ["--listen", f"127.0.0.1:{ports.prism}", "--admin", f"127.0.0.1:{ports.admin}"]
    command += ["--state", str(folder / "state"), "--concurrency", "1", "--drain", "1"]
    prism = Process(folder, "prism", [*command, "--log-level", "warning"], os.environ)
    stack.callback(prism.stop)
    prism.wait_until(lambda: prism_ready(ports.admin, ports.prism))
    return ports


async def measure(plan: Plan, names: Iterable[str]) -> Figures:
    """Start everything, measure these parts, and end it.

    Raises:
        BadAnswer: a request failed where none should.
        NotStarted: a process did not come up.
    """
    specs = [
        ProviderSpec(name=name, timing=part.timing) for part in PARTS for name in part.providers
    ]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        async with SimulatedProviders(specs) as providers:
            _say("starting an upstream, Envoy alone, and Prism")
            # Starting blocks, which no provider minds yet.
            ports = start(folder, stack, providers)
            async with aiohttp.ClientSession() as session:
                client = Client(session, ports.prism, ports.admin)
                found: dict[str, float] = {}
                for name in names:
                    found |= await _MEASURE[name](client, providers, plan, ports)
                return found


async def _racing(client: Client, providers: SimulatedProviders, plan: Plan, _: Ports) -> Figures:
    return await attempts_racing.measure(client, providers, _say, *plan.racing)


async def _down(client: Client, providers: SimulatedProviders, plan: Plan, _: Ports) -> Figures:
    return await attempts_failing.one_down(client, providers, _say, *plan.down)


async def _failover(client: Client, providers: SimulatedProviders, plan: Plan, _: Ports) -> Figures:
    return await attempts_failing.failover(client, providers, _say, plan.failovers)


async def _burst(client: Client, providers: SimulatedProviders, plan: Plan, _: Ports) -> Figures:
    return await attempts_failing.burst(client, providers, _say, *plan.burst)


async def _stage(client: Client, _: SimulatedProviders, plan: Plan, ports: Ports) -> Figures:
    return await attempts_stage.measure(
        client, _say, *plan.stage, plain_port=ports.plain, prism_port=ports.prism
    )


_MEASURE = {
    "racing": _racing,
    "down": _down,
    "failover": _failover,
    "burst": _burst,
    "stage": _stage,
}
"""The parts, by the name that ``--only`` takes."""


_STARTED = time.monotonic()


def _say(line: str) -> None:
    print(f"{time.monotonic() - _STARTED:5.0f} s  {line}", flush=True)


def main() -> None:
    """Measure, show and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, less exact")
    parser.add_argument(
        "--write-docs", action="store_true", help="put the result into docs/benchmarks.md"
    )
    parser.add_argument(
        "--only", choices=_MEASURE, action="append", help="measure this part; shown, not stored"
    )
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    arguments = parser.parse_args()
    if arguments.write_docs and (arguments.quick or arguments.only):
        parser.error("--write-docs is for a whole run: neither --quick nor --only")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        plan = QUICK if arguments.quick else DEFAULT
        measured = asyncio.run(measure(plan, arguments.only or _MEASURE))
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was stored")
    except (BadAnswer, NotStarted) as error:
        sys.exit(f"error: {error}")
    figures = {name: round(value, 4) for name, value in measured.items()}
    print("\n" + "\n".join(attempts_report.lines(figures)))
    if arguments.only:
        return
    attempts_report.store(arguments.output, figures)
    print(f"\nStored in {arguments.output}/bench-attempts.json")
    if arguments.write_docs:
        attempts_report.write_docs(_ROOT / "docs" / "benchmarks.md", figures)


if __name__ == "__main__":
    main()
