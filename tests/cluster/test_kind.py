"""``make kind``, with stand-ins for what needs a container engine; helm is real."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.cluster import kube_tools

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "kubernetes" / "kind.sh"
STAND_IN = """#!{python}
import os, sys
name = os.path.basename(sys.argv[0])
with open({log!r}, "a") as log:
    print(name, *sys.argv[1:], file=log)
if sys.argv[1:3] == ["image", "inspect"]:
    print("sha256:" + "1" * 64)
if name == "helm":
    dropped = {{"--kube-context": 2, "--timeout": 2, "--wait": 1, "upgrade": 1, "--install": 1}}
    left, kept = sys.argv[1:], []
    while left:
        count = dropped.get(left[0], 0)
        kept += [] if count else left[:1]
        left = left[max(count, 1):]
    os.execv({helm!r}, ["helm", "template", *kept])
"""


@pytest.fixture
def done(tmp_path: Path) -> tuple[list[str], str]:
    """The commands that the script ran, in order, and what it printed."""
    log = tmp_path / "log"
    text = STAND_IN.format(python=sys.executable, log=str(log), helm=str(kube_tools.helm()))
    for name in ("docker", "kind", "kubectl", "helm", "curl"):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = subprocess.run(
        [str(SCRIPT)], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return log.read_text().splitlines(), ran.stdout


def test_everything_is_there_before_it_is_used(done: tuple[list[str], str]) -> None:
    commands, _ = done
    steps = (
        "kind create cluster --config kind-config.yaml",
        "docker build --target extproc",
        "kind load docker-image prism-extproc:kind",
        "docker build --target operator",
        "kind load docker-image prism-operator:kind",
        "kubectl --context kind-prism apply -f examples/kubernetes/namespace.yaml",
        "kubectl --context kind-prism apply --server-side -f charts/prism/crds",
        "helm upgrade --install prism charts/prism",
        "curl",
    )
    places = [next(n for n, c in enumerate(commands) if c.startswith(step)) for step in steps]
    assert places == sorted(places)
    stages = re.findall(r"^FROM .* AS (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert {"extproc", "operator"} <= set(stages)
    assert "http://127.0.0.1:8080/v1/chat/completions" in commands[-1]


def test_the_chart_takes_the_images_that_were_built(done: tuple[list[str], str]) -> None:
    """As helm renders it with the script's own arguments."""
    _, printed = done
    rendered = printed[printed.index("---") : printed.rindex("A request through the gateway:")]
    pods = [one for one in yaml.safe_load_all(rendered) if one and one["kind"] == "Deployment"]
    containers = [
        container
        for pod in pods
        for kind in ("initContainers", "containers")
        for container in pod["spec"]["template"]["spec"].get(kind, ())
    ]
    ours = {c["image"] for c in containers if "envoyproxy" not in c["image"]}
    assert ours == {"prism-extproc:kind", "prism-operator:kind"}
    # They are on no registry.
    assert all(c.get("imagePullPolicy") in ("IfNotPresent", "Never") for c in containers)
    assert {one["metadata"]["namespace"] for one in pods} == {"prism-system"}
