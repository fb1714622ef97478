"""``make bench-telemetry``: what telemetry adds to Prism's own time, with 10 % sampling.

Envoy alone, Prism without a collector and Prism with one get the same load in interleaved
rounds. Prism's own time is what it adds to Envoy alone; ``telemetry_overhead`` is the share by
which telemetry makes that longer. Ctrl-C ends every process.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import gateways
import telemetry_report
import uvloop
from figures import HEADLINE_SIZE, Slot, cells, quantile
from gateways import NotStarted, Process
from load import BadAnswer
from measuring import Measuring, Plan
from prompts import DIGITS, last_turns
from report import machine
from telemetry_report import CONCURRENCIES

from prism.classify import Classifier

SAMPLING = 0.1
DEFAULT = Plan(rounds=40, headline_s=0.8, other_s=0, warm_up_s=3)
"""Short rounds and many: whatever else the machine does, it does to all three of a round."""
QUICK = Plan(rounds=8, headline_s=0.5, other_s=0, warm_up_s=1)
_HERE = Path(__file__).parent
_VARIABLES = {
    "OTEL_TRACES_SAMPLER": "traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": str(SAMPLING),
    "OTEL_METRIC_EXPORT_INTERVAL": "5000",
}


def main() -> None:
    """Measure, show and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, less exact")
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    parser.add_argument(
        "--write-docs", action="store_true", help="put the result into docs/benchmarks.md"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = QUICK if arguments.quick else DEFAULT
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            port = gateways.free_port()
            command = [sys.executable, str(_HERE / "collector.py"), str(port)]
            collector = Process(folder, "collector", command)
            stack.callback(collector.stop)
            collector.wait_for(port)
            running = gateways.start_told(folder, stack, port, _VARIABLES)
            measuring = Measuring(running, plan, print, decided_by_words())
            slots = uvloop.run(_measure(measuring, plan))
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was stored")
    except (BadAnswer, NotStarted) as error:
        sys.exit(f"error: {error}")
    figures = figures_of(slots)
    print("\n".join(f"{name:44} {value:10.4f}" for name, value in figures.items()))
    print(telemetry_report.verdict(figures))
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, value in (("", figures), ("-detail", {"machine": machine(), "figures": figures})):
        path = arguments.output / f"bench-telemetry{name}.json"
        path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
    if arguments.write_docs:
        telemetry_report.write_docs(_HERE.parent / "docs" / "benchmarks.md", figures, plan.rounds)


def decided_by_words() -> list[str]:
    """The last turns that get no second look. Of the others, the faster gateway leaves more out
    (``serve.classifying``), which would be measured in place of telemetry."""
    turns = last_turns()
    looked = Classifier().first([f"{turn} (ticket {0:0{DIGITS}})" for turn in turns])
    return [turn for turn, (_, sure) in zip(turns, looked, strict=True) if sure]


async def _measure(measuring: Measuring, plan: Plan) -> list[Slot]:
    await measuring.warm_up()
    slots: list[Slot] = []
    for number in range(1, plan.rounds + 1):
        for concurrency in CONCURRENCIES:
            slots += await measuring.compare(number, HEADLINE_SIZE, concurrency)
    return slots


def figures_of(slots: Sequence[Slot]) -> dict[str, float]:
    """Every figure by its name; times in ms to the median answer, processor time in µs."""
    found = cells(slots)
    figures: dict[str, float] = {}
    for concurrency in CONCURRENCIES:
        envoy, prism, told = (
            found[name, HEADLINE_SIZE, concurrency] for name in ("envoy", "prism", "told")
        )
        own, with_it = (cell.quantiles["p50"] - envoy.quantiles["p50"] for cell in (prism, told))
        where = f"c{concurrency}"
        figures[f"own_p50_ms_{where}"] = own
        figures[f"told_own_p50_ms_{where}"] = with_it
        figures[f"telemetry_overhead_p50_{where}"] = with_it / own - 1
        rounds = _overheads(slots, concurrency)
        for name, share in (("lower", 0.25), ("upper", 0.75)):
            figures[f"telemetry_overhead_p50_{where}_{name}_quartile"] = quantile(rounds, share)
        for part in ("python", "envoy"):
            figures[f"{part}_cpu_us_{where}"] = prism.cpu_us[part]
            figures[f"told_{part}_cpu_us_{where}"] = told.cpu_us[part]
        figures[f"telemetry_overhead_cpu_{where}"] = (
            told.cpu_us["python"] / prism.cpu_us["python"] - 1
        )
    return {"telemetry_overhead": figures["telemetry_overhead_p50_c1"], **figures}


def _overheads(slots: Sequence[Slot], concurrency: int) -> list[float]:
    """That of each round by itself, sorted: how sure the whole is."""
    medians: dict[int, dict[str, float]] = {}
    for slot in slots:
        if slot.concurrency == concurrency:
            middle = quantile(sorted(slot.latencies), 0.5)
            medians.setdefault(slot.round, {})[slot.gateway] = middle
    return sorted(
        (of["told"] - of["envoy"]) / (of["prism"] - of["envoy"]) - 1 for of in medians.values()
    )


if __name__ == "__main__":
    main()
