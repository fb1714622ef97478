"""Lines of the gateway's log, as Envoy writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from prism.envoy.lines import MISSING, SEPARATOR, TRACED, VALUES
from prism.otlp.v1.received_pb2 import ExportLogsServiceRequest
from prism.wire import gateway_log

Line = dict[str, str]
"""Values by their names in ``prism.envoy.lines``; what is not there is missing."""


def sent(*lines: Mapping[str, str], traced: bool = False) -> ExportLogsServiceRequest:
    """Lines as they come."""
    return sent_text(*(text(line, traced=traced) for line in lines))


def text(line: Mapping[str, str], *, traced: bool = False) -> str:
    """One of them."""
    names = [*VALUES, *(TRACED if traced else ())]
    assert set(line) <= set(names)
    least = {"came_s": "0.000000000", "total_ms": "0", "status": "0", "attempts": "0", **line}
    return SEPARATOR.join(least.get(name, MISSING) for name in names)


def sent_text(*lines: str | bytes) -> ExportLogsServiceRequest:
    """Whatever is in them."""
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for line in lines:
        body = line if isinstance(line, bytes) else line.encode("utf-8")
        records.add().body.string_value = body
    return gateway_log.decode(message.SerializeToString())


def usage(counts: Mapping[str, object]) -> str:
    """Token usage, as Envoy writes metadata."""
    return json.dumps(counts)
