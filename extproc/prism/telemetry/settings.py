"""The standard ``OTEL_*`` environment variables, as far as Prism has a use for them.

What they mean is in https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from prism.envoy.tracing import Tracing

SERVICE = "prism"
_RATIOS = {"always_on": 1.0, "always_off": 0.0, "traceidratio": None}
SAMPLERS = (*_RATIOS, *(f"parentbased_{name}" for name in _RATIOS))
PORT = 4317


class BadSetting(ValueError):
    """A variable can't be used; the message names it, its value, and what would do."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Where telemetry goes. ``endpoint`` is a URL, ``None`` where nothing is sent.

    ``ratio`` (0 to 1) and ``parent_based`` say which traces are sampled. ``interval_s`` is
    how often metrics are sent, ``timeout_s`` how long an export may take. ``headers`` may
    hold the collector's key.
    """

    endpoint: str | None
    headers: tuple[tuple[str, str], ...]
    certificate: str | None
    service: str
    traces: bool
    metrics: bool
    logs: bool
    ratio: float
    parent_based: bool
    interval_s: float
    timeout_s: float

    def tracing(self, ca_file: str) -> Tracing | None:
        """Envoy's part; ``None`` where no request can ever be sampled."""
        if self.endpoint is None or not self.traces:
            return None
        url = urlsplit(self.endpoint)
        return Tracing(
            host=url.hostname or "",
            port=url.port or PORT,
            tls=url.scheme == "https",
            headers=self.headers,
            service=self.service,
            ratio=self.ratio,
            parent_based=self.parent_based,
            ca_file=self.certificate or ca_file,
        )


def read_settings(environment: Mapping[str, str]) -> Telemetry:
    """What the environment asks for; raises ``BadSetting``. A variable that is empty is unset."""
    found = {name: value.strip() for name, value in environment.items() if value.strip()}
    prefix = "OTEL_EXPORTER_OTLP"
    endpoint = None
    if found.get("OTEL_SDK_DISABLED", "").lower() != "true":
        endpoint = _endpoint(found, f"{prefix}_ENDPOINT")
    if endpoint is not None:
        _one_of(found, f"{prefix}_PROTOCOL", ("grpc",), "grpc")
    ratio, parent_based = _sampler(found)
    exporters = ("otlp", "none")
    return Telemetry(
        endpoint=endpoint,
        headers=_headers(found, f"{prefix}_HEADERS"),
        certificate=found.get(f"{prefix}_CERTIFICATE"),
        service=found.get("OTEL_SERVICE_NAME", SERVICE),
        traces=_one_of(found, "OTEL_TRACES_EXPORTER", exporters, "otlp") == "otlp"
        and (ratio > 0 or parent_based),
        metrics=_one_of(found, "OTEL_METRICS_EXPORTER", exporters, "otlp") == "otlp",
        # One for every request: whoever wants them says so.
        logs=_one_of(found, "OTEL_LOGS_EXPORTER", exporters, "none") == "otlp",
        ratio=ratio,
        parent_based=parent_based,
        interval_s=_number(found, "OTEL_METRIC_EXPORT_INTERVAL", 60_000, 1, 3_600_000) / 1000,
        timeout_s=_number(found, f"{prefix}_TIMEOUT", 10, 0.001, 3600),
    )


def _endpoint(found: Mapping[str, str], name: str) -> str | None:
    text = found.get(name)
    if text is None:
        return None
    try:
        url = urlsplit(text)
        usable = url.scheme in ("http", "https") and url.hostname and (url.port or PORT)
    except ValueError:
        usable = False
    if not usable or url.path not in ("", "/") or url.query:
        raise BadSetting(f"{name}={text!r} is no URL of a collector, such as http://otel:4317")
    return text.rstrip("/")


def _sampler(found: Mapping[str, str]) -> tuple[float, bool]:
    name = _one_of(found, "OTEL_TRACES_SAMPLER", SAMPLERS, "parentbased_always_on")
    kind = name.removeprefix("parentbased_")
    ratio = _RATIOS[kind]
    if ratio is None:
        ratio = _number(found, "OTEL_TRACES_SAMPLER_ARG", 1.0, 0, 1)
    return ratio, kind != name


def _one_of(found: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    value = found.get(name, default).lower()
    if value not in choices:
        raise BadSetting(f"{name}={value!r} is not supported; use {' or '.join(choices)}")
    return value


def _number(
    found: Mapping[str, str], name: str, default: float, least: float, most: float
) -> float:
    text = found.get(name)
    try:
        number = default if text is None else float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise BadSetting(f"{name}={text!r} is no number from {least:g} to {most:g}")
    return number


def _headers(found: Mapping[str, str], name: str) -> tuple[tuple[str, str], ...]:
    """``key=value,key=value``, values percent-encoded (W3C Baggage, without properties)."""
    headers = []
    for part in filter(None, found.get(name, "").split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            # The value may be a secret: it is not shown.
            raise BadSetting(f"{name} is not KEY=VALUE,KEY=VALUE")
        headers.append((key.strip().lower(), unquote(value.strip())))
    return tuple(headers)
