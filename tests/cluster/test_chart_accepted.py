"""The chart on a real API server: every manifest is taken, and every pod passes "restricted"."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.gateway.running import until

from .chart import CHART, ROOT, VALUES, objects, pods, render
from .documents import policy
from .kube import Kube

pytestmark = pytest.mark.cluster

FOREIGN = ROOT / "tests" / "data" / "kubernetes" / "foreign-crds.yaml"
DEFAULTS = Path("defaults")


@pytest.fixture(scope="module")
def api(kube: Kube) -> Kube:
    """An API server that knows the kinds of cert-manager and Prometheus Operator by name."""
    kube.kubectl("apply", "-f", str(FOREIGN))
    kube.kubectl("wait", "--for=condition=Established", "-f", str(FOREIGN), "--timeout=60s")
    return kube


@pytest.fixture
def restricted(api: Kube) -> str:
    """A namespace that refuses every pod below the standard "restricted"."""
    name = api.namespace()
    api.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    # There is no controller that would make it.
    api.kubectl("create", "serviceaccount", "default", "-n", name, check=False)
    return name


def arguments(values: Path) -> list[str | Path]:
    return [] if values == DEFAULTS else ["--values", values]


@pytest.mark.parametrize("values", [DEFAULTS, *VALUES], ids=lambda path: path.stem)
def test_every_manifest_is_taken(api: Kube, restricted: str, values: Path) -> None:
    text = render(*arguments(values), namespace=restricted)
    for namespace in watched(text, restricted):
        api.kubectl("create", "namespace", namespace, check=False)
    done = api.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text)
    assert len(done.stdout.splitlines()) == len(list(filter(None, yaml.safe_load_all(text))))
    assert "warning" not in done.stderr.lower(), done.stderr


def watched(text: str, own: str) -> set[str]:
    """The namespaces that the manifests put something into, beside their own."""
    documents = filter(None, yaml.safe_load_all(text))
    return {d["metadata"].get("namespace", own) for d in documents} - {own}


@pytest.mark.parametrize("values", [DEFAULTS, *VALUES], ids=lambda path: path.stem)
def test_every_pod_passes_the_standard_restricted(api: Kube, restricted: str, values: Path) -> None:
    # A Deployment with a bad pod is taken with a warning; the pod itself is refused.
    made = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"p{number}"},
            "spec": {**spec, "serviceAccountName": "default", "priorityClassName": ""},
        }
        for number, (_, spec) in enumerate(pods(objects(*arguments(values), namespace=restricted)))
    ]
    command = ("create", "--dry-run=server", "-n", restricted, "-f", "-")
    done = api.kubectl(*command, input=yaml.safe_dump_all(made))
    assert len(done.stdout.splitlines()) == len(made) >= 2


def test_the_namespace_does_refuse(api: Kube, restricted: str) -> None:
    done = api.kubectl(
        *("run", "bad", "--image=x", "--dry-run=server", "-n", restricted), check=False
    )
    assert "violates PodSecurity" in done.stderr


def test_helm_installs_it(api: Kube) -> None:
    namespace = api.namespace()
    flags = ["--namespace", namespace, "--skip-crds"]
    done = api.helm("install", "prism", str(CHART), *flags)
    assert "kubectl -n" in done.stdout  # the notes
    api.helm("upgrade", "prism", str(CHART), *flags, "--set", "gateway.maxBodyMiB=8")
    deployment = api.kubectl("get", "deployment", "prism-gateway", "-n", namespace, "-o", "yaml")
    assert "--max-body=8" in deployment.stdout
    api.helm("uninstall", "prism", "--namespace", namespace)


def test_a_webhook_that_must_answer_keeps_out_all_but_what_the_chart_makes(api: Kube) -> None:
    namespace = api.namespace()
    flags = ("--namespace", namespace, "--skip-crds", "--set", "webhook.failurePolicy=Fail")
    api.helm("install", "prism", str(CHART), *flags)
    shown = api.kubectl("get", "prism", "-n", namespace, "-o", "name").stdout.split()
    assert sorted(name.partition(".")[0] for name in shown) == ["projectpolicy", "routingtable"]
    own = yaml.safe_dump(policy("own"))
    # The API server hears of a new webhook a moment later.
    until(
        lambda: (
            "failed calling webhook" in api.kubectl(*dry(namespace), input=own, check=False).stderr
        ),
        "the webhook to be asked",
    )
    api.helm("uninstall", "prism", "--namespace", namespace)


def dry(namespace: str) -> tuple[str, ...]:
    return ("apply", "--dry-run=server", "-n", namespace, "-f", "-")


def test_the_notes_say_what_to_do_next(api: Kube) -> None:
    def notes(*flags: str) -> str:
        done = api.helm("install", "r", str(CHART), "-n", "llm", "--dry-run=client", *flags)
        return done.stdout.partition("\nNOTES:\n")[2]

    plain = notes()
    assert "kubectl -n llm create secret generic prism-credentials" in plain
    assert "kubectl -n llm port-forward service/r-gateway 8080:80" in plain
    assert "Authorization" not in plain
    assert "for $10 a day" in plain
    assert "create secret" not in notes("--set", "simulatedProviders.enabled=true")
    own = notes("--set", "samples.enabled=false")
    assert "apply -f your-table.yaml -f your-policies.yaml" in own
    assert "Bearer KEY-OF-A-PROJECT" in own
    existing = notes("--set", "certificates.source=existing")
    assert "r-operator-tls, r-extproc-tls, r-webhook-tls" in existing
