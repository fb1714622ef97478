"""The Dockerfile and what goes with it, as far as that can be seen without a container engine."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SCRIPTS = Path(sysconfig.get_path("scripts"))


def lint(tool: str, *files: Path) -> None:
    done = subprocess.run(
        [SCRIPTS / tool, *files], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_has_nothing_to_say() -> None:
    lint("hadolint", ROOT / "Dockerfile")


def test_shellcheck_has_nothing_to_say() -> None:
    lint("shellcheck", ROOT / "examples" / "kubernetes" / "kind.sh")


def stages() -> dict[str, list[str]]:
    """The instructions of each stage, with continued lines joined."""
    text = re.sub(r"\\\n", " ", DOCKERFILE)
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if start := re.match(r"FROM (\S+) AS (\S+)", line):
            found[start[2]] = [f"FROM {start[1]}"]
        elif found and line and not line.startswith("#"):
            found[next(reversed(found))].append(" ".join(line.split()))
    return found


@pytest.mark.parametrize("target", ["extproc", "operator"])
def test_an_image_is_its_base_and_its_packages(target: str) -> None:
    stage = stages()[target]
    assert stage[0] == "FROM runtime"
    assert f"COPY --from={target}-env /opt/prism /opt/prism" in stage
    # Nothing is run, so no compiler, cache or installer can be left over.
    assert not any(line.startswith("RUN") for line in [*stage, *stages()["runtime"]])


def test_images_do_not_run_as_root() -> None:
    users = [line for line in stages()["runtime"] if line.startswith("USER")]
    assert users == ["USER 65532:65532"]
    assert not any(line.startswith("USER") for t in ("extproc", "operator") for line in stages()[t])


def test_nothing_is_sent_to_the_maker_of_a_library() -> None:
    assert any("ORT_DISABLE_TELEMETRY=1" in line for line in stages()["runtime"])


def test_the_base_image_is_pinned() -> None:
    bases = set(re.findall(r"^ARG \w+=(\S+)$", DOCKERFILE, re.MULTILINE))
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in bases)
    assert {line.split()[1] for stage in stages().values() for line in stage[:1]} <= {
        "${PYTHON}",
        *stages(),
    }


def test_what_the_build_copies_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split("\n")
    assert "*" in ignored
    let = {line[1:] for line in ignored if line.startswith("!")}
    for source in re.findall(r"^COPY ((?!--from)[^\n]+) \S+$", DOCKERFILE, re.MULTILINE):
        for path in source.split():
            assert (ROOT / path).exists(), path
            assert path in let or str(Path(path).parent) in let, path


def pinned(name: str) -> dict[str, str]:
    """The versions that an image's list pins, by package."""
    text = (ROOT / "images" / f"{name}.txt").read_text("utf-8")
    for block in re.split(r"\n(?=\S)", text):
        assert block.startswith("#") or "--hash=sha256:" in block, block
    found = re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


@pytest.mark.parametrize(
    ("name", "extras"),
    [("extproc", ("server", "postgres")), ("operator", ("operator",)), ("build", ())],
)
def test_the_pins_satisfy_the_project(name: str, extras: tuple[str, ...]) -> None:
    if not extras:
        wanted = PROJECT["build-system"]["requires"]
    else:
        project = PROJECT["project"]
        optional = project["optional-dependencies"]
        wanted = [*project["dependencies"], *(one for extra in extras for one in optional[extra])]
    versions = pinned(name)
    for requirement in map(Requirement, wanted):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name}: make image-requirements"
        assert requirement.specifier.contains(version), f"{requirement}: make image-requirements"


def test_envoys_image_is_the_envoy_that_is_tested() -> None:
    values = yaml.safe_load((ROOT / "charts/prism/values.yaml").read_text("utf-8"))
    (tested,) = map(Requirement, PROJECT["project"]["optional-dependencies"]["gateway"])
    version = values["images"]["envoy"]["tag"].rpartition("v")[2]
    assert tested.specifier.contains(version)
