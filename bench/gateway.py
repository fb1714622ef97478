"""``make bench``: what Prism adds to a request, beside Envoy alone and a do-nothing ext_proc.

One load generator, one upstream, three gateways, all on this machine, in interleaved rounds.
How to read the result is in ``docs/benchmarks.md``. Ctrl-C ends every process.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import gateways
import report
import uvloop
from figures import flat
from gateways import NotStarted
from load import BadAnswer
from measuring import DEFAULT, QUICK, Measuring, rss_mib

_ROOT = Path(__file__).parent.parent


def main() -> None:
    """Measure, show and store."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = QUICK if arguments.quick else DEFAULT
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            _say("starting an upstream, Envoy alone, Envoy with a do-nothing ext_proc, Prism")
            running = gateways.start(folder, stack)
            slots = uvloop.run(Measuring(running, plan, _say).run())
            rss = rss_mib(running)
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was stored")
    except (BadAnswer, NotStarted) as error:
        sys.exit(f"error: {error}")
    figures = flat(slots, rss)
    print(report.text(slots, figures))
    report.store(arguments.output, report.detail(slots, plan, figures))
    print(f"\nStored in {arguments.output}/bench.json and bench-detail.json")
    if arguments.write_docs:
        report.write_docs(_ROOT / "docs" / "benchmarks.md", slots, figures)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, less exact")
    parser.add_argument(
        "--write-docs", action="store_true", help="put the table into docs/benchmarks.md"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/bench"),
        help="folder for the JSON files (default: %(default)s)",
    )
    return parser.parse_args()


_STARTED = time.monotonic()


def _say(line: str) -> None:
    print(f"{time.monotonic() - _STARTED:5.0f} s  {line}", flush=True)


if __name__ == "__main__":
    main()
