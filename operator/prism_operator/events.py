"""Kubernetes Events: said when something changed, never on every look at it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kubernetes_asyncio.client import ApiClient, CoreV1Api

from prism.resources import API_VERSION
from prism_operator.api import TIMEOUT_S, UNREACHABLE
from prism_operator.conditions import ACCEPTED, PROGRAMMED, Status, find
from prism_operator.observed import Key

log = logging.getLogger(__name__)

COMPONENT = "prism-operator"
_MOST_WAITING = 5000
_PACE_S = {"Warning": 0.05, "Normal": 0.25}
"""Seconds after an Event while more of them wait, by its type: thousands at once would take the
API server's time from the changes that follow."""
_LONGEST = 1000
_LOUD = ("Refused", "TableDeleted", "Withheld")


@dataclass(frozen=True, slots=True)
class Subject:
    """What an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""


class Message(NamedTuple):
    """One Event without its subject; ``type`` is Normal or Warning."""

    type: str
    reason: str
    message: str


def subject_of(key: Key, uid: str) -> Subject:
    return Subject(API_VERSION, key.kind, key.namespace, key.name, uid)


def config_map(namespace: str, name: str) -> Subject:
    return Subject("v1", "ConfigMap", namespace, name)


def transitions(status: Status, before: Status) -> Iterator[Message]:
    """The Events that belong to a change of status."""
    newer = status["observedGeneration"] != before.get("observedGeneration")
    accepted, programmed = find(status, ACCEPTED), find(status, PROGRAMMED)
    if accepted["status"] == "False":
        if newer or accepted["reason"] != find(before, ACCEPTED).get("reason"):
            yield Message("Warning", accepted["reason"], accepted["message"])
        return
    old = find(before, PROGRAMMED)
    if programmed["status"] == "True":
        if newer or old.get("status") != "True":
            yield Message("Normal", PROGRAMMED, programmed["message"])
    elif programmed["reason"] in _LOUD and programmed["reason"] != old.get("reason"):
        yield Message("Warning", programmed["reason"], programmed["message"])


class Recorder:
    """Posts Events in the background, one after the other and warnings first; what cannot be
    posted is dropped, for an Event is a courtesy."""

    def __init__(self, client: ApiClient, instance: str) -> None:
        self._core = CoreV1Api(client)
        self._instance = instance
        self._waiting: asyncio.PriorityQueue[tuple[bool, int, str, Subject, Message]]
        self._waiting = asyncio.PriorityQueue(_MOST_WAITING)
        self._number = itertools.count()

    def say(self, subject: Subject, message: Message) -> None:
        """Post an Event soon."""
        try:
            later = message.type != "Warning"
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._waiting.put_nowait((later, next(self._number), now, subject, message))
        except asyncio.QueueFull:
            log.warning("too many events; dropped: %s %s", subject.name, message.reason)

    async def run(self) -> None:
        """Post until cancelled."""
        while True:
            _, _, when, subject, message = await self._waiting.get()
            try:
                body = self._body(subject, message, when)
                answer: Any = await self._core.create_namespaced_event(
                    subject.namespace, body, _request_timeout=TIMEOUT_S, _preload_content=False
                )
                if answer.status >= 300:
                    log.warning("an event about %s is refused: %s", subject.name, answer.reason)
                answer.release()
            except UNREACHABLE as error:
                log.warning("an event about %s is lost: %s", subject.name, error)
            if not self._waiting.empty():
                await asyncio.sleep(_PACE_S[message.type])

    def _body(self, subject: Subject, message: Message, when: str) -> Any:
        involved = {
            "apiVersion": subject.api_version,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            **({"uid": subject.uid} if subject.uid else {}),
        }
        return {
            "metadata": {
                "name": f"{subject.name[:200].rstrip('.-')}.{secrets.token_hex(8)}",
                "namespace": subject.namespace,
            },
            "involvedObject": involved,
            "type": message.type,
            "reason": message.reason,
            "message": message.message[:_LONGEST],
            "firstTimestamp": when,
            "lastTimestamp": when,
            "count": 1,
            "source": {"component": COMPONENT, "host": self._instance},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance,
        }
