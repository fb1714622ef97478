"""What Envoy is told of a request that could not be handled, and what the log is."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable
from typing import Any

import grpc

from prism.exchange.headers import TRACEPARENT

log = logging.getLogger(__name__)

NOT_YET = (grpc.StatusCode.UNAVAILABLE, "no configuration yet")
"""Nothing can be decided before there is a configuration: Envoy goes by the failure mode."""


async def fail(error: Exception, context: Any) -> None:
    """End a call that met an error of ours; raises what ends it."""
    # The message of an error could hold a prompt: say only what and where.
    where = traceback.extract_tb(error.__traceback__)[-1]
    kind, trace = type(error).__name__, trace_of(context.invocation_metadata())
    log.error("%s at %s:%s, trace %s", kind, where.filename, where.lineno, trace or "unknown")
    await context.abort(grpc.StatusCode.INTERNAL, "internal error")


def trace_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The id of the trace that Envoy's question belongs to, empty where it is in none."""
    for name, value in metadata:
        if name == TRACEPARENT and isinstance(value, str) and value.count("-") == 3:
            return value.split("-")[1]
    return ""
