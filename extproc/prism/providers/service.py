"""Answers requests for every provider: who is it for, may it, what goes wrong, what is said."""

from __future__ import annotations

import asyncio
import hmac
import random
import time
import zlib
from collections.abc import Mapping

from aiohttp import web

from prism.providers import error
from prism.providers.answer import Reply, seed_of
from prism.providers.ask import Refusal
from prism.providers.endpoint import ENDPOINTS, Place, place_of
from prism.providers.error import Style, error_response
from prism.providers.fault import Fault, FaultKind, Faults
from prism.providers.pace import Pace
from prism.providers.received import Journal, ReceivedRequest
from prism.providers.send import Reset, Sending, reset
from prism.providers.spec import ProviderSpec

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes; what is larger gets 413."""

# Answers say when a model was made; all were at the start of 2026.
_CREATED = 1_767_225_600


class Service:
    """The providers behind one port. ``stopping`` is set before the server cancels handlers."""

    def __init__(
        self,
        specs: Mapping[str, ProviderSpec],
        faults: Faults,
        journal: Journal,
        chance: random.Random,
    ) -> None:
        self._specs = specs
        self._faults = faults
        self._journal = journal
        self._chance = chance
        self.stopping = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request and record it."""
        started_at = time.monotonic()
        headers = request.headers
        if headers.get("expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        place = place_of(headers.get("host", ""), request.raw_path, self._specs)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return error_response(error.too_large(LARGEST_BODY), Style.OPENAI)
        received = ReceivedRequest(
            provider=place.provider,
            method=request.method,
            path=request.raw_path,
            headers=[(n.decode("latin-1"), v.decode("latin-1")) for n, v in request.raw_headers],
            body=body,
            model=None,
            started_at=started_at,
        )
        return await self._recorded(request, place, received)

    async def _recorded(
        self, request: web.BaseRequest, place: Place, received: ReceivedRequest
    ) -> web.StreamResponse:
        try:
            response = await self._answered(request, place, received)
            received.status = response.status
            return response
        except Reset:
            pass
        except (asyncio.CancelledError, ConnectionError):
            received.cancelled = not self.stopping
            # aiohttp takes this for what it is, and would log a ConnectionError.
            raise asyncio.CancelledError from None
        finally:
            received.finished_at = time.monotonic()
            self._journal.wake()
        reset(request)
        # There is nobody to answer any more: aiohttp cancels this handler, as for any client
        # that went away.
        return await asyncio.Future[web.StreamResponse]()

    async def _answered(
        self, request: web.BaseRequest, place: Place, received: ReceivedRequest
    ) -> web.StreamResponse:
        endpoint = ENDPOINTS.get(place.below or "")
        style = endpoint.style if endpoint else Style.OPENAI
        reply = _reply_or_refusal(request, place, received.body)
        received.model = (reply.model or None) if isinstance(reply, Reply) else None
        fault = self._faults.next(place.provider, received.model)
        received.fault = fault.kind if fault else None
        self._journal.add(received)
        request_id = _request_id(place, received.body)
        if fault and (failed := await _failed(fault, style, request_id)):
            return failed
        if place.spec is None:
            names = ", ".join(self._specs)
            reply = Refusal(404, f"No provider {place.provider!r} is simulated, only: {names}")
            return error_response(reply, style)
        reply = (
            _denied(request, place.spec)
            or _unversioned(request, style)
            or _unknown(reply, place.spec)
            or reply
        )
        if isinstance(reply, Refusal):
            return error_response(reply, style, None, request_id)
        pace = Pace(place.spec.timing_of(reply.model), self._chance, received.started_at)
        return await Sending(request, received, pace, fault, style, request_id).send(reply)


def _request_id(place: Place, body: bytes) -> str:
    spec = ProviderSpec(place.provider) if place.spec is None else place.spec
    return f"req_{seed_of(spec, body)[:32]}"


def _reply_or_refusal(request: web.BaseRequest, place: Place, body: bytes) -> Reply | Refusal:
    try:
        return _reply(request, place, body)
    except Refusal as refusal:
        return refusal


def _reply(request: web.BaseRequest, place: Place, body: bytes) -> Reply:
    """What the provider says to the request if nothing stands against it."""
    spec, below, method = place.spec, place.below, request.method
    if spec is None or below is None:
        raise error.no_such_url(method, place.path)
    if (endpoint := ENDPOINTS.get(below)) is not None:
        if method != "POST":
            raise error.wrong_method(method, place.path)
        return endpoint.reply(_unpacked(request, body), spec)
    if below == "/models" or below.startswith("/models/"):
        if method != "GET":
            raise error.wrong_method(method, place.path)
        return _models(spec, below.removeprefix("/models").removeprefix("/"))
    raise error.no_such_url(method, place.path)


def _models(spec: ProviderSpec, wanted: str) -> Reply:
    """The list of models, or the one that is ``wanted``."""

    def entry(name: str) -> dict[str, object]:
        return {"id": name, "object": "model", "created": _CREATED, "owned_by": spec.name}

    def plain() -> dict[str, object]:
        if wanted:
            return entry(wanted)
        return {"object": "list", "data": [entry(name) for name in spec.models or ()]}

    return Reply(wanted, 0, False, plain, tuple)


def _unpacked(request: web.BaseRequest, body: bytes) -> bytes:
    """The body without its content encoding; what is recorded keeps it."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return body
    if encoding != "gzip":
        raise Refusal(415, f"Content-Encoding {encoding!r} is not supported.")
    try:
        unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        document = unpacking.decompress(body, LARGEST_BODY)
    except zlib.error as problem:
        raise Refusal(400, f"The body is not gzip: {problem}") from None
    if not unpacking.eof:
        raise error.too_large(LARGEST_BODY)
    return document


def _denied(request: web.BaseRequest, spec: ProviderSpec) -> Refusal | None:
    """The refusal of a request without the right key; either API's header is taken."""
    if spec.api_key is None:
        return None
    given = request.headers.get("authorization", "")
    scheme, _, key = given.partition(" ")
    if scheme.lower() != "bearer":
        key = request.headers.get("x-api-key", "")
    if hmac.compare_digest(key.encode("utf-8", "surrogateescape"), spec.api_key.encode()):
        return None
    return error.wrong_key(bool(key))


def _unversioned(request: web.BaseRequest, style: Style) -> Refusal | None:
    """The refusal of a request to Anthropic's API that does not say which version it means."""
    if style is Style.ANTHROPIC and "anthropic-version" not in request.headers:
        return error.no_version()
    return None


def _unknown(reply: Reply | Refusal, spec: ProviderSpec) -> Refusal | None:
    """The refusal of a model that the provider does not have; the list of models names none."""
    if isinstance(reply, Reply) and reply.model and not spec.knows(reply.model):
        return error.no_such_model(reply.model)
    return None


async def _failed(fault: Fault, style: Style, request_id: str) -> web.Response | None:
    """What a fault answers instead of the provider; ``None`` where the provider goes on."""
    if fault.delay_ms:
        await asyncio.sleep(fault.delay_ms / 1000)
    match fault.kind:
        case FaultKind.STATUS:
            after = fault.retry_after
            headers = {} if after is None else {"retry-after": str(after)}
            refusal = error.refusal_of(fault, fault.status)
            return error_response(refusal, style, {**headers, **fault.headers}, request_id)
        case FaultKind.RESET:
            raise Reset
        case FaultKind.HANG:
            await asyncio.Future[None]()
    return None
