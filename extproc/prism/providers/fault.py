"""What can go wrong with a provider, and when it does."""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec


class FaultKind(StrEnum):
    """Ways for a provider to fail. Every kind waits ``delay_ms`` first."""

    STATUS = "status"
    """Answers with the error ``status``, and ``retry-after`` where ``retry_after`` is given."""
    DELAY = "delay"
    """Answers well, only ``delay_ms`` later."""
    RESET = "reset"
    """Resets the connection (TCP RST) instead of answering."""
    CUT = "cut"
    """Resets the connection after ``after_chunks`` chunks of the answer."""
    SLOW = "slow"
    """Waits ``between_ms`` before each chunk of the answer."""
    STREAM_ERROR = "stream-error"
    """Sends an error frame after ``after_chunks`` chunks; a plain answer becomes a 500."""
    GARBAGE = "garbage"
    """Answers 200 with a body that is not JSON, or frames that are not."""
    HANG = "hang"
    """Never answers."""


_Count = Annotated[int, msgspec.Meta(ge=0)]
_Milliseconds = Annotated[float, msgspec.Meta(ge=0)]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One fault of one provider; also the JSON body of ``PUT /_control/faults/{provider}``.

    ``model``: only requests for this model fail. ``times``: the fault clears after that many
    requests. ``probability``: the share (0 to 1) of requests that fail. ``headers``: what the
    answer's headers have beside their own, where there is an answer.
    """

    kind: FaultKind
    status: Annotated[int, msgspec.Meta(ge=300, le=599)] = 503
    retry_after: str | int | None = None
    message: str | None = None
    delay_ms: _Milliseconds = 0
    between_ms: _Milliseconds = 0
    after_chunks: _Count = 1
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    model: str | None = None
    headers: dict[str, str] = {}


def parse_fault(document: bytes) -> Fault:
    """The fault that a JSON document says.

    Raises:
        ValueError: naming the path of what is wrong.
    """
    return msgspec.json.decode(document, type=Fault)


class Faults:
    """The faults switched on now: at most one per provider and model."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._on: dict[str, dict[str | None, Fault]] = {}
        self._left: dict[tuple[str, str | None], int] = {}

    def switch_on(self, provider: str, fault: Fault) -> None:
        """Let ``fault`` happen from now on, in place of the one for the same model, if any."""
        self._on.setdefault(provider, {})[fault.model] = fault
        self._left.pop((provider, fault.model), None)
        if fault.times is not None:
            self._left[provider, fault.model] = fault.times

    def clear(self, provider: str | None = None) -> None:
        """Switch off every fault, or those of one provider."""
        for name in [provider] if provider is not None else list(self._on):
            for model in self._on.pop(name, {}):
                self._left.pop((name, model), None)

    def next(self, provider: str, model: str | None) -> Fault | None:
        """The fault that a request for ``model`` meets now; it counts against ``times``."""
        mine = self._on.get(provider)
        if not mine:
            return None
        fault = mine.get(model) or mine.get(None)
        if fault is None or (fault.probability < 1 and self._chance.random() >= fault.probability):
            return None
        self._count(provider, fault)
        return fault

    def _count(self, provider: str, fault: Fault) -> None:
        place = (provider, fault.model)
        if place not in self._left:
            return
        self._left[place] -= 1
        if not self._left[place]:
            del self._left[place]
            del self._on[provider][fault.model]

    @property
    def on(self) -> Mapping[str, list[Fault]]:
        """The faults by provider; ``times`` is what is left of it."""
        return {
            provider: [
                msgspec.structs.replace(fault, times=self._left.get((provider, model)))
                for model, fault in faults.items()
            ]
            for provider, faults in self._on.items()
            if faults
        }
