"""What the chart runs and what it is called, held to the programs and to what others rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from prism.cli import main as prism
from prism.resources import compile_resources, read_text
from prism.serve import supervisor
from prism_operator.cli import main as operator

from .chart import CHART, KIND, RELEASE, ROOT, VALUES, container, containers, objects, one, pods

pytestmark = pytest.mark.cluster
FULL = CHART / "ci" / "full-values.yaml"


@pytest.fixture(scope="module")
def plain() -> list[dict[str, Any]]:
    return objects()


def pod(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return dict(pods(found))[f"Deployment/{RELEASE}-{name}"]


def test_names_and_ports(plain: list[dict[str, Any]]) -> None:
    names = {(item["kind"], item["metadata"]["name"]) for item in plain}
    assert {
        ("Deployment", "prism-gateway"),
        ("Deployment", "prism-operator"),
        ("HorizontalPodAutoscaler", "prism-gateway"),
        ("PodDisruptionBudget", "prism-gateway"),
        ("PodDisruptionBudget", "prism-operator"),
        ("NetworkPolicy", "prism-gateway"),
        ("NetworkPolicy", "prism-operator"),
        ("CronJob", "prism-certificates"),
    } <= names
    ports = {
        item["metadata"]["name"]: {port["port"] for port in item["spec"]["ports"]}
        for item in plain
        if item["kind"] == "Service"
    }
    assert ports == {
        "prism-gateway": {80},
        "prism-gateway-admin": {8002},
        "prism-operator": {18000, 8081},
        "prism-webhook": {443},
    }
    assert [c["name"] for c in containers(pod(plain, "gateway"))] == [
        "bootstrap",
        "envoy",
        "extproc",
    ]


def test_a_service_leads_to_a_port_of_its_pods(plain: list[dict[str, Any]]) -> None:
    deployments = [item for item in plain if item["kind"] == "Deployment"]
    for service in (item for item in plain if item["kind"] == "Service"):
        wanted = service["spec"]["selector"].items()
        (template,) = [
            d["spec"]["template"]
            for d in deployments
            if wanted <= d["spec"]["template"]["metadata"]["labels"].items()
        ]
        ports = [p for c in containers(template["spec"]) for p in c.get("ports", [])]
        # By number: not everything finds the names of a sidecar's ports.
        opened = {port["containerPort"] for port in ports}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= opened


def test_the_console_leaves_its_pod_only_with_a_token() -> None:
    def console(*values: str) -> tuple[list[str], list[dict[str, Any]]]:
        options = ("--set", ",".join(f"gateway.console.{value}" for value in values))
        found = objects(*(options if values else ()))
        part = container(pod(found, "gateway"), "extproc")
        asked = [one for one in part["args"] if one.startswith("--console")]
        services = [o for o in found if o["metadata"]["name"] == "prism-gateway-console"]
        assert bool(services) == any(e["name"] == "PRISM_CONSOLE_TOKEN" for e in part["env"])
        return asked, services

    assert console() == ([], [])
    assert console("enabled=true") == (["--console=127.0.0.1:8003"], [])
    asked, services = console("enabled=true", "tokenSecret=people")
    assert asked == ["--console=0.0.0.0:8003"]
    assert services[0]["spec"]["ports"][0]["port"] == 8003


def test_the_operators_service_lists_standbys_too(plain: list[dict[str, Any]]) -> None:
    spec = one(plain, "Service", "prism-operator")["spec"]
    assert spec["clusterIP"] == "None"
    assert spec["publishNotReadyAddresses"] is True


@pytest.fixture
def _files_are_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that an argument names are in the image or the pod, not here."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))


def parse(group: click.Group, arguments: list[str]) -> None:
    """Parse a command line as the program would; raises UsageError with the program's words."""
    command = group.get_command(click.Context(group), arguments[0])
    assert command is not None, arguments[0]
    command.make_context(arguments[0], arguments[1:])


@pytest.mark.usefixtures("_files_are_elsewhere")
@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_every_argument_is_one_that_the_program_has(values: Path) -> None:
    ours = [
        (operator if "prism-operator" in part["image"] else prism, part["args"])
        for _, spec in pods(objects("--values", values))
        for part in containers(spec)
        if "prism-" in part["image"]
    ]
    assert len(ours) >= 3
    for program, arguments in ours:
        parse(program, [argument.replace("$(POD_NAME)", "prism-0") for argument in arguments])


