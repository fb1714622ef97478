"""The connection to the Kubernetes API, and the few calls that are made over it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import kopf
import msgspec
from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, ApiException, Configuration
from kubernetes_asyncio.config import ConfigException

from prism.resources import API_VERSION, GROUP, PROJECT_POLICY, ROUTING_TABLE
from prism_operator.observed import Key

VERSION = API_VERSION.rpartition("/")[2]
PLURALS: Mapping[str, str] = {ROUTING_TABLE: "routingtables", PROJECT_POLICY: "projectpolicies"}

UNREACHABLE = (ApiException, aiohttp.ClientError, TimeoutError, OSError)
"""What a call may raise while the API server is away, or says no."""

TIMEOUT_S = 10.0
"""For a call whose answer is small."""
_CONNECTIONS = 32
_PAGE = 500
_LIST_TIMEOUT_S = 60.0


class NoCluster(Exception):
    """Neither KUBECONFIG nor a pod's service account says where the API server is."""


async def configuration() -> Configuration:
    """How to reach the API server; raises ``NoCluster``. KUBECONFIG goes first."""
    made = Configuration()
    try:
        if "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=made)  # type: ignore[no-untyped-call]
        else:
            given = os.environ.get("KUBECONFIG")
            await config.load_kube_config(config_file=given, client_configuration=made)
    except (ConfigException, OSError) as error:
        raise NoCluster(f"no way to a Kubernetes API server: {error}") from None
    return made


async def connection_info() -> kopf.ConnectionInfo:
    """The same for kopf, with the present token."""
    made = await configuration()
    header = await made.get_api_key_with_prefix("BearerToken") or ""
    scheme, _, token = header.rpartition(" ")
    return kopf.ConnectionInfo(
        server=made.host or "",
        ca_path=made.ssl_ca_cert,
        insecure=not made.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=made.cert_file,
        private_key_path=made.key_file,
    )


@asynccontextmanager
async def connect() -> AsyncIterator[ApiClient]:
    """A client of the API server with connections of its own; raises ``NoCluster``."""
    made = await configuration()
    made.connection_pool_maxsize = _CONNECTIONS
    async with ApiClient(made) as client:
        # aiohttp would look for proxies and passwords in the environment, in a thread, for each
        # request. A proxy of KUBECONFIG (proxy-url) is used all the same.
        client.rest_client.pool_manager._trust_env = False
        yield client


@dataclass(frozen=True, slots=True)
class Listing:
    """Every object of a kind in a namespace, as of ``version``."""

    documents: list[dict[str, Any]]
    version: int


class Resources:
    """Our two kinds at the API server. Every call raises one of ``UNREACHABLE``."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def list(self, kind: str, namespace: str) -> Listing:
        """All objects of a kind just now; ``namespace`` empty means everywhere."""
        documents: list[dict[str, Any]] = []
        token, version = "", 0
        place = _place(kind, namespace)
        while True:
            asked = {"limit": str(_PAGE), **({"continue": token} if token else {})}
            page = await self._ask("GET", place, _LIST_TIMEOUT_S, params=asked)
            documents += page["items"]
            # All pages are of the version of the first.
            version = version or int(page["metadata"]["resourceVersion"])
            token = page["metadata"].get("continue") or ""
            if not token:
                return Listing(documents, version)

    async def list_cached(self, kind: str, namespace: str, version: int) -> Listing:
        """The same from the API server's memory, which may lag behind but not behind ``version``,
        one that an object of the kind has had (0: whatever there is). It takes the server a
        seventh of the time: it reads nothing from its store."""
        asked = {"resourceVersion": str(version), "resourceVersionMatch": "NotOlderThan"}
        found = await self._ask("GET", _place(kind, namespace), _LIST_TIMEOUT_S, params=asked)
        return Listing(found["items"], int(found["metadata"]["resourceVersion"]))

    async def patch_status(self, key: Key, uid: str, status: Mapping[str, Any]) -> dict[str, Any]:
        """Write a status; refused (409) where the object was deleted and made anew."""
        place = f"{_place(key.kind, key.namespace)}/{key.name}/status"
        data = msgspec.json.encode({"metadata": {"uid": uid}, "status": status})
        return await self._ask("PATCH", place, TIMEOUT_S, data=data)

    async def _ask(self, method: str, place: str, seconds: float, **more: Any) -> dict[str, Any]:
        """Over the client's own session, but past its models: with thousands of resources those
        would take three times as long as the requests."""
        rest = self._client.rest_client
        async with rest.pool_manager.request(
            method,
            f"{self._client.configuration.host}/apis/{GROUP}/{VERSION}/{place}",
            headers=await self._headers(),
            timeout=aiohttp.ClientTimeout(total=seconds),
            proxy=rest.proxy,
            server_hostname=rest.server_hostname,
            **more,
        ) as answer:
            content = await answer.read()
            if answer.status >= 300:
                raise ApiException(status=answer.status, reason=answer.reason)
        try:
            found: dict[str, Any] = msgspec.json.decode(content)
        except msgspec.DecodeError as error:  # a proxy's page, say
            raise aiohttp.ClientPayloadError(f"no answer of an API server: {error}") from None
        return found

    async def _headers(self) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/merge-patch+json",
            "User-Agent": "prism-operator",
        }
        if token := await self._client.configuration.get_api_key_with_prefix("BearerToken"):
            headers["Authorization"] = token
        return headers


def _place(kind: str, namespace: str) -> str:
    return f"namespaces/{namespace}/{PLURALS[kind]}" if namespace else PLURALS[kind]
