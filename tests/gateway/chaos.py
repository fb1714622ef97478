"""The chaos matrix: every fault, streamed or not, raced or not, small or large, of either API.

All cases meet one gateway, and nothing is switched between them. What the gateway learns of a
model in one case must not matter to another, and three failures in a row do: so cases are spread
over lanes of two, each with a table and a project of its own. A lane's cells name, in this order,
a model whose provider fails, one that the project is denied, and one that is well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import product
from typing import Any

from prism.providers import Fault, FaultKind, ProviderSpec
from prism.serve.health import FAILURES

from . import config

FAILS, FAILS_TOO, DENIES, WELL = "beta", "claude", "gamma", "alpha"
"""The providers: of the first model, with OpenAI's API and with Anthropic's; of the one that policy
denies; of the one that is well."""
KEYS = {name: f"{name}-secret" for name in (FAILS, FAILS_TOO, DENIES, WELL)}
ENVIRONMENT = {f"CHAOS_{name.upper()}": key for name, key in KEYS.items()}
LATE_MS = 50_000
"""Longer than anything else here on a busy machine."""


class Ends(Enum):
    """What the client gets."""

    NEXT = auto()
    """The answer of the next model that the project may use."""
    PASSED_ON = auto()
    """What the first model said, whole, be it an answer or an error."""
    BROKEN = auto()
    """The beginning of a stream, and then a broken connection: it can't be begun anew."""
    ERROR = auto()
    """An error of Envoy's, which held a plain answer back that then broke off."""


def status(code: int, message: str | None = None) -> Fault:
    return Fault(kind=FaultKind.STATUS, status=code, message=message)


FAULTS = {
    "none": (None, Ends.PASSED_ON),
    "400": (status(400, "no such parameter"), Ends.PASSED_ON),
    "401": (status(401), Ends.NEXT),
    "429": (status(429), Ends.NEXT),
    "503": (status(503), Ends.NEXT),
    "reset": (Fault(kind=FaultKind.RESET), Ends.NEXT),
    "hang": (Fault(kind=FaultKind.HANG), Ends.NEXT),
    "delay": (Fault(kind=FaultKind.DELAY, delay_ms=200), Ends.PASSED_ON),
    "late": (Fault(kind=FaultKind.DELAY, delay_ms=LATE_MS), Ends.NEXT),
    "slow": (Fault(kind=FaultKind.SLOW, between_ms=5), Ends.PASSED_ON),
    "cut": (Fault(kind=FaultKind.CUT, after_chunks=2), Ends.BROKEN),
    "stream-error": (Fault(kind=FaultKind.STREAM_ERROR, after_chunks=2), Ends.PASSED_ON),
    "garbage": (Fault(kind=FaultKind.GARBAGE), Ends.PASSED_ON),
}
RACED_ONLY = {"late"}
LANE = FAILURES - 1
"""Cases of a lane: a model rests after so many failures and one more. Which faults count as one
depends on who asks, and news of an answer between them may come late; so it is for all."""
MODES = {False: "balanced", True: "sport"}
"""Sport is raced."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A table and a project for ``LANE`` cases of one fault, which stream or do not."""

    what: str
    stream: bool
    number: int
    fails: str = FAILS
    """The provider of the first model."""

    @property
    def name(self) -> str:
        how = "stream" if self.stream else "plain"
        return f"{self.what}-{how}-{self.fails}-{self.number}"

    @property
    def key(self) -> str:
        """The client's key."""
        return f"prism-chaos-{self.name}"

    @property
    def fault(self) -> Fault | None:
        """What happens to the lane's first model, and to no other."""
        found = FAULTS[self.what][0]
        if found is None:
            return None
        members = {name: getattr(found, name) for name in found.__struct_fields__}
        return Fault(**{**members, "model": upstream(self.model(self.fails))})

    @property
    def ends(self) -> Ends:
        plain = {"stream-error": Ends.NEXT, "cut": Ends.ERROR}  # the first becomes a 500
        found = FAULTS[self.what][1]
        return found if self.stream else plain.get(self.what, found)

    @property
    def providers(self) -> tuple[str, ...]:
        """Those of its models, in the order of its cells."""
        return self.fails, DENIES, WELL

    def model(self, provider: str) -> str:
        """The lane's model at a provider."""
        return f"first-{self.name}" if provider == self.fails else f"at-{provider}"


