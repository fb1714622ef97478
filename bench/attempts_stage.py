"""What it costs that there could be further attempts, where the first one is good.

Two tables that differ in how many attempts they allow, and Envoy without Prism, all before the
upstream of ``make bench``, in turn. First attempts go straight to their cluster (decision 14), so
nothing of the stage should be met at all: it is counted, too.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from attempts_client import Client
from attempts_documents import ATTEMPTS, ONE_ATTEMPT, stage_key
from envoys import UPSTREAM_MARKER
from load import Load
from prompts import KEY, KIBIBYTE, Request, requests

_MARKER = b"\r\nx-prism-model: "
_PLAIN = "plain"


async def measure(
    client: Client,
    say: Callable[[str], None],
    rounds: int,
    slot_s: float,
    *,
    plain_port: int,
    prism_port: int,
) -> dict[str, float]:
    """Medians of all rounds together, at concurrency 1."""
    loads = {
        _PLAIN: Load(requests(KIBIBYTE), plain_port, UPSTREAM_MARKER),
        **{
            table: Load(_with_key(stage_key(table)), prism_port, _MARKER)
            for table in (ONE_ATTEMPT, ATTEMPTS)
        },
    }
    for load in loads.values():
        await load.run(slot_s, 1)
    took: dict[str, list[float]] = {name: [] for name in loads}
    before = await _calls(client)
    for number in range(1, rounds + 1):
        for name, load in loads.items():
            took[name] += (await load.run(slot_s, 1)).latencies
        found = _figures(took)
        say(f"attempts allowed, round {number} of {rounds}: {found['attempts_allowed_ms']:+.3f} "
            f"of {found['added_ms']:.2f} ms that Prism adds")  # fmt: skip
    calls = await _calls(client) - before
    return {**_figures(took), "attempt_stage_calls": calls}


def _figures(took: dict[str, list[float]]) -> dict[str, float]:
    p50 = {name: median(values) * 1000 for name, values in took.items()}
    added, more = p50[ATTEMPTS] - p50[_PLAIN], p50[ATTEMPTS] - p50[ONE_ATTEMPT]
    return {"attempt_stage_share": more / added, "attempts_allowed_ms": more, "added_ms": added}


async def _calls(client: Client) -> float:
    """Requests that have passed the internal listener, where the attempt stage is."""
    return await client.metric(
        "envoy_http_downstream_rq_total", envoy_http_conn_manager_prefix="attempts"
    )


def _with_key(key: str) -> list[Request]:
    old, new = f"Bearer {KEY}".encode(), f"Bearer {key}".encode()
    return [Request(made.head.replace(old, new), made.tail) for made in requests(KIBIBYTE)]
