"""The simulated providers as a server that tests, the demo and benchmarks start."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from prism.providers.control import ROOT, Control
from prism.providers.fault import Fault, Faults
from prism.providers.received import Journal, ReceivedRequest
from prism.providers.service import LARGEST_BODY, Service
from prism.providers.spec import ProviderSpec

_LARGEST_HEADER = 64 * 1024


class SimulatedProviders:
    """Providers behind one port, from ``async with`` until its end.

    ``port`` 0 takes a free one. ``seed`` decides chance: jitter and faults' probability.
    """

    def __init__(
        self,
        providers: Sequence[ProviderSpec],
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        seed: int = 0,
    ) -> None:
        self.specs: Mapping[str, ProviderSpec] = {spec.name: spec for spec in providers}
        self.port = port
        self._host = host
        self._journal = Journal()
        chance = random.Random(seed)  # noqa: S311 - repeatable on purpose, nothing secret
        self._faults = Faults(chance)
        self._control = Control(self.specs, self._faults, self._journal)
        self._service = Service(self.specs, self._faults, self._journal, chance)
        self._runner: web.ServerRunner | None = None

    @property
    def origin(self) -> str:
        """Such as ``http://127.0.0.1:9000``, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def url(self, provider: str) -> str:
        """A provider's base URL, as an SDK takes it.

        Raises:
            KeyError: there is no such provider.
        """
        return f"{self.origin}/{provider}{self.specs[provider].base_path}"

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The latest requests, oldest first."""
        return self._journal.requests

    async def until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Wait until ``condition`` holds, asked again whenever a request comes or ends.

        Raises:
            TimeoutError: it did not hold in time.
        """
        await self._journal.until(condition, timeout_s)

    def fault(self, provider: str, fault: Fault) -> None:
        """Let ``provider`` fail from now on.

        Raises:
            KeyError: there is no such provider.
        """
        self._faults.switch_on(self.specs[provider].name, fault)

    def clear_faults(self, provider: str | None = None) -> None:
        """Switch off every fault, or those of one provider."""
        self._faults.clear(provider)

    def reset(self) -> None:
        """Switch off every fault and forget every request."""
        self._faults.clear()
        self._journal.clear()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()

        def larger(
            message: Any, payload: Any, protocol: Any, writer: Any, task: Any
        ) -> web.BaseRequest:
            given = (message, payload, protocol, writer, task, loop)
            return web.BaseRequest(*given, client_max_size=LARGEST_BODY)

        server = web.Server(
            self._handle,
            request_factory=larger,
            handler_cancellation=True,
            access_log=None,
            # Bodies are recorded as sent.
            auto_decompress=False,
            max_line_size=_LARGEST_HEADER,
            max_field_size=_LARGEST_HEADER,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self.port, backlog=1024).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._service.stopping = True
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path.startswith(ROOT + "/"):
            return await self._control.handle(request)
        return await self._service.handle(request)
