"""What the CRDs give to people with kubectl: words, defaults, columns, names, rules."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from prism.resources.schema import defaulted, schema

from .kube import CRDS, Kube

pytestmark = pytest.mark.cluster

VALID = Path(__file__).parents[1] / "data/resources/valid"
TABLE = yaml.safe_load((VALID / "table-smallest.yaml").read_text("utf-8"))
POLICY = yaml.safe_load((VALID / "policy-smallest.yaml").read_text("utf-8"))

Apply = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def namespace(kube: Kube) -> str:
    return kube.namespace()


@pytest.fixture
def apply(kube: Kube, namespace: str) -> Apply:
    def run(document: dict[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
        text = json.dumps(document)
        return kube.kubectl("apply", "-n", namespace, *options, "-f", "-", input=text, check=False)

    return run


def test_the_files_are_those_of_the_schemas() -> None:
    command = [sys.executable, "-m", "prism_operator.crds", str(CRDS), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("rt", "which models there are"),
        ("routingtable.spec.cells", "an ordered list of one to five names"),
        ("routingtables.spec.models.price", "per million tokens"),
        ("pp.spec.apiKeys", "as SHA-256 hashes"),
        ("projectpolicy.status.conditions", "Accepted or Programmed"),
        ("rt.status.problems.path", "as a JSON path"),
    ],
)
def test_explain_teaches(kube: Kube, path: str, words: str) -> None:
    said = kube.kubectl("explain", path).stdout
    assert words in " ".join(said.split())


@pytest.mark.parametrize("document", [TABLE, POLICY], ids=["table", "policy"])
def test_the_api_server_sets_the_parsers_defaults(
    kube: Kube, namespace: str, apply: Apply, document: dict[str, Any]
) -> None:
    assert apply(document).returncode == 0
    name = document["metadata"]["name"]
    got = kube.kubectl("get", document["kind"], name, "-n", namespace, "-o", "json").stdout
    assert json.loads(got)["spec"] == defaulted(document["spec"], schema(document["kind"]), [])


def _status() -> dict[str, Any]:
    condition = {
        "status": "True",
        "reason": "Ready",
        "message": "as it should be",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {
        "observedGeneration": 1,
        "conditions": [{"type": "Accepted", **condition}, {"type": "Programmed", **condition}],
        "problems": [{"path": "spec.models[0]", "message": "odd", "severity": "warning"}],
        "snapshot": "abc123",
        "replicas": "3/3",
        "replicasProgrammed": 3,
        "replicasTotal": 3,
    }


@pytest.mark.parametrize(
    ("document", "columns"),
    [
        (TABLE, ["NAME", "ACCEPTED", "PROGRAMMED", "REPLICAS", "AGE"]),
        (POLICY, ["NAME", "PROJECT", "ACCEPTED", "PROGRAMMED", "REPLICAS", "AGE"]),
    ],
    ids=["rt", "pp"],
)
def test_the_status_is_a_subresource_and_get_shows_it(
    kube: Kube, namespace: str, apply: Apply, document: dict[str, Any], columns: list[str]
) -> None:
    short = {"RoutingTable": "rt", "ProjectPolicy": "pp"}[document["kind"]]
    kind, name = f"{short}/{document['metadata']['name']}", document["metadata"]["name"]
    apply({**document, "status": _status()})
    assert kube.kubectl("get", kind, "-n", namespace, "-o", "jsonpath={.status}").stdout == ""
    patch = json.dumps({"status": _status(), "spec": {"unknown": 1}})
    kube.kubectl(
        "patch", kind, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch
    )
    got = json.loads(kube.kubectl("get", kind, "-n", namespace, "-o", "json").stdout)
    assert got["status"] == _status()
    assert got["metadata"]["generation"] == 1, "a status is no change of the resource"
    head, row = kube.kubectl("get", kind, "-n", namespace).stdout.splitlines()
    assert head.split() == columns
    assert row.split()[0] == name
    assert row.split()[-4:-1] == ["True", "True", "3/3"]
    wide = kube.kubectl("get", kind, "-n", namespace, "-o", "wide").stdout
    assert wide.split("\n")[1].split()[-2:] == ["Ready", "abc123"]


def test_a_category_holds_both_kinds(kube: Kube, namespace: str, apply: Apply) -> None:
    assert apply(TABLE).returncode == apply(POLICY).returncode == 0
    listed = kube.kubectl("get", "prism", "-n", namespace, "-o", "name").stdout.split()
    assert listed == [
        f"projectpolicy.routing.prism.dev/{POLICY['metadata']['name']}",
        f"routingtable.routing.prism.dev/{TABLE['metadata']['name']}",
    ]


def test_server_side_apply_merges_lists_by_name(kube: Kube, namespace: str) -> None:
    """Two owners, one list: the key of one team's entry is not lost to the other's."""
    first, second = ({"sha256": character * 64} for character in "ab")
    for owner, key in (("one", first), ("two", second)):
        document = {
            **POLICY,
            "metadata": {"name": "shared"},
            "spec": {"project": "shared", "apiKeys": [key]},
        }
        kube.kubectl(
            "apply", "-n", namespace, "--server-side", f"--field-manager={owner}", "-f", "-",
            input=json.dumps(document),
        )  # fmt: skip
    got = kube.kubectl("get", "pp/shared", "-n", namespace, "-o", "json").stdout
    assert json.loads(got)["spec"]["apiKeys"] == [first, second]


def test_unknown_fields(kube: Kube, namespace: str, apply: Apply) -> None:
    """kubectl refuses them; a client that does not ask for that has them dropped in silence."""
    document = {
        **POLICY,
        "metadata": {"name": "typo"},
        "spec": {"project": "typo", "pin": "Denied"},
    }
    refused = apply(document)
    assert refused.returncode != 0
    assert 'unknown field "spec.pin"' in refused.stderr
    assert apply(document, "--validate=ignore").returncode == 0
    got = kube.kubectl("get", "pp/typo", "-n", namespace, "-o", "json").stdout
    assert "pin" not in json.loads(got)["spec"]


def test_every_rule_has_words_and_refuses(apply: Apply) -> None:
    """Each rule of the CRDs, with a change that breaks it and no other."""
    unproven = {kind: _messages(schema(kind)) for kind in ("RoutingTable", "ProjectPolicy")}
    for document, change, message in _breaches():
        broken = json.loads(json.dumps(document))
        change(broken["spec"])
        refused = apply(broken, "--dry-run=server")
        assert message in refused.stderr, (message, refused.stdout + refused.stderr)
        unproven[document["kind"]].discard(message)
    assert unproven == {"RoutingTable": set(), "ProjectPolicy": set()}


def _messages(node: Any) -> set[str]:
    """The messages of all rules in a schema, and proof that each rule has one."""
    found: set[str] = set()
    if isinstance(node, dict):
        rules = node.get("x-kubernetes-validations", ())
        found |= {" ".join(rule["message"].split()) for rule in rules}
        for name, sub in node.items():
            if name != "x-kubernetes-validations":
                found |= _messages(sub)
    return found


def _breaches() -> list[tuple[dict[str, Any], Callable[[Any], object], str]]:
    def first(spec: Any) -> Any:
        return spec["models"][0]

    def url(value: str) -> Callable[[Any], object]:
        return lambda spec: spec["providers"][0].update(baseURL=value)

    def forced(models: dict[str, Any], *names: str) -> Callable[[Any], object]:
        entries = [{"task": "code", "model": name} for name in names]
        return lambda spec: spec.update(models=models, forced=entries)

    predictor = {
        "classifier": "ab" * 32,
        "trade": {"eco": 0.1, "balanced": 0.1, "sport": 0},
        "models": [{"name": "none", "weights": "AAA="}],
    }
    tells = "(prism validate tells which)"
    return [
        (TABLE, lambda spec: first(spec).update(provider="none"),
         "a model names a provider that is not in spec.providers; add it there or correct the "
         f"name {tells}"),
        (TABLE, lambda spec: spec.update(autoNames=[first(spec)["name"]]),
         "a model's name is in spec.autoNames, so no request could ask for it; rename one of "
         f"them {tells}"),
        *(
            (TABLE, lambda spec, task=task: spec["cells"][task].update(sport=["none"]),
             "a cell names a model that is not in spec.models; add it there or correct the name "
             f"{tells}")
            for task in ("simple", "code", "reasoning", "complex")
        ),
        (TABLE, lambda spec: spec.update(predictor=predictor),
         'the predictor names a model that is not in spec.models; make it anew with "prism '
         'calibrate --predict"'),
        (TABLE, lambda spec: spec["cells"]["code"].update(eco=[first(spec)["name"]] * 2),
         "a model is named twice; name each model once"),
        (TABLE, url("https://host:0/v1"),
         "must have a host name, in ASCII, and no port or one from 1 to 65535"),
        (TABLE, url("https://[1::2::3]/v1"),
         "has brackets around what is no IPv6 address; write it as in http://[::1]:8000/v1"),
        (TABLE, url("https://host/v1/messages"),
         "is the URL of one endpoint; give the part before it, such as https://host/v1"),
        (TABLE, lambda spec: spec["providers"][0].update(credentials=[{"key": "sk-0123456789"}]),
         "looks like a key itself: put the NAME of the key here, such as OPENAI_API_KEY, and the "
         "key into the credentials folder or Secret. Replace the key: it has been written down"),
        (TABLE, lambda spec: first(spec)["latency"].update(tokensPerSecond=0),
         "must be at least 0.01"),
        (TABLE, lambda spec: spec.update(identity={"trustedProjectHeader": "Host"}),
         "this header has another meaning; use a header of your own, such as x-project"),
        (TABLE, lambda spec: spec.update(retry={"attemptTimeout": "2h"}),
         "must be from 10ms to 1h"),
        (POLICY, forced({"denied": ["a"]}, "a"),
         "a forced model is in spec.models.denied; force another or stop denying it"),
        (POLICY, forced({"allowed": ["b"]}, "a"),
         "a forced model is not in spec.models.allowed; add it there or force another"),
        (POLICY, forced({}, "a", "b"), "a task is forced twice in the same mode; keep one"),
        (POLICY, lambda spec: spec.update(apiKeys=[{"sha256": _EMPTY}]),
         'is the hash of an empty key; "prism key new" makes a real one'),
    ]  # fmt: skip


_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_largest_table_is_within_the_cost_limits(apply: Apply) -> None:
    """Every list as long as it may be, every name too: the rules are still evaluated."""
    document = json.loads(json.dumps(TABLE))
    spec = document["spec"]
    provider, model = spec["providers"][0], spec["models"][0]
    document["metadata"]["name"] = "largest"
    spec["providers"] = [{**provider, "name": f"p{i:062}"} for i in range(64)]
    # Only their ends differ, so that comparing takes longest.
    models = [f"{i:0128}" for i in range(256)]
    spec["models"] = [
        {**model, "name": name, "provider": f"p{63:062}", "upstreamName": "u" * 256}
        for name in models
    ]
    spec["autoNames"] = [f"a{i:0127}" for i in range(16)]
    cell = models[-5:]
    spec["cells"] = {
        task: dict.fromkeys(("eco", "balanced", "sport"), cell)
        for task in ("simple", "code", "reasoning", "complex")
    }
    accepted = apply(document, "--server-side", "--dry-run=server")
    assert accepted.returncode == 0, accepted.stderr
    spec["cells"]["complex"]["sport"] = ["none"]
    refused = apply(document, "--server-side", "--dry-run=server")
    assert "a cell names a model that is not in spec.models" in refused.stderr
