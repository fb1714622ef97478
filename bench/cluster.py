"""``make bench-cluster``: how soon a change is live, on a real API server with real Envoys.

The chart's objects are applied; its pods (two operators, three gateways) are processes of this
machine. How to read the result is in ``docs/benchmarks.md``. Ctrl-C ends every process.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import cluster_documents
import cluster_report
import envoys
import uvloop
from cluster_measuring import DEFAULT, ONLY_MANY, QUICK, Measuring, Plan, Result, figures
from cluster_requests import NeverLive, Replicas
from gateways import NotStarted, Process, envoy_command, free_port
from tests.cluster.kube import cluster
from tests.cluster.kube_tools import ToolMissing
from tests.cluster.release import Release
from tests.gateway.running import until

_ROOT = Path(__file__).parent.parent
_GATEWAYS, _OPERATORS = 3, 2


def main() -> None:
    """Measure, show and store."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = QUICK if arguments.quick else ONLY_MANY if arguments.only_many else DEFAULT
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bc-")))
            release, port = _start(folder, stack)
            result = uvloop.run(_measure(release, port, plan))
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was stored")
    except (NeverLive, NotStarted, ToolMissing, AssertionError) as error:
        sys.exit(f"error: {error}")
    found = figures(result)
    print("\n".join(["", *cluster_report.lines(found, result.count.failures)]))
    cluster_report.store(arguments.output, found, result)
    if arguments.write_docs:
        cluster_report.write_docs(_ROOT / "docs" / "benchmarks.md", found)


def _start(folder: Path, stack: ExitStack) -> tuple[Release, int]:
    """An upstream, an API server, the release and its pods; the upstream's port."""
    _say("starting an upstream and a Kubernetes API server")
    port = free_port()
    upstream = Process(folder, "upstream", envoy_command(folder, "upstream", envoys.upstream(port)))
    stack.callback(upstream.stop)
    upstream.wait_for(port)
    (folder / "kube").mkdir()
    release = Release(stack.enter_context(cluster(folder / "kube", _say)), folder)
    stack.callback(release.stop)
    release.issue_certificates()
    key = f"--from-literal={cluster_documents.CREDENTIAL}=bench-provider-key"
    release.kubectl("create", "secret", "generic", "prism-credentials", key)
    _say(f"starting {_OPERATORS} operators and {_GATEWAYS} gateways")
    release.start_operators(_OPERATORS)
    for gateway in release.start_gateways(_GATEWAYS):
        until(lambda g=gateway: g.get("/healthz"), f"{gateway.name} to be alive")
    return release, port


async def _measure(release: Release, port: int, plan: Plan) -> Result:
    timeout = aiohttp.ClientTimeout(total=30)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        replicas = Replicas([gateway.url for gateway in release.gateways], session)
        return await Measuring(release, replicas, port, plan, _say).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--quick", action="store_true", help="fewer changes, less exact")
    parts.add_argument(
        "--only-many",
        action="store_true",
        help=f"only the part with {cluster_documents.POLICIES:,} policies",
    )
    parts.add_argument(
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
