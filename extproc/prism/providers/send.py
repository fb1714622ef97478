"""Sends an answer at its pace, with what a fault does to it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from aiohttp import web

from prism.providers import frame
from prism.providers.answer import Frame, Reply
from prism.providers.error import Style, error_response, error_value, id_headers, refusal_of
from prism.providers.fault import Fault, FaultKind
from prism.providers.pace import Pace
from prism.providers.received import ReceivedRequest

# A plain answer that is sent slowly or cut off goes out in pieces of so many bytes.
_PIECE = 64
# The receiver of a reset may lose what it has not read yet; so long it gets for that.
_SETTLE_S = 0.02
_NOT_JSON = b"<!doctype html><title>Bad gateway</title>\xff\xfe{"
_NOT_FRAMES = (b'data: {"id": "chatcmpl-\n\n', b"\xff\xfe: <html>\n\n", b"data\n\n")
_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_encoder = msgspec.json.Encoder()


class Reset(Exception):
    """A fault wants the connection reset."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One answer on its way: to what request, at what pace, with which fault."""

    request: web.BaseRequest
    received: ReceivedRequest
    pace: Pace
    fault: Fault | None
    style: Style
    request_id: str

    async def send(self, reply: Reply) -> web.StreamResponse:
        """Send ``reply``.

        Raises:
            Reset: the connection is to be reset now.
        """
        fault = self.fault
        kind = fault.kind if fault else None
        if fault and kind is FaultKind.STREAM_ERROR and not reply.stream:
            refusal = refusal_of(fault, 500)
            return error_response(refusal, self.style, fault.headers, self.request_id)
        await self.pace.wait(0 if reply.stream else reply.tokens)
        if reply.stream:
            frames = map(_whole, _NOT_FRAMES) if kind is FaultKind.GARBAGE else reply.frames()
            return await self._stream(frames, self._headers(_EVENTS))
        body = _NOT_JSON if kind is FaultKind.GARBAGE else _encoder.encode(reply.plain())
        headers = self._headers(_JSON)
        if kind not in (FaultKind.CUT, FaultKind.SLOW):
            return web.Response(body=body, headers=headers)
        headers["content-length"] = str(len(body))
        pieces = (body[at : at + _PIECE] for at in range(0, len(body), _PIECE))
        return await self._stream(map(_whole, pieces), headers)

    def _headers(self, content_type: str) -> dict[str, str]:
        more = {} if self.fault is None else self.fault.headers
        return {"content-type": content_type, **id_headers(self.request_id, self.style), **more}

    async def _stream(self, frames: Iterable[Frame], headers: dict[str, str]) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        await response.prepare(self.request)
        self.received.status = response.status
        fault = self.fault
        between = fault.between_ms / 1000 if fault and fault.kind is FaultKind.SLOW else 0.0
        for number, (data, tokens) in enumerate(frames):
            if fault is not None and number == fault.after_chunks:
                if fault.kind is FaultKind.CUT:
                    await asyncio.sleep(_SETTLE_S)
                    raise Reset
                if fault.kind is FaultKind.STREAM_ERROR:
                    await response.write(self._error_frame(fault))
                    break
            await self.pace.wait(tokens)
            if between:
                await asyncio.sleep(between)
            await response.write(data)
        await response.write_eof()
        return response

    def _error_frame(self, fault: Fault) -> bytes:
        value = error_value(refusal_of(fault, 500), self.style)
        # Anthropic's has a "type", which is the event's name too.
        return (frame.event if "type" in value else frame.data)(value, 0).data


def _whole(data: bytes) -> Frame:
    return Frame(data, 0)


def reset(request: web.BaseRequest) -> None:
    """Reset the connection: the client sees ECONNRESET, not an orderly end."""
    transport = request.transport
    if transport is None:
        return
    if (connection := transport.get_extra_info("socket")) is not None:
        # Linger for no time at all: closing then sends RST.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
