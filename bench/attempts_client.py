"""The client of ``make bench-attempts``: streamed questions, so many at a time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from attempts_documents import ALONE, Part
from load import BadAnswer

QUESTION = "Summarise the following report in three sentences. " + "All is well so far. " * 40
TOGETHER = 16
"""Requests under way at a time."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One request that is over. ``good``: a whole stream came with status 200. Times are
    milliseconds from sending it: to the first byte of the answer's body, and to the last."""

    good: bool
    first_ms: float
    total_ms: float
    attempts: int
    model: str
    usage: Mapping[str, Any]


class Client:
    """Asks a gateway of this machine; ``admin_port`` is that of Prism's admin endpoints."""

    def __init__(self, session: aiohttp.ClientSession, port: int, admin_port: int) -> None:
        self._session = session
        self._url = f"http://127.0.0.1:{port}"
        self._admin = f"http://127.0.0.1:{admin_port}"

    async def ask(self, part: Part, mode: str = ALONE, model: str = "auto") -> Answered:
        """One request; a connection that breaks is an answer that is not good."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": QUESTION}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        url = f"{self._url}/v1/chat/completions"
        headers = {"authorization": f"Bearer {part.key}", "x-prism-mode": mode}
        began = time.perf_counter()
        try:
            async with self._session.post(url, json=body, headers=headers) as answer:
                first = await answer.content.readany()
                first_ms = (time.perf_counter() - began) * 1000
                text = first + await answer.content.read()
        except aiohttp.ClientError:
            took = (time.perf_counter() - began) * 1000
            return Answered(False, took, took, 0, "", {})
        good = answer.status == 200 and text.rstrip().endswith(b"[DONE]")
        usage = json.loads(text.split(b"data: ")[-2])["usage"] if good else {}
        return Answered(
            good,
            first_ms,
            (time.perf_counter() - began) * 1000,
            int(answer.headers.get("x-prism-attempts", 0)),
            answer.headers.get("x-prism-model", ""),
            usage,
        )

    async def ask_many(
        self, part: Part, number: int, mode: str = ALONE, together: int = TOGETHER
    ) -> list[Answered]:
        """So many requests, ``together`` at a time."""
        turn = asyncio.Semaphore(together)

        async def one() -> Answered:
            async with turn:
                return await self.ask(part, mode)

        return await asyncio.gather(*(one() for _ in range(number)))

    async def status(self) -> Mapping[str, Any]:
        """What Prism's admin endpoint says."""
        async with self._session.get(f"{self._admin}/status") as answer:
            found: Mapping[str, Any] = await answer.json()
            return found

    async def metric(self, name: str, **labels: str) -> float:
        """A counter of Envoy's, all its lines with these labels together."""
        async with self._session.get(f"{self._admin}/envoy/metrics") as answer:
            lines = (await answer.text()).splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [line for line in lines if line.startswith(name) and all(w in line for w in wanted)]
        if not found:
            raise BadAnswer(f"Envoy has no metric {name} with {labels}")
        return sum(float(line.rpartition(" ")[2]) for line in found)


def all_good(answers: list[Answered]) -> list[Answered]:
    """The same; raises ``BadAnswer`` where one is not."""
    bad = [answer for answer in answers if not answer.good]
    if bad:
        raise BadAnswer(f"{len(bad)} of {len(answers)} failed where nothing should: {bad[0]}")
    return answers
