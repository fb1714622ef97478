"""The chart as helm renders it, for the tests of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from tests.cluster import kube_tools

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "prism"
KIND = ROOT / "examples" / "kubernetes" / "kind-values.yaml"
VALUES = [*sorted((CHART / "ci").glob("*-values.yaml")), KIND]
"""The sets of values that the chart is held to."""
RELEASE = "prism"


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run helm away from any cluster."""
    command = [str(kube_tools.helm()), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def render(*arguments: str | Path, namespace: str = "llm") -> str:
    """The manifests of a release, without the CRDs; raises AssertionError with helm's words."""
    done = helm("template", RELEASE, CHART, "--namespace", namespace, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(*arguments: str | Path, namespace: str = "llm") -> list[dict[str, Any]]:
    """The rendered manifests as values."""
    documents = yaml.safe_load_all(render(*arguments, namespace=namespace))
    return [document for document in documents if document]


def one(found: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The object of that kind and name."""
    (match,) = [o for o in found if o["kind"] == kind and o["metadata"]["name"] == name]
    return match


def pods(found: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod that the objects make, with a name for it."""
    for item in found:
        spec = item.get("spec", {})
        if item["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec and "spec" in spec["template"]:
            yield f"{item['kind']}/{item['metadata']['name']}", spec["template"]["spec"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """All of a pod's containers."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    """One container of a pod."""
    (match,) = [c for c in containers(pod) if c["name"] == name]
    return match