@pytest.mark.usefixtures("_files_are_elsewhere")
def test_the_hook_that_drains_is_one_that_the_program_has(plain: list[dict[str, Any]]) -> None:
    hook = container(pod(plain, "gateway"), "extproc")["lifecycle"]["preStop"]["exec"]["command"]
    assert hook[0] == "prism"
    parse(prism, hook[1:])


def test_envoy_runs_as_prism_run_would_run_it(plain: list[dict[str, Any]]) -> None:
    envoy = container(pod(plain, "gateway"), "envoy")
    assert envoy["args"][:2] == ["--config-path", "/run/prism/envoy.json"]
    assert envoy["args"][2:-2] == list(supervisor.ENVOY_OPTIONS)
    assert envoy["args"][-2] == "--concurrency"


def test_the_ledger_is_a_secret_or_none(plain: list[dict[str, Any]]) -> None:
    def environment(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
        (deployment,) = [spec for title, spec in pods(found) if title.endswith(name)]
        return {item.pop("name"): item for item in container(deployment, "extproc")["env"]}

    assert environment(plain, "gateway")["PRISM_LEDGER"] == {"value": "none"}
    full = environment(objects("--values", FULL), "gateway")
    secret = {"name": "prism-ledger", "key": "url"}
    assert full["PRISM_LEDGER"] == {"valueFrom": {"secretKeyRef": secret}}


def test_the_keys_of_prompts_are_mounted_where_they_are_looked_for() -> None:
    found = objects("--set", "gateway.ledger.promptKeySecret=keys")
    extproc = container(pod(found, "gateway"), "extproc")
    (file,) = [item["value"] for item in extproc["env"] if item["name"] == "PRISM_PROMPT_KEY"]
    (mount,) = [m for m in extproc["volumeMounts"] if m["name"] == "prompt-key"]
    assert file == f"{mount['mountPath']}/key"
    (volume,) = [v for v in pod(found, "gateway")["volumes"] if v["name"] == "prompt-key"]
    assert volume["secret"]["secretName"] == "keys"


def test_both_containers_meet_at_the_same_sockets(plain: list[dict[str, Any]]) -> None:
    gateway = pod(plain, "gateway")
    ways = [
        {a for a in container(gateway, name)["args"] if "socket" in a or "envoy-admin" in a}
        for name in ("bootstrap", "extproc")
    ]
    assert (
        ways[0]
        == ways[1]
        == {
            "--socket=/run/prism/prism.sock",
            "--envoy-admin=/run/prism/envoy-admin.sock",
        }
    )
    for name in ("bootstrap", "envoy", "extproc"):
        mounts = container(gateway, name)["volumeMounts"]
        assert {"name": "run", "mountPath": "/run/prism"} in mounts


def test_envoy_goes_last(plain: list[dict[str, Any]]) -> None:
    gateway = pod(plain, "gateway")
    assert container(gateway, "envoy")["restartPolicy"] == "Always"
    assert [c["name"] for c in gateway["containers"]] == ["extproc"]
    hook = container(gateway, "extproc")["lifecycle"]["preStop"]["exec"]["command"]
    waits = sum(int(word.partition("=")[2]) for word in hook if word.startswith("--linger"))
    waits += sum(int(word.partition("=")[2]) for word in hook if word.startswith("--seconds"))
    assert gateway["terminationGracePeriodSeconds"] > waits


def test_liveness_asks_only_the_process_itself(plain: list[dict[str, Any]]) -> None:
    extproc = container(pod(plain, "gateway"), "extproc")
    assert extproc["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert extproc["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_only_who_talks_to_the_api_server_has_a_token(values: Path) -> None:
    for name, spec in pods(objects("--values", values)):
        talks = name.endswith("operator") or "certificates" in name
        assert spec.get("automountServiceAccountToken", True) is talks, name


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_every_container_is_confined_and_asks_for_what_it_needs(values: Path) -> None:
    for name, spec in pods(objects("--values", values)):
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for part in containers(spec):
            assert part["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"cpu", "memory"} <= part["resources"]["requests"].keys(), name
            assert "memory" in part["resources"]["limits"], name


def test_volumes_that_change_are_mounted_whole(plain: list[dict[str, Any]]) -> None:
    mounts = [
        m for _, spec in pods(plain) for c in containers(spec) for m in c.get("volumeMounts", [])
    ]
    assert mounts
    assert not any("subPath" in mount for mount in mounts)


def test_certificates_name_who_the_programs_look_for() -> None:
    found = objects("--values", CHART / "ci" / "cert-manager-values.yaml")
    names = {
        item["spec"]["secretName"]: item["spec"].get("dnsNames")
        for item in found
        if item["kind"] == "Certificate"
    }
    assert names["prism-extproc-tls"] == ["prism-extproc"]
    assert "prism-operator" in names["prism-operator-tls"]
    assert "prism-webhook.llm.svc" in names["prism-webhook-tls"]


def test_a_changed_job_has_another_name() -> None:
    def job(*flags: str) -> str:
        (name,) = [o["metadata"]["name"] for o in objects(*flags) if o["kind"] == "Job"]
        return str(name)

    assert job() == job("--set", "gateway.maxBodyMiB=8")
    assert job() != job("--set", "images.operator.tag=0.2.0")


def test_network_policies_let_in_who_has_business_there() -> None:
    found = objects("--values", FULL)
    gateway = one(found, "NetworkPolicy", "llm-gateway")["spec"]
    assert [rule["ports"][0]["port"] for rule in gateway["ingress"]] == [8080, 8002, 8003]
    assert all("from" in rule for rule in gateway["ingress"])
    targets = [p["port"] for rule in gateway["egress"] for p in rule["ports"]]
    assert targets == [53, 53, 18000, 9000, 443]
    closed = one(objects(), "NetworkPolicy", "prism-gateway")["spec"]["ingress"]
    assert [rule["ports"][0]["port"] for rule in closed] == [8080]


def test_kind_opens_the_port_that_its_values_take() -> None:
    config = yaml.safe_load((ROOT / "kind-config.yaml").read_text("utf-8"))
    (mapping,) = config["nodes"][0]["extraPortMappings"]
    (port,) = one(objects("--values", KIND), "Service", "prism-gateway")["spec"]["ports"]
    assert port["nodePort"] == mapping["containerPort"]


def sampled(*values: str | Path) -> list[dict[str, Any]]:
    """The resources that the chart brings, which must be right without a warning."""
    found = [o for o in objects(*values) if o["apiVersion"].startswith("routing.prism.dev/")]
    resources, problems = read_text(yaml.safe_dump_all(found), "samples")
    assert [*problems, *compile_resources(resources)[1]] == []
    return found


def test_the_chart_brings_the_shipped_table_and_a_policy_with_limits() -> None:
    shipped = ROOT / "examples" / "models" / "table.yaml"
    copy = CHART / "tables" / "default.yaml"
    assert copy.read_bytes() == shipped.read_bytes(), 'run "make table"'
    policy, table = sorted(sampled(), key=lambda o: str(o["kind"]))
    assert table["spec"] == yaml.safe_load(shipped.read_text("utf-8"))["spec"]
    assert (table["metadata"]["name"], policy["metadata"]["name"]) == ("default", "default")
    assert policy["spec"] == {
        "project": "default",
        "anonymous": True,
        "limits": {"maxCostPerRequest": 0.25},
        "budgets": [{"period": "Day", "maxCost": 10, "action": "Refuse"}],
    }
    kinds = {o["kind"] for o in objects("--set", "samples.enabled=false")}
    assert not kinds & {"RoutingTable", "ProjectPolicy"}


def test_the_samples_are_put_where_the_operator_looks() -> None:
    places = {o["metadata"]["namespace"] for o in sampled("--set", "operator.watch.namespaces={a}")}
    assert places == {"a"}


def test_the_samples_name_the_simulated_providers_where_there_are_some() -> None:
    found = objects("--values", KIND)
    (table,) = [o["spec"] for o in sampled("--values", KIND) if o["kind"] == "RoutingTable"]
    service = one(found, "Service", "prism-providers")
    (port,) = service["spec"]["ports"]
    arguments = container(pod(found, "providers"), "providers")["args"]
    assert len(table["providers"]) == 8
    for provider in table["providers"]:
        assert f"--provider={provider['name']}" in arguments
        host = f"prism-providers.llm.svc:{port['port']}"
        assert provider["baseURL"] == f"http://{host}/{provider['name']}/v1"
        assert "credentials" not in provider
