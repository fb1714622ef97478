"""The validating webhook on a real API server: everything wrong, before it is stored."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from prism.resources import compile_resources, read_text
from prism_operator.authority import new_leaf

from .documents import document, key, policy, table
from .kube import Kube
from .operating import Operator, Site, polls
from .test_operator import holds

pytestmark = pytest.mark.cluster

TABLE = table()
ACME = policy("acme", apiKeys=[key("a")], models={"denied": ["large"]})


class Hooked(Site):
    """A site whose namespace is guarded by the webhook of its operator."""

    def __init__(self, kube: Kube, scratch: Path) -> None:
        super().__init__(kube, scratch)
        now = datetime.now(UTC)
        leaf = new_leaf(self.authority, ["127.0.0.1"], False, now, timedelta(days=1))
        self.hook = scratch / "webhook-tls"
        self.hook.mkdir()
        (self.hook / "tls.crt").write_bytes(leaf.certificate)
        (self.hook / "tls.key").write_bytes(leaf.key)
        (self.hook / "ca.crt").write_bytes(self.authority.certificate)

    def guard(self, operator: Operator) -> None:
        """Have the API server ask this operator about this namespace."""
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": self.namespace},
            "webhooks": [
                {
                    "name": "validate.routing.prism.dev",
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                    "failurePolicy": "Fail",
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": self.namespace}
                    },
                    "clientConfig": {
                        "url": f"https://127.0.0.1:{operator.port('webhook')}/validate",
                        "caBundle": base64.b64encode(self.authority.certificate).decode(),
                    },
                    "rules": [
                        {
                            "apiGroups": ["routing.prism.dev"],
                            "apiVersions": ["v1alpha1"],
                            "resources": ["routingtables", "projectpolicies"],
                            "operations": ["CREATE", "UPDATE"],
                        }
                    ],
                }
            ],
        }
        self.kube.kubectl("apply", "-f", "-", input=yaml.safe_dump(configuration))
        # A configuration takes a moment to be in force.
        for _ in polls():
            if "nonsuch" in self.refused(policy("probe", table="nonsuch")):
                return
        raise AssertionError("the webhook is never asked")

    def refused(self, *documents: dict[str, Any]) -> str:
        """What kubectl says of a change that is only tried; empty where it is allowed."""
        done = self.kube.kubectl(
            "-n", self.namespace, "apply", "--dry-run=server", "-f", "-",
            input=yaml.safe_dump_all(documents), check=False,
        )  # fmt: skip
        return done.stderr if done.returncode else ""


@pytest.fixture
def site(kube: Kube, tmp_path: Path) -> Iterator[Hooked]:
    made = Hooked(kube, tmp_path)
    more = ("--webhook-listen", "127.0.0.1:0", "--webhook-tls", str(made.hook))
    with made.operator("op-0", *more) as operator:
        made.apply(TABLE, ACME)
        made.until("pp", "acme", holds("Accepted"))
        made.guard(operator)
        yield made
    kube.kubectl("delete", "validatingwebhookconfiguration", made.namespace)


def validated(*documents: dict[str, Any]) -> list[str]:
    """What ``prism validate`` says of documents together: path and message of each error."""
    resources, problems = read_text(yaml.safe_dump_all(documents), "f.yaml")
    problems += compile_resources(resources)[1]
    return [f"{p.path}: {p.message}" for p in problems if p.is_error]


def test_what_is_right_is_allowed(site: Hooked) -> None:
    assert not site.refused(policy("other", models={"allowed": ["small"]}))
    assert not site.refused({**ACME, "spec": {**ACME["spec"], "pins": "Denied"}})


SECRET = "Zq3v9Xw2Lk8Rt5Yb7Nc4Md6P"
# What the CRDs' own rules refuse never gets as far as a webhook.
BAD = [
    pytest.param(policy("bad", table="nonsuch"), id="unknown table"),
    pytest.param(
        policy(
            "bad",
            models={"allowed": ["smal", "huge"], "denied": ["larg"]},
            regions={"allowed": ["mars"]},
            forced=[{"task": "code", "model": "huge"}],
        ),
        id="unknown names, all of them",
    ),
    pytest.param(
        policy("bad", regions={"allowed": ["eu"]}, forced=[{"task": "code", "model": "large"}]),
        id="a forced model outside the allowed regions",
    ),
    pytest.param(
        table(
            "eu",
            providers=[
                {"name": "p", "baseURL": "https://p.test/v1", "credentials": [{"key": SECRET}]}
            ],
        ),
        id="a key instead of its name",
    ),
]


@pytest.mark.parametrize("bad", BAD)
def test_what_is_wrong_is_refused_in_the_words_of_prism_validate(
    site: Hooked, bad: dict[str, Any]
) -> None:
    said = site.refused(bad)
    expected = validated(TABLE, ACME, bad)
    assert expected
    for line in expected:
        assert line in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("claim", "path", "what"),
    [
        ({"apiKeys": [key("b"), key("a")]}, "spec.apiKeys[1].sha256", "this key"),
        ({"project": "acme"}, "spec.project", 'the project "acme"'),
    ],
)
def test_what_another_policy_has_is_refused(
    site: Hooked, claim: dict[str, Any], path: str, what: str
) -> None:
    bad = document("ProjectPolicy", "bad", {"project": "bad", **claim})
    said = site.refused(bad)
    where = f"ProjectPolicy/acme (namespace {site.namespace})"
    assert f"{path}: {what} is also claimed by {where}; keep it in one" in said
    assert key("a")["sha256"] not in said


def test_a_table_that_would_break_a_live_policy_is_refused(site: Hooked) -> None:
    said = site.refused(table(models=("small",)))
    assert "ProjectPolicy/acme, which is live, would be wrong with it" in said
    assert "spec.models.denied[0]" in said


def test_warnings_are_shown_and_do_not_refuse(site: Hooked) -> None:
    done = site.kube.kubectl(
        "-n", site.namespace, "apply", "--dry-run=server", "-f", "-",
        input=yaml.safe_dump(policy("keyless")),
    )  # fmt: skip
    assert "Warning: spec.project: no request can belong to this project" in done.stderr


def test_a_status_can_still_be_written_and_anything_deleted(site: Hooked) -> None:
    site.apply(policy("other"))
    site.until("pp", "other", holds("Accepted"))
    site.kubectl("delete", "pp,rt", "--all")
