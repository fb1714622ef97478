"""Keeps the certificates of a gateway's parts in Secrets, for where nothing else does.

Runs once and ends, as a Job after installing and as a CronJob: doing it again changes nothing
until something is due.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kubernetes_asyncio.client import (
    AdmissionregistrationV1Api,
    ApiClient,
    ApiException,
    CoreV1Api,
)

from prism_operator.api import TIMEOUT_S, connect
from prism_operator.renewal import AUTHORITIES, Content, Part, Terms, renew
from prism_operator.stream import CLIENT_NAME

log = logging.getLogger(__name__)

SERVER_NAME = "prism-operator"
"""The name that replicas check, whatever address they called."""
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which Secrets in which namespace; the webhook's is optional. ``configuration`` is the
    ValidatingWebhookConfiguration that is told whom to trust."""

    namespace: str
    operator_secret: str
    extproc_secret: str
    webhook_secret: str = ""
    configuration: str = ""
    operator_names: tuple[str, ...] = ()
    webhook_names: tuple[str, ...] = ()


class NoWebhookName(Exception):
    """Nothing says under which name the webhook is called."""


async def keep(wanted: Wanted, terms: Terms) -> None:
    """Make or renew what is due. Raises one of ``api.UNREACHABLE``, or ``NoWebhookName``."""
    async with connect() as client:
        for turn in range(_TRIES):
            try:
                await _Keeper(client, wanted).keep(terms)
            except ApiException as error:
                # Someone else wrote at the same time.
                if error.status != 409 or turn == _TRIES - 1:
                    raise
                await asyncio.sleep(1)
            else:
                return


class _Keeper:
    def __init__(self, client: ApiClient, wanted: Wanted) -> None:
        self._core = CoreV1Api(client)
        self._webhooks = AdmissionregistrationV1Api(client)
        self._wanted = wanted

    async def keep(self, terms: Terms) -> None:
        wanted = self._wanted
        configuration = await self._configuration()
        parts = {
            wanted.operator_secret: Part((SERVER_NAME, *wanted.operator_names)),
            wanted.extproc_secret: Part((CLIENT_NAME,), client=True),
        }
        if wanted.webhook_secret:
            parts[wanted.webhook_secret] = Part(self._webhook_names(configuration))
        found = {name: await self._read(name) for name in parts}
        held = {name: content for name, (_, content) in found.items()}
        contents = renew(parts, held, datetime.now(UTC), terms)
        # What exists comes first: it must trust the new before the new is used.
        for name in sorted(parts, key=lambda name: not held[name]):
            if contents[name] == held[name]:
                log.info("secret %s: nothing is due", name)
            else:
                await self._write(name, found[name][0], contents[name])
                log.info("secret %s: written", name)
        if configuration is not None:
            await self._tell(configuration, contents[wanted.webhook_secret])

    async def _read(self, name: str) -> tuple[Any, Content]:
        """A Secret (``None`` where there is none yet) and its content."""
        try:
            secret = await self._core.read_namespaced_secret(
                name, self._wanted.namespace, _request_timeout=TIMEOUT_S
            )
        except ApiException as error:
            if error.status != 404:
                raise
            return None, {}
        return secret, {key: base64.b64decode(v) for key, v in (secret.data or {}).items()}

    async def _write(self, name: str, secret: Any, content: Content) -> None:
        namespace = self._wanted.namespace
        data = {key: base64.b64encode(value).decode() for key, value in content.items()}
        if secret is not None:
            secret.data = data
            await self._core.replace_namespaced_secret(
                name, namespace, secret, _request_timeout=TIMEOUT_S
            )
            return
        labels = {"app.kubernetes.io/managed-by": "prism-operator"}
        metadata = {"name": name, "labels": labels}
        body: Any = {"metadata": metadata, "type": "kubernetes.io/tls", "data": data}
        await self._core.create_namespaced_secret(namespace, body, _request_timeout=TIMEOUT_S)

    async def _configuration(self) -> Any:
        if not (self._wanted.configuration and self._wanted.webhook_secret):
            return None
        return await self._webhooks.read_validating_webhook_configuration(
            self._wanted.configuration, _request_timeout=TIMEOUT_S
        )

    def _webhook_names(self, configuration: Any) -> tuple[str, ...]:
        """Those given, and those of the Services that the API server calls."""
        names = dict.fromkeys(self._wanted.webhook_names)
        for hook in configuration.webhooks or () if configuration is not None else ():
            if (service := hook.client_config.service) is not None:
                full = f"{service.name}.{service.namespace}.svc"
                names.update(dict.fromkeys((full, full.removesuffix(".svc"), service.name)))
        if not names:
            raise NoWebhookName("give --webhook-configuration or --webhook-name for the webhook")
        return tuple(names)

    async def _tell(self, configuration: Any, content: Mapping[str, bytes]) -> None:
        """Have the API server trust the webhook's authorities."""
        bundle = base64.b64encode(content[AUTHORITIES]).decode()
        hooks = configuration.webhooks or ()
        if all(hook.client_config.ca_bundle == bundle for hook in hooks):
            return
        patch: Any = [
            {"op": "test", "path": "/metadata/resourceVersion",
             "value": configuration.metadata.resource_version},
            *({"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": bundle}
              for index in range(len(hooks))),
        ]  # fmt: skip
        await self._webhooks.patch_validating_webhook_configuration(
            self._wanted.configuration, patch, _request_timeout=TIMEOUT_S
        )
        log.info("webhook configuration %s: trusts the new authority", self._wanted.configuration)
