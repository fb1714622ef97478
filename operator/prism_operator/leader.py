"""Which of the operator's replicas acts: the one that holds a Lease.

As in Kubernetes' own controllers, times in the Lease are never compared with this machine's
clock: a Lease has run out when it has not changed for its duration, by the monotonic clock of
the one who watches it. So clocks may differ as they like.

The client library's election measures by the wall clock and does not give the Lease back at the
end, which a takeover within a second needs; hence this one.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kubernetes_asyncio.client import ApiClient, ApiException, CoordinationV1Api

from prism_operator.api import UNREACHABLE

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. A leader that could not renew for ``renew_deadline`` stops acting, which is
    before anyone else may start.

    An API server that has thousands of objects to write, or is replaced, may take some seconds
    for an answer: that must not move the leadership. So a renewal has several tries, and a leader
    that is killed is followed within ten seconds (8, and the pause between two looks).
    """

    lease: int = 8
    renew_deadline: float = 6.0
    retry: float = 1.0


class Leadership:
    """One candidate. ``lead`` runs while it holds the Lease, and is cancelled when it loses it."""

    def __init__(
        self,
        client: ApiClient,
        namespace: str,
        name: str,
        identity: str,
        lead: Callable[[], Awaitable[None]],
        timing: Timing = Timing(),
    ) -> None:
        self._leases = CoordinationV1Api(client)
        self._namespace, self._name, self._identity = namespace, name, identity
        self._lead = lead
        self._timing = timing
        self._seen: tuple[Any, ...] = ()
        self._seen_at = 0.0
        self._held: Any = None
        self.leads = False

    async def run(self) -> None:
        """Wait for the Lease, lead, and again; ends when cancelled, giving the Lease back."""
        try:
            while True:
                begun = time.monotonic()
                if await self._try(self._timing.renew_deadline):
                    log.info("%s leads", self._identity)
                    await self._term(begun)
                    log.warning("%s leads no more", self._identity)
                await asyncio.sleep(self._timing.retry * random.uniform(0.8, 1.2))  # noqa: S311
        finally:
            if self._seen[:1] == (self._identity,):
                await self._release()

    async def _term(self, renewed: float) -> None:
        """Lead from now until the Lease is lost, or leading fails."""
        self.leads = True
        leading = asyncio.ensure_future(self._lead())
        try:
            while not leading.done():
                left = renewed + self._timing.renew_deadline - time.monotonic()
                if left <= 0:
                    return
                await asyncio.wait([leading], timeout=min(self._timing.retry, left))
                begun = time.monotonic()
                if await self._try(renewed + self._timing.renew_deadline - begun):
                    renewed = begun
                elif self._seen[:1] != (self._identity,):
                    return  # it was read, and is another's
        finally:
            self.leads = False
            leading.cancel()
            ended = await asyncio.gather(leading, return_exceptions=True)
            if isinstance(ended[0], Exception):
                log.error("leading failed", exc_info=ended[0])

    async def _try(self, seconds: float) -> bool:
        """Take or renew the Lease in time; false where it is another's or the API server is
        away."""
        try:
            return await asyncio.wait_for(self._take(), seconds)
        except ApiException as error:
            # A conflict: someone else was quicker.
            if error.status != 409:
                log.warning(
                    "the lease %s cannot be had: %s %s", self._name, error.status, error.reason
                )
        except UNREACHABLE as error:
            log.warning("the lease %s cannot be had: %s", self._name, error or type(error).__name__)
        return False

    async def _take(self) -> bool:
        held, self._held = self._held, None
        if held is not None:
            # Assume that it is as it was left, as client-go does: one request and not two. Should
            # it be another's now, this is a conflict, and the next try reads it first.
            await self._write(held, taken=False)
            return True
        try:
            lease = await self._leases.read_namespaced_lease(self._name, self._namespace)
        except ApiException as error:
            if error.status != 404:
                raise
            body = self._body(None, taken=True)
            self._keep(await self._leases.create_namespaced_lease(self._namespace, body))
            return True
        self._note(lease.spec)
        holder = lease.spec.holder_identity or ""
        if holder not in ("", self._identity) and not self._ran_out(lease.spec):
            return False
        await self._write(lease, taken=holder != self._identity)
        return True

    async def _write(self, lease: Any, taken: bool) -> None:
        body = self._body(lease, taken)
        self._keep(await self._leases.replace_namespaced_lease(self._name, self._namespace, body))

    def _keep(self, lease: Any) -> None:
        """Know the Lease as it is now that it is ours."""
        self._held = lease
        self._note(lease.spec)

    def _note(self, spec: Any) -> None:
        record = (spec.holder_identity or "", spec.renew_time, spec.lease_transitions)
        if record != self._seen:
            self._seen, self._seen_at = record, time.monotonic()

    def _ran_out(self, spec: Any) -> bool:
        duration = spec.lease_duration_seconds or self._timing.lease
        return bool(time.monotonic() - self._seen_at > duration)

    def _body(self, lease: Any, taken: bool, holder: str | None = None) -> Any:
        """The Lease as it should be. It has the version that was read, so that only one of
        several writers succeeds."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata = {"name": self._name, "namespace": self._namespace}
        spec: dict[str, Any] = {
            "holderIdentity": self._identity if holder is None else holder,
            "leaseDurationSeconds": self._timing.lease,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": 0,
        }
        if lease is not None:
            metadata["resourceVersion"] = lease.metadata.resource_version
            spec["leaseTransitions"] = (lease.spec.lease_transitions or 0) + taken
            if not taken and lease.spec.acquire_time:
                spec["acquireTime"] = lease.spec.acquire_time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"metadata": metadata, "spec": spec}

    async def _release(self) -> None:
        """Give the Lease back, so that another takes it at once."""
        try:
            async with asyncio.timeout(self._timing.retry * 2):
                lease = await self._leases.read_namespaced_lease(self._name, self._namespace)
                if lease.spec.holder_identity == self._identity:
                    body = self._body(lease, taken=False, holder="")
                    await self._leases.replace_namespaced_lease(self._name, self._namespace, body)
                    log.info("%s gave the lease back", self._identity)
        except UNREACHABLE as error:
            log.warning("the lease could not be given back: %s", error)
