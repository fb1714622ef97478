"""The gateway's log: the outcome of a request from its line."""

from __future__ import annotations

import pytest

from prism.envoy.lines import TRACED, VALUES
from prism.routing.record import Outcome
from prism.wire import gateway_log
from prism.wire.gateway_log import Finished, Trace

from .gateway_lines import Line, sent, sent_text, text, usage

MODEL = {"model": "m", "provider": "p"}
SPAN = "cd" * 8


def found(line: Line) -> Finished:
    (only,) = gateway_log.finished(sent(line))
    return only


def counted(counts: object) -> Outcome:
    line = {"decision_id": "d1", "usage": counts if isinstance(counts, str) else usage(counts)}  # type: ignore[arg-type]
    return found(line).outcome


def test_a_whole_outcome() -> None:
    line = {
        "decision_id": "d1",
        "status": "200",
        "attempts": "2",
        **MODEL,
        "came_s": "1800000000.000000000",
        "total_us": "3000250",
        "first_byte_us": "1250500",
        "usage": usage({"input": 11, "output": 22, "cached": 3}),
    }
    outcome = Outcome(200, "p", "m", 2, 11, 22, 3, 1250.5, 3000.25)
    assert found(line) == Finished("d1", outcome, at=1_800_000_003.00025)


def test_what_is_not_there_is_none() -> None:
    expected = Outcome(None, None, None, None, None, None, None, None, 0.0)
    assert found({}) == Finished(None, expected)


def test_without_an_answer_s_end_a_request_took_what_envoy_counts() -> None:
    assert found({"total_ms": "42"}).outcome.total_ms == 42


def test_a_first_byte_at_once_is_a_first_byte() -> None:
    assert found({"first_byte_us": "0"}).outcome.first_byte_ms == 0.0


@pytest.mark.parametrize("count", ['"NaN"', '"Infinity"', "-5", "1e300", "true", "null", "[7]"])
def test_a_count_that_is_none_is_not_taken(count: str) -> None:
    outcome = counted(f'{{"input":{count},"output":7}}')
    assert (outcome.input_tokens, outcome.output_tokens) == (None, 7)


@pytest.mark.parametrize("written", ["231", "231.0", "2.31e2"])
def test_a_count_may_be_written_as_any_number(written: str) -> None:
    assert counted(f'{{"input":{written}}}').input_tokens == 231


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Chat Completions and Responses: the cached ones are among the input.
        ({"input": 100, "output": 5, "cached": 60}, (100, 5, 60, None)),
        ({"input": 100, "output": 5, "cached": 60, "cache_write": 30}, (100, 5, 60, 30)),
        # Messages: they are counted apart.
        ({"input": 10, "output": 5, "cache_read": 60, "cache_created": 30}, (100, 5, 60, 30)),
        ({"input": 10, "output": 5, "cache_read": 0, "cache_created": 0}, (10, 5, 0, 0)),
        ({"output": 5, "cache_read": 60}, (None, 5, 60, None)),
        # Null, as a stream's last delta may have it, is no count.
        ({"input": 10, "output": 5, "cache_read": None}, (10, 5, None, None)),
        ({}, (None, None, None, None)),
    ],
)
def test_input_is_all_input_whatever_the_api_counts(
    counts: dict[str, object], expected: tuple[int | None, ...]
) -> None:
    outcome = counted(counts)
    assert expected == (
        outcome.input_tokens,
        outcome.output_tokens,
        outcome.cached_input_tokens,
        outcome.cache_write_tokens,
    )


def test_the_names_of_a_line_are_those_that_envoy_writes() -> None:
    assert gateway_log._Line._fields == (*VALUES, *TRACED)


def test_lines_keep_their_order() -> None:
    many = sent({"status": "200"}, {"status": "503"}, {"status": "404"})
    assert [one.outcome.status for one in gateway_log.finished(many)] == [200, 503, 404]


def test_when_the_answer_began_is_counted_from_its_own_attempt() -> None:
    assert found({"to_headers_us": "250500"}).to_headers_ms == 250.5
    assert found({}).to_headers_ms is None


@pytest.mark.parametrize(
    ("flags", "whole"),
    [("-", True), ("DC", True), ("UC", False), ("DC,UR", False), ("UPE", False), ("UT", False)],
)
def test_an_answer_that_its_provider_broke_off_is_not_whole(flags: str, whole: bool) -> None:
    assert found({"flags": flags}).whole is whole


def test_an_error_that_a_stream_ends_with() -> None:
    assert found({"said_error": "true"}).said_error
    assert not found({}).said_error


@pytest.mark.parametrize(
    ("request_id", "number"),
    [("0193abc.4", 4), ("0193abc", None), ("-", None), ("a.b", None), ("a." + "1" * 99, None)],
)
def test_the_number_of_the_key(request_id: str, number: int | None) -> None:
    one = found({"request_id": request_id})
    assert (one.key_number, one.request_id) == (number, request_id.replace("-", ""))


def traced(traceparent: str, span_id: str = SPAN) -> Finished:
    line = {"came_s": "1000000000.000000001", "total_us": "5000"}
    line |= {"traceparent": traceparent, "span_id": span_id}
    (only,) = gateway_log.finished(sent(line, traced=True))
    return only


def test_a_sampled_request_names_its_trace() -> None:
    one = traced(f"00-{'ab' * 16}-{'ef' * 8}-01")
    assert one.trace == Trace("ab" * 16, SPAN, 10**18 + 1, 10**18 + 5_000_001)
    assert one.outcome.trace_id == "ab" * 16


@pytest.mark.parametrize(
    "traceparent",
    [f"00-{'ab' * 16}-{'ef' * 8}-00", "-", "", f"00-{'zz' * 16}-{'ef' * 8}-01", "00-1-2-01"],
)
def test_what_is_not_sampled_or_no_trace_has_none(traceparent: str) -> None:
    assert traced(traceparent).trace is None
    assert traced(f"00-{'ab' * 16}-{'ef' * 8}-01", "-").trace is None


def test_prism_s_own_answer_has_its_decision_in_a_header() -> None:
    own = found({"own_decision_id": "d2"})
    assert (own.decision_id, own.own) == ("d2", True)
    routed = found({"decision_id": "d1", "own_decision_id": "d1"})
    assert (routed.decision_id, routed.own) == ("d1", False)


def test_what_a_client_sent_that_is_no_text_loses_no_line() -> None:
    bad = text({"decision_id": "d1", "traceparent": "?"}, traced=True).encode()
    message = sent_text(bad.replace(b"?", b"\xff\xfe"), text({"decision_id": "d2"}))
    assert [one.decision_id for one in gateway_log.finished(message)] == ["d1", "d2"]


@pytest.mark.parametrize("line", ["", "-", "a\x1fb", "x" * 10_000])
def test_what_is_no_line_is_passed_over(line: str) -> None:
    message = sent_text(line, text({"decision_id": "d2"}))
    assert [one.decision_id for one in gateway_log.finished(message)] == ["d2"]
