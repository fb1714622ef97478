"""What the chart lets each service account do, asked of a real API server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from .chart import CHART, render
from .kube import Kube

pytestmark = pytest.mark.cluster


@dataclass(frozen=True)
class Ask:
    """May this account do that? ``what`` is RESOURCE[.GROUP][/SUBRESOURCE][:NAME], in the
    release's namespace unless another is named."""

    account: str
    verb: str
    what: str
    namespace: str = ""


Asks = Sequence[Ask]


class Installed:
    """The chart's rights in a namespace of their own."""

    def __init__(self, kube: Kube, *arguments: str | Path) -> None:
        self.kube = kube
        self.namespace = kube.namespace()
        self.other = kube.namespace()
        text = render(*arguments, namespace=self.namespace)
        kube.kubectl("apply", "-f", "-", input=text)

    def check(self, may: Asks = (), may_not: Asks = ()) -> None:
        """Hold a service account to what it may do, once the API server has noticed."""
        end = time.monotonic() + 60
        while not all(answers := self._ask(may)) and time.monotonic() < end:
            time.sleep(0.05)
        assert [ask for ask, yes in zip(may, answers, strict=True) if not yes] == []
        assert [ask for ask, yes in zip(may_not, self._ask(may_not), strict=True) if yes] == []

    def _ask(self, asks: Asks) -> list[bool]:
        if not asks:
            return []
        reviews = [self._review(ask) for ask in asks]
        command = ("create", "-f", "-", "-o", "jsonpath={.status.allowed} ")
        answers = self.kube.kubectl(*command, input=yaml.safe_dump_all(reviews)).stdout.split()
        return [answer == "true" for answer in answers]

    def _review(self, ask: Ask) -> dict[str, Any]:
        what, _, name = ask.what.partition(":")
        what, _, subresource = what.partition("/")
        resource, _, group = what.partition(".")
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{self.namespace}:prism-{ask.account}",
                "resourceAttributes": {
                    "verb": ask.verb,
                    "group": group,
                    "resource": resource,
                    "subresource": subresource,
                    "name": name,
                    "namespace": ask.namespace or self.namespace,
                },
            },
        }


def asks(account: str, verbs: str, what: str, namespace: str = "") -> list[Ask]:
    """One ask for each of the verbs, which are separated by blanks."""
    return [Ask(account, verb, what, namespace) for verb in verbs.split()]


@pytest.fixture(scope="module")
def installed(kube: Kube) -> Installed:
    return Installed(kube)


KINDS = ["routingtables.routing.prism.dev", "projectpolicies.routing.prism.dev"]
TABLE = KINDS[0]
WEBHOOK = "validatingwebhookconfigurations.admissionregistration.k8s.io"
LEASE = "leases.coordination.k8s.io"


@pytest.mark.parametrize("kind", KINDS)
def test_the_operator_reads_resources_and_writes_their_status(
    installed: Installed, kind: str
) -> None:
    installed.check(
        may=[
            *asks("operator", "get list watch", kind),
            *asks("operator", "patch", f"{kind}/status"),
        ],
        may_not=asks("operator", "create update patch delete", kind),
    )


def test_the_operator_keeps_one_snapshot_and_one_lease(installed: Installed) -> None:
    installed.check(
        may=[
            *asks("operator", "create", "configmaps"),
            *asks("operator", "get update", "configmaps:prism-snapshot"),
            *asks("operator", "create", LEASE),
            *asks("operator", "get update", f"{LEASE}:prism-operator"),
            *asks("operator", "create patch", "events"),
        ],
        may_not=[
            *asks("operator", "get update delete", "configmaps:another"),
            *asks("operator", "update", f"{LEASE}:another"),
        ],
    )


def test_no_account_but_the_jobs_touches_secrets(installed: Installed) -> None:
    verbs = "get list watch create update patch delete"
    installed.check(
        may=asks("certificates", "get update", "secrets:prism-extproc-tls"),
        may_not=[
            *asks("operator", verbs, "secrets"),
            *asks("operator", verbs, "secrets:prism-operator-tls"),
            *asks("gateway", verbs, "secrets"),
            *asks("certificates", "get update", "secrets:prism-credentials"),
            *asks("certificates", "list watch delete", "secrets"),
        ],
    )


def test_the_gateway_may_do_nothing(installed: Installed) -> None:
    for what in ("configmaps", TABLE, "pods", "events", LEASE):
        installed.check(may_not=asks("gateway", "get list watch create update", what))


def test_the_job_tells_the_api_server_the_webhooks_authority(installed: Installed) -> None:
    own = f"{WEBHOOK}:{installed.namespace}-prism-webhook"
    installed.check(
        may=asks("certificates", "get patch", own),
        may_not=asks("certificates", "get patch delete", f"{WEBHOOK}:another"),
    )


def test_all_namespaces(installed: Installed, kube: Kube) -> None:
    wide = Installed(kube, "--values", CHART / "ci" / "all-namespaces-values.yaml")
    watching = [
        *asks("operator", "get list watch", TABLE, wide.other),
        *asks("operator", "patch", f"{TABLE}/status", wide.other),
        *asks("operator", "create", "events", wide.other),
    ]
    secrets = asks("operator", "get list", "secrets", wide.other)
    wide.check(may=watching, may_not=secrets)
    installed.check(may_not=[*watching, *secrets])  # one namespace is one namespace


def test_several_namespaces(kube: Kube) -> None:
    there, not_there = kube.namespace(), kube.namespace()
    installed = Installed(kube, "--set", f"operator.watch.namespaces={{{there}}}")
    installed.check(
        may=asks("operator", "get list watch", TABLE, there),
        may_not=[
            *asks("operator", "get list watch", TABLE, not_there),
            *asks("operator", "get list watch", TABLE),
        ],
    )