@dataclass(frozen=True, slots=True)
class Case:
    """One request. ``size`` is that of its body, in bytes, about."""

    lane: Lane
    racing: bool
    size: int
    client: str = "raw"

    @property
    def name(self) -> str:
        how = ("stream" if self.lane.stream else "plain", "raced" if self.racing else "alone")
        size = "5MB" if self.size > 1_000_000 else "1kB"
        return "-".join((self.lane.what, *how, self.lane.fails, size, self.client))

    @property
    def ends(self) -> Ends:
        # What is translated is read before it is passed on: a whole answer that can't be is a
        # failed attempt.
        translated = self.lane.fails == FAILS_TOO and self.client != "anthropic"
        unread = translated and not self.lane.stream and self.lane.what in ("cut", "garbage")
        return Ends.NEXT if unread else self.lane.ends

    @property
    def attempts(self) -> list[str]:
        """The providers that are asked, in order."""
        first = self.lane.fails
        return [first, WELL] if self.ends is Ends.NEXT else [first]

    @property
    def text(self) -> str:
        """What the real clients say."""
        return "What is the capital of France? " + _SAID * (self.size // _SAID_BYTES)

    def body(self, provider: str | None = None) -> bytes:
        """The request's body, spaced as no client would, for any model or a provider's."""
        model = "auto" if provider is None else upstream(self.lane.model(provider))
        return _BODY % (
            b"true" if self.lane.stream else b"false",
            json.dumps(model).encode(),
            self.name.encode(),
            _TEXT * (self.size // len(_TEXT) + 1),
        )


_BODY = (
    b'{ "temperature":1.0, "stream" :%s,"model":  %s,\n "user":"%s",'
    b'"messages":[{"role":"user","content":"%s"}], "seed":12345678901234567890 }'
)
_SAID = 'Grüße you said 😀 \\u00e9 "model": "auto" \n'
_SAID_BYTES = len(json.dumps(_SAID))
_TEXT = r"Grüße 你好 😀 \u00e9 \"model\": \"auto\" ".encode()


def cases() -> Iterator[Case]:
    """The whole matrix: by bare requests where the first provider speaks OpenAI's API, and by the
    real clients of both APIs where it speaks Anthropic's."""
    for what, stream in product(FAULTS, (False, True)):
        both = list(product((False, True), (1000, 5_000_000)))
        asked = {
            FAILS: [*((*how, "raw") for how in both), (what in RACED_ONLY, 1000, "openai")],
            FAILS_TOO: [(*how, client) for how in both for client in ("openai", "anthropic")],
        }
        for fails, ways in asked.items():
            ways = [way for way in ways if way[0] or what not in RACED_ONLY]
            for number, way in enumerate(ways):
                yield Case(Lane(what, stream, number // LANE, fails), *way)


def upstream(model: str) -> str:
    """What a model is called at its provider."""
    return f"{model}-2026-11"


def specs() -> list[ProviderSpec]:
    """Providers that insist on their own key and answer for any model."""
    return [ProviderSpec(name=name, api_key=key) for name, key in KEYS.items()]


def documents(lanes: list[Lane], urls: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The tables and policies; one of the tables must be the default one."""
    for lane in lanes:
        table = "default" if lane is lanes[0] else lane.name
        digest = hashlib.sha256(lane.key.encode()).hexdigest()
        policy = {
            "project": lane.name,
            "table": table,
            "apiKeys": [{"sha256": digest, "name": "test"}],
            "models": {"denied": [lane.model(DENIES)]},
        }
        yield config.document("RoutingTable", table, _table(lane, urls))
        yield config.document("ProjectPolicy", lane.name, policy)


def _table(lane: Lane, urls: Mapping[str, str]) -> dict[str, Any]:
    names = [lane.model(provider) for provider in lane.providers]
    # A failure meets an attempt beside it; an answer comes before there is one.
    wait = 0 if lane.ends is Ends.NEXT else LATE_MS
    return {
        "failureMode": "Closed",
        "providers": [
            {
                "name": name,
                "baseURL": urls[name],
                "api": "Anthropic" if name == FAILS_TOO else "OpenAI",
                "region": "eu",
                "credentials": [{"key": f"CHAOS_{name.upper()}"}],
            }
            for name in lane.providers
        ],
        "models": [_model(lane.model(provider), provider) for provider in lane.providers],
        "cells": {task: dict.fromkeys((*MODES.values(), "eco"), names) for task in config.CELLS},
        # On a busy machine 5 MB may take a while, too.
        "retry": {
            "maxAttempts": 3,
            "attemptTimeout": "4s" if lane.what == "hang" else "1m",
            "totalTimeout": "10m",
        },
        "racing": {"modes": [MODES[True]], "waitMs": wait, "maxShare": 1},
    }


def _model(name: str, provider: str) -> dict[str, Any]:
    return {
        "name": name,
        "provider": provider,
        "upstreamName": upstream(name),
        "price": {"inputPerMillion": 1, "outputPerMillion": 4},
        "quality": dict.fromkeys(config.CELLS, 0.7),
        "latency": {"timeToFirstTokenMs": 100, "tokensPerSecond": 100},
        "contextLength": 20_000_000,
    }
