"""ext_proc messages to events, steps to ext_proc messages.

On the hot path: messages are the C-backed ``_pb2`` classes, and the answer that most
messages get ("go on") is encoded once.
"""

from __future__ import annotations

from functools import lru_cache

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    BodyResponse,
    CommonResponse,
    HeaderMutation,
    HeadersResponse,
    ImmediateResponse,
    ProcessingRequest,
    ProcessingResponse,
)
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.protobuf.message import DecodeError

from prism.envoy.filters import AT_ONCE_ATTRIBUTES
from prism.envoy.names import EXT_PROC, HEADERS, METADATA
from prism.exchange import headers
from prism.exchange.steps import AnswerHeaders, AnswerTaken, Reply, RequestHeaders, Rewrite

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
METHOD = "Process"

_OVERWRITE = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD

# Headers whose values are each request's own; paths among them, since clients choose queries
# and must not fill the cache of templates.
_OWN = frozenset(
    {headers.DECISION_ID, headers.MODEL_SPAN, headers.API_PATH, "content-length", ":path"}
)

decode = ProcessingRequest.FromString
"""bytes → ProcessingRequest."""

PROCEED_HEADERS: bytes = ProcessingResponse(request_headers=HeadersResponse()).SerializeToString()


_WHOLE, _PIECES = ProcessingMode.BUFFERED, ProcessingMode.STREAMED


def _mode(answer_body: int) -> ProcessingMode:
    """Of an attempt whose answer is to be seen; what is not named here keeps its default."""
    return ProcessingMode(
        request_body_mode=ProcessingMode.BUFFERED,
        response_header_mode=ProcessingMode.SEND,
        response_body_mode=answer_body,
        request_trailer_mode=ProcessingMode.SKIP,
        response_trailer_mode=ProcessingMode.SKIP,
    )


PROCEED_TO_ANSWER: bytes = ProcessingResponse(
    request_headers=HeadersResponse(), mode_override=_mode(_WHOLE)
).SerializeToString()
"""Go on, and have the answer sent, too."""


def headers_event(message: ProcessingRequest) -> RequestHeaders:
    """The headers of a request; a name that comes twice is joined by commas (RFC 9110, 5.3)."""
    http = message.request_headers
    found: dict[str, str] = {}
    for header in http.headers.headers:
        value = (header.raw_value or header.value.encode()).decode("utf-8", "replace")
        name = header.key
        found[name] = f"{found[name]},{value}" if name in found else value
    return RequestHeaders(found, http.end_of_stream)


def answer_headers(message: ProcessingRequest) -> AnswerHeaders | None:
    """The headers of an answer; ``None`` where the message is another one."""
    if not message.HasField("response_headers"):
        return None
    http = message.response_headers
    found = {
        header.key: (header.raw_value or header.value.encode()).decode("utf-8", "replace")
        for header in http.headers.headers
    }
    return AnswerHeaders(int(found.pop(":status", "0")), found, http.end_of_stream)


def taken_message(step: AnswerTaken) -> bytes:
    """What is to be done with an answer's headers."""
    mutation = HeaderMutation(
        set_headers=[_option(name, value) for name, value in step.set_headers],
        remove_headers=step.remove_headers,
    )
    encoded: bytes = ProcessingResponse(
        response_headers=HeadersResponse(response=CommonResponse(header_mutation=mutation)),
        mode_override=_mode(_WHOLE if step.whole else _PIECES),
    ).SerializeToString()
    return encoded


def answer_body_message(body: bytes, *, whole: bool) -> bytes:
    """The body of an answer, or a piece of one, in place of the one that came."""
    response = ProcessingResponse()
    common = response.response_body.response
    if body:
        common.body_mutation.body = body
    else:
        common.body_mutation.clear_body = True
    if whole:
        common.header_mutation.set_headers.append(_option("content-length", str(len(body))))
    encoded: bytes = response.SerializeToString()
    return encoded


