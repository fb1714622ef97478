"""Which of the processor's ways an ext_proc stream takes."""

from __future__ import annotations

from typing import Any

import grpc

from prism.envoy.names import ROUTE_AT_ONCE, STAGE
from prism.serve.processor import Processor
from prism.serve.small import SmallRequests
from prism.wire import ext_proc

_METHOD = f"/{ext_proc.SERVICE}/{ext_proc.METHOD}"


class ExtProc(grpc.GenericRpcHandler):
    """Chooses how a stream is handled by what Envoy's filter says of itself.

    A request that comes in one message gets one answer, which gRPC can send together with
    the end of the stream: half the turns of a stream that is read and written step by step.
    """

    def __init__(self, processor: Processor) -> None:
        small = SmallRequests(processor)
        self._at_once: Any = grpc.unary_unary_rpc_method_handler(
            small.answer, request_deserializer=ext_proc.decode_at_once
        )
        self._stages: Any = grpc.stream_stream_rpc_method_handler(
            processor.process, request_deserializer=ext_proc.decode
        )

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a call, ``None`` where it is for another service."""
        if handler_call_details.method != _METHOD:
            return None
        at_once = (STAGE, ROUTE_AT_ONCE) in handler_call_details.invocation_metadata
        return self._at_once if at_once else self._stages
