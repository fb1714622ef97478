"""One verdict, whoever is asked: the webhook over HTTPS, or ``prism validate``.

The golden files go through both, and so does the table of single bad changes. That the API
server's schema and rules say the same is ``tests/cluster/test_verdicts.py``.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from prism.resources import KINDS, compile_resources, envelope, has_errors, read_text
from prism_operator import webhook
from prism_operator.metrics import Metrics
from prism_operator.observed import Observed, observe
from prism_operator.settle import settle
from prism_operator.settlement import NOTHING
from prism_operator.tls import HttpsContext

from . import certificates

TESTS = Path(__file__).parents[1]
FILES = {file.name: file.read_bytes() for file in (TESTS / "data/resources").glob("*valid/*.yaml")}
_MOST = 10_000
_DOCUMENT_ENDS = re.compile(rb"(?m)^---[ \t]*\n")

Document = dict[str, Any]


class Endpoint:
    """The webhook, served as the operator serves it; ``there`` is what exists."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self.there: list[Observed] = []

    def state(self) -> Any:
        return self.there, settle(self.there, NOTHING.live)

    async def allows(self, document: Document) -> bool:
        """The verdict on an object that is new, asked for as the API server does."""
        review = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {"uid": "asked", "operation": "CREATE", "object": document},
        }
        async with self._session.post(self._url, json=review) as answer:
            assert answer.status == 200, await answer.text()
            response = (await answer.json())["response"]
        assert response["uid"] == "asked"
        assert response["allowed"] or response["status"]["message"]
        return bool(response["allowed"])


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Endpoint]:
    authority = certificates.authority()
    https = HttpsContext(certificates.server(folder, authority, "localhost"))
    trust = ssl.create_default_context(cadata=authority.certificate.decode())
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(connector=connector) as session:
        endpoint = Endpoint(session, "")
        runner = web.AppRunner(webhook.application(lambda: endpoint.state(), Metrics()))
        await runner.setup()
        site = web.TCPSite(runner, "localhost", 0, ssl_context=https.context)
        await site.start()
        endpoint._url = f"https://localhost:{runner.addresses[0][1]}{webhook.PATH}"
        try:
            yield endpoint
        finally:
            await runner.cleanup()


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with served(tmp_path / "tls") as made:
        yield made


class _Loader(yaml.SafeLoader):
    """Reads numbers as kubectl does: YAML 1.2 has 4e2 for one."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def objects(content: bytes) -> Iterator[Document | None]:
    """Each document as an API server would hand it out; nothing for text that is no object."""
    for part in _DOCUMENT_ENDS.split(content):
        if not re.search(rb"(?m)^[^#\s]", part):
            continue  # only comments
        try:
            found = yaml.load(part, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
            if isinstance(found, dict | list):
                _count(found, iter(range(_MOST)))
            yield stored(json.loads(json.dumps(found, allow_nan=False)))
        except (yaml.YAMLError, ValueError, TypeError, RecursionError, UnicodeDecodeError):
            yield None


def _count(value: Any, left: Iterator[int]) -> None:
    """Fails on an alias bomb, as reading it into an object does in kubectl."""
    if next(left, None) is None:
        raise ValueError("too much")
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _count(item, left)


def stored(document: Any) -> Document | None:
    """An object with what the API server adds; nothing where it could never be one."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return None
    added = {"namespace": "default", "uid": f"uid-{id(document)}", "resourceVersion": "1"}
    return {**document, "metadata": {**added, **metadata}}


# Verdicts of the webhook that are others than those of validate, and why that is right.
DIFFER: dict[str, dict[str, bool]] = {
    # Of several tables without a default one, validate names the first for all of them.
    "together-no-default.yaml": {"RoutingTable/two": False},
    # A policy may be stored before its table, in whatever order a folder is applied; until the
    # table is there the policy's status says that nothing goes live.
    "together-no-table.yaml": {"ProjectPolicy/p": True},
}


@pytest.mark.parametrize("name", sorted(FILES))
async def test_golden(endpoint: Endpoint, name: str) -> None:
    """Each document is asked for while the others of its file are there."""
    resources, problems = read_text(FILES[name], name)
    if name.startswith("together"):
        problems = problems + compile_resources(resources)[1]
    wrong = {problem.resource for problem in problems if problem.is_error}
    found = list(objects(FILES[name]))
    if None in found:  # nothing of it ever reaches a webhook
        assert has_errors(problems)
    ours = [one for one in found if one is not None and one.get("kind") in KINDS]
    verdicts = {}
    for asked in ours:
        endpoint.there = [observe(other) for other in ours if other is not asked]
        verdicts[envelope.label(asked)] = await endpoint.allows(asked)
    # Text that cannot be read has no name to tell a problem by.
    unread = len(found) == 1 and has_errors(problems)
    expected = {one: one not in wrong and not unread for one in verdicts}
    assert verdicts == {**expected, **DIFFER.get(name, {})}
