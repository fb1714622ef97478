"""The access logs that Prism gets: one of requests, one of failed attempts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prism.envoy import names
from prism.envoy.lines import line
from prism.exchange import headers
from prism.exchange.targets import RETRIABLE_STATUS

FLUSH_S = 0.2
"""Seconds that an entry of an access log waits for others, at most."""

_BUFFER = {"buffer_flush_interval": f"{FLUSH_S}s", "buffer_size_bytes": 65536}


def access_log(*, traced: bool) -> dict[str, Any]:
    """What Prism joins to its decisions: one line per client request."""
    config = names.typed(
        "extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
        log_name=names.GATEWAY_LOG,
        grpc_service=names.prism_grpc(timeout="10s"),
        disable_builtin_labels=True,
        body={"string_value": line(traced=traced)},
        **_BUFFER,
    )
    return {"name": "envoy.access_loggers.open_telemetry", "typed_config": config}


def attempts_log(which: dict[str, Any]) -> dict[str, Any]:
    """What Prism learns of models and keys from: ``which`` are the attempts that failed. Those
    that went well cost nothing here."""
    # Where there was no host to go to, only this tells the cluster.
    cluster = {"tag": names.CLUSTER_TAG, "value": "%UPSTREAM_CLUSTER_RAW%"}
    log = _to_prism(
        names.ATTEMPTS_LOG,
        tags=[cluster],
        additional_request_headers_to_log=[
            headers.ENVOY_ATTEMPT_COUNT,
            headers.ATTEMPT_TIMEOUT_MS,
            *(headers.cluster_header(number) for number in range(1, headers.MAX_ATTEMPTS + 1)),
        ],
        additional_response_headers_to_log=[headers.RETRY_AFTER],
    )
    return {**log, "filter": which}


def unreachable() -> dict[str, Any]:
    """Attempts that found no host: no router's log of attempts tells of them."""
    return {"response_flag_filter": {"flags": ["UH"]}}


def _status_filter(op: str, status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": f"prism.attempt.{status}"}
    return {"status_code_filter": {"comparison": {"op": op, "value": value}}}


FAILED = {
    "or_filter": {
        "filters": [
            *(_status_filter("EQ", status) for status in RETRIABLE_STATUS),
            _status_filter("GE", 500),
            # No connection, reset by the provider, late, not HTTP.
            {"response_flag_filter": {"flags": ["UF", "UC", "UR", "UT", "UPE"]}},
        ]
    }
}


def _to_prism(log: str, tags: Sequence[dict[str, Any]] = (), **what: Any) -> dict[str, Any]:
    config = names.typed(
        "extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
        common_config={
            "log_name": log,
            "grpc_service": names.prism_grpc(timeout="0s"),
            "transport_api_version": "V3",
            **_BUFFER,
            "custom_tags": list(tags),
        },
        **what,
    )
    return {"name": "envoy.access_loggers.http_grpc", "typed_config": config}
