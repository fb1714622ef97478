"""What a kubelet does, for pods whose containers are processes of this machine.

Paths of mounts become folders, ports become free ones, Secrets and ConfigMaps become files that
are swapped at once, and a pod that wants a token gets a kubeconfig with its ServiceAccount's.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.gateway.running import PATIENCE_S, free_port

from .kube import Kube

PROGRAMS = {
    "operator": [sys.executable, "-m", "prism_operator"],
    "extproc": [sys.executable, "-m", "prism"],
    "envoy": [str(Path(sys.executable).parent / "envoy")],
}
"""What stands in for an image, by a word in its name."""
_ADDRESS = re.compile(r"0\.0\.0\.0:(\d+)")


class Pod:
    """One pod of a rendered manifest. ``services`` has the ports behind a Service's address."""

    def __init__(
        self,
        kube: Kube,
        name: str,
        namespace: str,
        spec: Mapping[str, Any],
        folder: Path,
        services: Mapping[str, Sequence[int]],
    ) -> None:
        self.name = name
        self.folder = folder
        self._kube, self._namespace, self._spec = kube, namespace, spec
        self._services = services
        self._ports: dict[int, int] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {**os.environ, "POD_NAME": name, "PYTHONUNBUFFERED": "1"}
        self._environment.pop("KUBECONFIG", None)
        if spec.get("automountServiceAccountToken", True):
            account = spec["serviceAccountName"]
            place = kube.service_account_kubeconfig(namespace, account)
            self._environment["KUBECONFIG"] = str(place)
        folder.mkdir()
        self.mount()

    def mount(self) -> None:
        """Put volumes there as they are now; called again, as a kubelet syncs them."""
        for volume in self._spec.get("volumes", ()):
            place = self.folder / volume["name"]
            place.mkdir(exist_ok=True)
            for kind, key in (("secret", "secretName"), ("configMap", "name")):
                if kind in volume:
                    self._project(place, kind, volume[kind][key], volume[kind].get("optional"))

    def port(self, number: int) -> int:
        """The free port that stands for one of the pod's."""
        if number not in self._ports:
            self._ports[number] = free_port()
        return self._ports[number]

    def start(self, container: str) -> None:
        """Start a container."""
        with self.log(container).open("ab") as log:
            self._processes[container] = subprocess.Popen(
                self._command(container),
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def run(self, container: str) -> None:
        """Run a container to its end, which must be a success."""
        self.start(container)
        status = self._processes.pop(container).wait(PATIENCE_S)
        assert status == 0, f"{container} of {self.name}: {self.log(container).read_text()}"

    def end(self, container: str) -> None:
        """End a container as the kubelet does when the pod goes: its preStop hook, then SIGTERM."""
        hook = self._container(container)["lifecycle"]["preStop"]["exec"]["command"]
        command = [*PROGRAMS["extproc"], *self._arguments(container, hook[1:])]
        assert hook[0] == "prism"
        done = subprocess.run(command, env=self._environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        self.kill(container, signal.SIGTERM)

    def kill(self, container: str, number: int = signal.SIGKILL) -> None:
        """End a container by a signal."""
        process = self._processes.pop(container)
        process.send_signal(number)
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()

    def stop(self) -> None:
        """End every container."""
        for process in self._processes.values():
            process.terminate()
        for container in list(self._processes):
            self.kill(container, signal.SIGTERM)

    def pid(self, container: str) -> int:
        """The process id of a running container."""
        return self._processes[container].pid

    def log(self, container: str) -> Path:
        """Where a container logs."""
        return self.folder / f"{container}.log"

    def _container(self, name: str) -> dict[str, Any]:
        every = [*self._spec.get("initContainers", ()), *self._spec["containers"]]
        (container,) = [one for one in every if one["name"] == name]
        return container

    def _command(self, name: str) -> list[str]:
        container = self._container(name)
        image = container["image"].rpartition("/")[2]
        (program,) = [command for word, command in PROGRAMS.items() if word in image]
        return [*program, *self._arguments(name, container["args"])]

    def _arguments(self, name: str, arguments: Sequence[str]) -> list[str]:
        """Arguments as they are on this machine, for a container."""
        mounts = {
            mount["mountPath"]: str(self.folder / mount["name"])
            for mount in self._container(name).get("volumeMounts", ())
        }
        return [local for argument in arguments for local in self._local(argument, mounts)]

    def _local(self, argument: str, mounts: Mapping[str, str]) -> list[str]:
        """An argument with this machine's paths, ports and addresses."""
        argument = argument.replace("$(POD_NAME)", self.name)
        for path in sorted(mounts, key=len, reverse=True):
            argument = argument.replace(path, mounts[path])
        argument = _ADDRESS.sub(lambda m: f"127.0.0.1:{self.port(int(m[1]))}", argument)
        for address, ports in self._services.items():
            if argument.endswith(f"={address}"):
                option = argument.removesuffix(address)
                return [f"{option}127.0.0.1:{port}" for port in ports]
        return [argument]

    def _project(self, place: Path, kind: str, name: str, optional: bool | None) -> None:
        found = self._kube.kubectl(
            "get", kind, name, "-n", self._namespace, "-o", "json", check=not optional
        )
        if found.returncode:
            return
        item = json.loads(found.stdout)
        texts = item.get("data", {}) if kind == "configMap" else {}
        files = {name: text.encode() for name, text in texts.items()}
        encoded = item.get("binaryData" if kind == "configMap" else "data", {})
        files |= {name: base64.b64decode(text) for name, text in encoded.items()}
        _swap(place, files, item["metadata"]["resourceVersion"])


def _swap(place: Path, files: Mapping[str, bytes], version: str) -> None:
    """All files at once, by one rename, as the kubelet's atomic writer does."""
    new = place / f"..{version}"
    if new.exists():
        return
    new.mkdir()
    for name, content in files.items():
        (new / name).write_bytes(content)
        if not (place / name).is_symlink():
            (place / name).symlink_to(Path("..data") / name)
    (place / "..data_tmp").symlink_to(new.name)
    (place / "..data_tmp").rename(place / "..data")
