"""The chart's alerts and dashboard: they name metrics that there are, and Prometheus takes them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.kube_tools import ToolMissing
from tests.gobuild import Program

from prism.serve import budget_metrics
from prism.telemetry import prometheus
from prism.telemetry.metric import Kind
from prism.telemetry.metrics import Metrics

from .test_telemetry_docs import metrics, state
from .test_telemetry_metrics import answered, record

ROOT = Path(__file__).parents[2]
RULES = ROOT / "charts" / "prism" / "alerts" / "rules.yaml"
DASHBOARD = ROOT / "charts" / "prism" / "dashboards" / "prism.json"
BUDGETS = {name for name, _ in budget_metrics.METRICS.values()}
CASES = ROOT / "tests" / "unit"
PAGES = ROOT / "docs" / "runbooks"
BUILT = Program(
    "promtool",
    ROOT / "tests" / "promtool",
    "github.com/prometheus/prometheus",
    "github.com/prometheus/prometheus/cmd/promtool",
    ("-tags=remove_all_sd", "-ldflags=-s -w"),
    "about three minutes",
)


@pytest.fixture(scope="session")
def promtool(request: pytest.FixtureRequest) -> str:
    """Prometheus' own tool: from PATH, from the cache, or built now."""

    def say(line: str) -> None:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", end="", flush=True)  # noqa: T201 - a build is minutes of silence

    if (found := shutil.which("promtool")) is not None:
        return found
    try:
        return str(BUILT.build(say))
    except ToolMissing as reason:
        if os.environ.get("PRISM_REQUIRE_CLUSTER"):
            raise
        pytest.skip(str(reason))


def rules() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def series() -> dict[str, set[str]]:
    """Every series of the code, with its labels."""
    found = {key: {"project", "period", "action"} for key in BUDGETS}
    for about in metrics():
        labels = set(about.labels)
        if about.kind is Kind.HISTOGRAM:
            for end in ("_sum", "_count", "_bucket"):
                found[about.prometheus + end] = labels | ({"le"} if end == "_bucket" else set())
        else:
            found[about.prometheus] = labels
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])


@pytest.mark.parametrize("expression", list(expressions()))
def test_only_series_and_labels_that_there_are(expression: str) -> None:
    known = series()
    used = set(re.findall(r"(?<!:)\bprism_\w+", expression))
    assert used <= set(known), used - set(known)
    labels = {name for names in used for name in known[names]} | {"namespace"}
    wanted = {n.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for n in by.split(",")}
    if used:
        assert wanted - {""} <= labels


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    named = {Path(rule["annotations"]["runbook_url"]).name for rule in alerts()}
    assert named == {page.name for page in PAGES.glob("*.md")} - {"index.md"}
    index = (PAGES / "index.md").read_text("utf-8")
    for rule in alerts():
        page = PAGES / Path(rule["annotations"]["runbook_url"]).name
        assert page.read_text("utf-8").startswith(f"# {rule['alert']}\n")
        assert f"[{rule['alert']}]({page.name}) | {rule['labels']['severity']} |" in index


def test_the_dashboard_is_what_its_script_makes() -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("dashboard", ROOT / "charts" / "dashboard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert DASHBOARD.read_text("utf-8") == module.text(), "python charts/dashboard.py renews it"


def test_prometheus_takes_the_metrics(promtool: str) -> None:
    kept, counted = record(), Metrics()
    counted.finished(answered(kept), kept, None)
    text, _ = prometheus.text([*counted.read(), *state().read()], "")
    command = [promtool, "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("verb", "file"),
    [("check", RULES), ("test", CASES / "alerts.yaml"), ("test", CASES / "alerts_drift.yaml")],
)
def test_prometheus_takes_the_rules(promtool: str, verb: str, file: Path) -> None:
    command = [promtool, verb, "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
