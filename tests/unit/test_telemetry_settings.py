"""The OTEL_* variables: what they mean, and which values are refused by name."""

from __future__ import annotations

import pytest

from prism.telemetry.settings import BadSetting, read_settings

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4317"}


def test_without_an_endpoint_nothing_is_sent() -> None:
    found = read_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": " "})
    assert found.endpoint is None
    assert found.tracing("ca.pem") is None


def test_the_sdk_can_be_switched_off() -> None:
    assert read_settings({**ENDPOINT, "OTEL_SDK_DISABLED": "True"}).endpoint is None


def test_defaults_follow_the_specification() -> None:
    found = read_settings(ENDPOINT)
    assert (found.ratio, found.parent_based, found.service) == (1.0, True, "prism")
    assert (found.traces, found.metrics, found.interval_s) == (True, True, 60)
    # Not as the specification has it: there is one for every request.
    assert not found.logs
    assert read_settings({**ENDPOINT, "OTEL_LOGS_EXPORTER": "otlp"}).logs
    tracing = found.tracing("ca.pem")
    assert tracing is not None
    assert (tracing.host, tracing.port, tracing.tls) == ("otel", 4317, False)


@pytest.mark.parametrize(
    ("sampler", "argument", "expected"),
    [
        ("always_on", None, (1.0, False)),
        ("traceidratio", "0.25", (0.25, False)),
        ("parentbased_always_off", None, (0.0, True)),
        ("parentbased_traceidratio", "0.1", (0.1, True)),
        ("parentbased_traceidratio", None, (1.0, True)),
    ],
)
def test_samplers(sampler: str, argument: str | None, expected: tuple[float, bool]) -> None:
    found = {**ENDPOINT, "OTEL_TRACES_SAMPLER": sampler}
    if argument is not None:
        found["OTEL_TRACES_SAMPLER_ARG"] = argument
    settings = read_settings(found)
    assert (settings.ratio, settings.parent_based) == expected
    assert settings.traces


def test_always_off_leaves_envoy_without_a_tracer() -> None:
    found = read_settings({**ENDPOINT, "OTEL_TRACES_SAMPLER": "always_off"})
    assert not found.traces
    assert found.tracing("") is None
    assert found.metrics


def test_headers_are_decoded() -> None:
    found = read_settings({**ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a%3Db, x=1"})
    assert found.headers == (("api-key", "a=b"), ("x", "1"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "otel:4317"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4317/v1/traces"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:99999"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_LOGS_EXPORTER", "console"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
    ],
)
def test_what_can_t_be_used_is_refused_with_its_name_and_value(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name) as refused:
        read_settings({**ENDPOINT, name: value})
    assert value in str(refused.value)


def test_a_ratio_out_of_range_is_refused() -> None:
    given = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}
    with pytest.raises(BadSetting, match="OTEL_TRACES_SAMPLER_ARG='2'"):
        read_settings({**ENDPOINT, **given})


def test_bad_headers_are_refused_without_being_shown() -> None:
    with pytest.raises(BadSetting) as refused:
        read_settings({**ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS": "secret"})
    assert "secret" not in str(refused.value)
