"""kube-apiserver, built from its Go module (tests/kubeapi)."""

from __future__ import annotations

from pathlib import Path

from tests.gobuild import Program, Say

SOURCES = Path(__file__).parents[1] / "kubeapi"


def version() -> str:
    """The version of Kubernetes that the sources name, such as ``v1.36.3``."""
    return _program().version()


def cached() -> Path:
    """Where the binary of these sources and this Go lies once it is built."""
    return _program().cached()


def build(say: Say) -> Path:
    """The binary, from the cache or built now; raises ToolMissing."""
    program = _program()
    flags = ("-ldflags", _stamp(program.version()))
    return _program(flags).build(say)


def _program(flags: tuple[str, ...] = ()) -> Program:
    module, takes = "k8s.io/kubernetes", "about ten minutes"
    return Program("kube-apiserver", SOURCES, module, ".", flags, takes)


def _stamp(version: str) -> str:
    """Linker flags: no debugging symbols, and the version that the server says it is."""
    major, minor, _ = version.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(f"-X {package}.{name}={value}" for name, value in values.items())