def decode_at_once(data: bytes) -> ProcessingRequest | None:
    """A request in one message; ``None`` where a header is no UTF-8, as attributes must be."""
    try:
        return decode(data)
    except DecodeError:
        return None


def headers_at_once(message: ProcessingRequest) -> RequestHeaders:
    """What the route stage reads of the headers, from the attributes beside a body."""
    fields = message.attributes[EXT_PROC].fields
    return RequestHeaders(
        {AT_ONCE_ATTRIBUTES[name]: value.string_value for name, value in fields.items()},
        complete=False,
    )


def rewrite_at_once(step: Rewrite) -> bytes:
    """A rewrite, as the answer to a request in one message; see ``envoy/apply.lua``."""
    parts = [part for header in step.set_headers for part in header]
    for name in step.remove_headers:
        parts += (name, "")
    lines = "\n".join(parts)
    if lines.count("\n") != len(parts) - 1:
        raise ValueError("a header's value has a line break")
    response = ProcessingResponse()
    common = response.request_body.response
    if step.body is not None:
        common.body_mutation.body = step.body
    fields = response.dynamic_metadata.fields[METADATA].struct_value.fields
    fields[HEADERS].string_value = lines + "\n"
    for name, value in step.labels.items():
        fields[name].string_value = value
    encoded: bytes = response.SerializeToString()
    return encoded


def rewrite_message(step: Rewrite, *, on_body: bool) -> bytes:
    """A rewrite, as the answer to the body message or to the headers message."""
    own = [header for header in step.set_headers if header[0] in _OWN]
    shared = tuple([header for header in step.set_headers if header[0] not in _OWN])
    response = ProcessingResponse.FromString(
        _template(shared, step.remove_headers, step.reroute, on_body)
    )
    # Filled in place: a body of many megabytes is copied no more often than it must be.
    common = (response.request_body if on_body else response.request_headers).response
    common.header_mutation.set_headers.extend([_option(name, value) for name, value in own])
    if step.body is not None:
        common.body_mutation.body = step.body
    if step.labels:
        fields = response.dynamic_metadata.fields[METADATA].struct_value.fields
        for name, value in step.labels.items():
            fields[name].string_value = value
    encoded: bytes = response.SerializeToString()
    return encoded


@lru_cache(maxsize=1024)
def _template(
    shared: tuple[tuple[str, str], ...], remove: tuple[str, ...], reroute: bool, on_body: bool
) -> bytes:
    """What all requests with the same targets share, encoded: most of a rewrite's cost."""
    mutation = HeaderMutation(
        set_headers=[_option(name, value) for name, value in shared], remove_headers=remove
    )
    common = CommonResponse(header_mutation=mutation, clear_route_cache=reroute)
    if on_body:
        response = ProcessingResponse(request_body=BodyResponse(response=common))
    else:
        response = ProcessingResponse(request_headers=HeadersResponse(response=common))
    encoded: bytes = response.SerializeToString()
    return encoded


def _option(name: str, value: str) -> HeaderValueOption:
    header = HeaderValue(key=name, raw_value=value.encode())
    return HeaderValueOption(header=header, append_action=_OVERWRITE)


def reply_message(step: Reply) -> bytes:
    """An answer to the client."""
    options = [_option(name, value) for name, value in step.headers]
    response = ProcessingResponse(
        immediate_response=ImmediateResponse(
            status=HttpStatus(code=step.status),
            headers=HeaderMutation(set_headers=options),
            body=step.body,
            details="prism",
        )
    )
    encoded: bytes = response.SerializeToString()
    return encoded


__all__ = [
    "METHOD",
    "PROCEED_HEADERS",
    "PROCEED_TO_ANSWER",
    "SERVICE",
    "answer_body_message",
    "answer_headers",
    "decode",
    "decode_at_once",
    "headers_at_once",
    "headers_event",
    "reply_message",
    "rewrite_at_once",
    "rewrite_message",
    "taken_message",
]
