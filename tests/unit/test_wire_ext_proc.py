"""ext_proc messages: what Envoy sends becomes events, and steps become what Envoy reads."""

from __future__ import annotations

import pytest
from envoy.config.core.v3.base_pb2 import HeaderMap, HeaderValue, HeaderValueOption
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    HttpBody,
    HttpHeaders,
    ProcessingRequest,
    ProcessingResponse,
)

from prism.exchange.steps import Reply, RequestHeaders, Rewrite
from prism.wire import ext_proc


def event(*headers: HeaderValue, complete: bool = False) -> RequestHeaders:
    http = HttpHeaders(headers=HeaderMap(headers=headers), end_of_stream=complete)
    sent = ProcessingRequest(request_headers=http).SerializeToString()
    return ext_proc.headers_event(ext_proc.decode(sent))


def test_headers_are_read_from_either_field() -> None:
    found = event(
        HeaderValue(key=":path", raw_value=b"/v1"),
        HeaderValue(key="x-old", value="plain"),
        HeaderValue(key="x-empty"),
        complete=True,
    )
    assert found == RequestHeaders({":path": "/v1", "x-old": "plain", "x-empty": ""}, True)


def test_a_name_that_comes_twice_is_joined() -> None:
    found = event(
        HeaderValue(key="x-prism-mode", raw_value=b"eco"),
        HeaderValue(key="accept", raw_value=b"a"),
        HeaderValue(key="x-prism-mode", raw_value=b"sport"),
    )
    assert found == RequestHeaders({"x-prism-mode": "eco,sport", "accept": "a"}, False)


def test_bytes_that_are_no_utf8_are_replaced_and_can_be_answered() -> None:
    found = event(HeaderValue(key="x-prism-mode", raw_value=b"\xff\xfe eco"))
    assert found.headers["x-prism-mode"] == "\ufffd\ufffd eco"
    found.headers["x-prism-mode"].encode()


def test_the_body_comes_as_bytes() -> None:
    sent = ProcessingRequest(request_body=HttpBody(body=b"\x00\xff", end_of_stream=True))
    assert ext_proc.decode(sent.SerializeToString()).request_body.body == b"\x00\xff"


REWRITE = Rewrite(
    (("content-length", "3"), ("x-a", "1"), ("x-ü", "ü")),
    ("authorization", "api-key"),
    b"\x00{}",
    {"task": "code"},
    True,
)


@pytest.mark.parametrize("on_body", [True, False])
def test_a_rewrite_says_all_that_envoy_must_change(on_body: bool) -> None:
    answer = ProcessingResponse.FromString(ext_proc.rewrite_message(REWRITE, on_body=on_body))
    kind = "request_body" if on_body else "request_headers"
    assert answer.WhichOneof("response") == kind
    common = getattr(answer, kind).response
    # No header is set twice, so their order says nothing.
    assert sorted(
        (option.header.key, option.header.raw_value.decode(), option.append_action)
        for option in common.header_mutation.set_headers
    ) == sorted(
        (n, v, HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD) for n, v in REWRITE.set_headers
    )
    assert not any(option.header.value for option in common.header_mutation.set_headers)
    assert tuple(common.header_mutation.remove_headers) == REWRITE.remove_headers
    assert common.body_mutation.body == REWRITE.body
    assert common.clear_route_cache
    labels = answer.dynamic_metadata.fields["prism"].struct_value
    assert dict(labels.items()) == {"task": "code"}


def test_a_rewrite_without_body_and_labels_leaves_them_alone() -> None:
    step = Rewrite((), (), None, {}, False)
    answer = ProcessingResponse.FromString(ext_proc.rewrite_message(step, on_body=True))
    assert not answer.request_body.response.HasField("body_mutation")
    assert not answer.HasField("dynamic_metadata")
    assert not answer.request_body.response.clear_route_cache


def test_an_empty_body_is_a_body() -> None:
    step = Rewrite((), (), b"", {}, False)
    answer = ProcessingResponse.FromString(ext_proc.rewrite_message(step, on_body=True))
    assert answer.request_body.response.body_mutation.WhichOneof("mutation") == "body"


def test_a_reply_is_an_immediate_response() -> None:
    step = Reply(404, (("content-type", "application/json"),), b'{"error":{}}')
    answer = ProcessingResponse.FromString(ext_proc.reply_message(step)).immediate_response
    assert (answer.status.code, answer.body) == (404, step.body)
    (header,) = answer.headers.set_headers
    assert (header.header.key, header.header.raw_value) == ("content-type", b"application/json")
    # Overwritten: Envoy's own would be text/plain.
    assert header.append_action == HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD


def test_going_on_changes_nothing() -> None:
    answer = ProcessingResponse.FromString(ext_proc.PROCEED_HEADERS)
    assert answer.WhichOneof("response") == "request_headers"
    assert not answer.request_headers.HasField("response")


def at_once(body: bytes) -> ProcessingRequest:
    message = ProcessingRequest()
    message.request_body.body = body
    return message


def test_headers_come_beside_the_body() -> None:
    message = at_once(b"{}")
    fields = message.attributes["envoy.filters.http.ext_proc"].fields
    fields["request.method"].string_value = "POST"
    fields["request.path"].string_value = "/v1/x?y"
    fields["request.headers['x-prism-mode']"].string_value = "eco"
    found = ext_proc.decode_at_once(message.SerializeToString())
    assert found is not None
    event = ext_proc.headers_at_once(found)
    assert event.headers == {":method": "POST", ":path": "/v1/x?y", "x-prism-mode": "eco"}
    assert not event.complete


def test_an_attribute_that_is_no_utf8_is_no_message() -> None:
    message = at_once(b"{}")
    fields = message.attributes["envoy.filters.http.ext_proc"].fields
    fields["request.path"].string_value = "/v1/marker"
    assert (
        ext_proc.decode_at_once(message.SerializeToString().replace(b"marker", b"m\xff\xfeker"))
        is None
    )


def test_a_rewrite_at_once_is_lines_of_metadata() -> None:
    step = Rewrite((("a", "1"), ("b", "")), ("c",), b"body", {"task": "code"}, reroute=True)
    found = ProcessingResponse.FromString(ext_proc.rewrite_at_once(step))
    assert found.request_body.response.body_mutation.body == b"body"
    labels = found.dynamic_metadata.fields["prism"].struct_value.fields
    assert labels["headers"].string_value == "a\n1\nb\n\nc\n\n"
    assert labels["task"].string_value == "code"


def test_a_value_with_a_line_break_can_smuggle_no_header() -> None:
    step = Rewrite((("a", "1\nx-evil\n2"),), (), None, {}, reroute=True)
    with pytest.raises(ValueError, match="line break"):
        ext_proc.rewrite_at_once(step)
