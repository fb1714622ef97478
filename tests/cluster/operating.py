"""Operators as processes with no more rights than documented, and replicas that they steer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import yaml

from prism.config.v1.config_service_pb2 import SnapshotRequest, SnapshotResponse
from prism.wire import snapshot
from prism_operator.authority import Pair, new_authority, new_leaf

from .kube import Kube

PATIENCE_S = 120.0
_METHOD = "/prism.config.v1.ConfigService/StreamSnapshots"
_PAGE = Path(__file__).parents[2] / "docs/operator.md"
_ROW = re.compile(r"^\| `([^`]*)` \| (.+?) \| ([a-z, ]+) \| (.+) \|$")


def documented_rules() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row of the operator's rights in docs/operator.md: where it holds, and the rule."""
    text = _PAGE.read_text("utf-8").partition("runs as its own")[0]
    for group, resources, verbs, where in filter(None, map(_row, text.splitlines())):
        named = "only the one" in resources
        rule = {
            "apiGroups": ["" if group == '""' else group],
            "resources": re.findall(r"`([a-z/]+)`", resources),
            "verbs": verbs.split(", "),
        }
        if named:
            option = re.findall(r"`--([a-z-]+)`", resources)[0]
            rule["resourceNames"] = [
                {"snapshot-configmap": "prism-snapshot", "lease": "prism-operator"}[option]
            ]
        yield ("own" if where.startswith("its own") else "watched", rule)


def _row(line: str) -> tuple[str, ...] | None:
    found = _ROW.match(line)
    return found.groups() if found and found[1] != "API group" else None


def grant(kube: Kube, own: str, watched: Sequence[str]) -> Path:
    """A service account in ``own`` with the documented rights; its kubeconfig. ``watched``
    empty means the whole cluster."""
    subject = [{"kind": "ServiceAccount", "name": "operator", "namespace": own}]
    kube.kubectl("create", "serviceaccount", "operator", "-n", own)
    rules = list(documented_rules())
    of = {place: [rule for p, rule in rules if p == place] for place in ("own", "watched")}
    objects = [_role("Role", "prism-own", own, of["own"], subject)]
    events = [r for r in of["watched"] if r["resources"] == ["events"]]
    objects.append(_role("Role", "prism-events", own, events, subject))
    objects += [_role("Role", f"prism-of-{own}", n, of["watched"], subject) for n in watched]
    if not watched:
        objects.append(_role("ClusterRole", f"prism-of-{own}", "", of["watched"], subject))
    kube.kubectl(
        "apply", "-f", "-", input=yaml.safe_dump_all([o for pair in objects for o in pair])
    )
    return kube.service_account_kubeconfig(own, "operator")


def _role(
    kind: str, name: str, namespace: str, rules: list[Any], subject: list[Any]
) -> list[dict[str, Any]]:
    group = "rbac.authorization.k8s.io"
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return [
        {"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": kind, "name": name},
            "subjects": subject,
        },
    ]


class Operator:
    """A running ``prism-operator run``; what it logs is kept in ``lines``."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self.process = process
        self.name = name
        self.lines: list[str] = []
        self._said = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._said:
                self.lines.append(line.rstrip())
                self._said.notify_all()
        with self._said:
            self._said.notify_all()

    def logged(self, pattern: str, after: int = 0, patience: float = PATIENCE_S) -> re.Match[str]:
        """Wait for a line that matches; only lines from number ``after`` on count."""
        found: list[re.Match[str]] = []

        def matches() -> bool:
            found[:] = [m for line in self.lines[after:] if (m := re.search(pattern, line))]
            return bool(found) or self.process.poll() is not None

        with self._said:
            self._said.wait_for(matches, patience)
        if not found:
            raise AssertionError(f"{self.name} never said {pattern!r}:\n" + "\n".join(self.lines))
        return found[-1]

    def port(self, what: str) -> int:
        """The port of ``snapshots``, ``health`` or ``webhook``."""
        return int(self.logged(rf"{what}: listening on .*:(\d+)$")[1])

    def leads(self) -> None:
        self.logged(rf"{self.name} leads$")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As the kubelet does."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0, "\n".join(self.lines)


def _secret(folder: Path, leaf: Pair, authority: Pair) -> Path:
    """A folder as a Secret of type kubernetes.io/tls is mounted."""
    folder.mkdir()
    (folder / "tls.crt").write_bytes(leaf.certificate)
    (folder / "tls.key").write_bytes(leaf.key)
    (folder / "ca.crt").write_bytes(authority.certificate)
    return folder


class Site:
    """Where operators run: their namespace, rights and certificates."""

    def __init__(self, kube: Kube, scratch: Path, watched: Sequence[str] | None = None) -> None:
        self.kube = kube
        self.namespace = kube.namespace()
        self.watched = [self.namespace] if watched is None else list(watched)
        self.kubeconfig = grant(kube, self.namespace, self.watched)
        now, day = datetime.now(UTC), timedelta(days=1)
        self.authority = new_authority("ca", now, day)
        server = new_leaf(self.authority, ["prism-operator", "127.0.0.1"], False, now, day)
        client = new_leaf(self.authority, ["prism-extproc"], True, now, day)
        self.server = _secret(scratch / "operator-tls", server, self.authority)
        self.client = _secret(scratch / "extproc-tls", client, self.authority)

    def kubectl(self, *args: str, given: str | None = None, check: bool = True) -> str:
        return self.kube.kubectl("-n", self.namespace, *args, input=given, check=check).stdout

    def apply(self, *documents: dict[str, Any]) -> str:
        return self.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(documents))

    @contextmanager
    def operator(self, name: str = "op-0", *more: str) -> Iterator[Operator]:
        """Run an operator for the time of the block."""
        where = [arg for namespace in self.watched for arg in ("--namespace", namespace)]
        command = [
            sys.executable, "-m", "prism_operator", "run", *(where or ["--all-namespaces"]),
            "--tls", str(self.server), "--operator-namespace", self.namespace,
            "--identity", name, "--listen", "127.0.0.1:0", "--health", "127.0.0.1:0", *more,
        ]  # fmt: skip
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        operator = Operator(process, name)
        try:
            operator.port("snapshots")
            yield operator
        finally:
            process.kill()
            process.wait()

    def status(self, kind: str, name: str) -> dict[str, Any]:
        shown = yaml.safe_load(self.kubectl("get", kind, name, "-o", "yaml"))
        status: dict[str, Any] = shown.get("status") or {}
        return {**status, "generation": shown["metadata"]["generation"]}

    def until(
        self,
        kind: str,
        name: str,
        holds: Callable[[dict[str, Any]], bool],
        patience: float = PATIENCE_S,
    ) -> dict[str, Any]:
        """Wait until a resource's status, with its conditions by type, is as it should be."""
        status: dict[str, Any] = {}
        for _ in polls(patience):
            status = self.status(kind, name)
            by_type = {c["type"]: c for c in status.get("conditions", ())}
            current = status.get("observedGeneration") == status["generation"]
            if current and holds({**status, **by_type}):
                return {**status, **by_type}
        raise AssertionError(f"{kind}/{name} came to {yaml.safe_dump(status)}")


def polls(patience: float = PATIENCE_S) -> Iterator[None]:
    """Turns to look at something that another process brings about."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        yield
        time.sleep(0.05)


class Replica:
    """A replica of the gateway as far as the operator can tell. ``refuses`` gives the reason
    for which a snapshot is refused, or nothing."""

    def __init__(self, name: str, refuses: Callable[[set[str]], str] | None = None) -> None:
        self.name = name
        self.refuses = refuses or (lambda _: "")
        self.live = ""
        self.resources: dict[str, Any] = {}
        self.versions: list[str] = []
        self._changed = threading.Condition()

    def until(self, holds: Callable[[Replica], bool], patience: float = PATIENCE_S) -> None:
        """Wait until what is live here is as it should be."""
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self), patience), self.resources

    async def follow(self, site: Site, ports: Sequence[int]) -> None:
        """Follow whichever operator acts, until cancelled."""
        while True:
            for port in ports:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await self._stream(site, port)
            await asyncio.sleep(0.1)

    async def _stream(self, site: Site, port: int) -> None:
        files = (site.client / name for name in ("ca.crt", "tls.key", "tls.crt"))
        credentials = grpc.ssl_channel_credentials(*(file.read_bytes() for file in files))
        options = (
            ("grpc.ssl_target_name_override", "prism-operator"),
            ("grpc.max_receive_message_length", -1),
        )
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
            call = channel.stream_stream(
                _METHOD,
                request_serializer=SnapshotRequest.SerializeToString,
                response_deserializer=SnapshotResponse.FromString,
            )()
            await call.write(SnapshotRequest(replica=self.name, live_version=self.live))
            while (message := await call.read()) is not grpc.aio.EOF:
                await self._answer(call, message.snapshot)

    async def _answer(self, call: Any, sent: Any) -> None:
        await call.write(self._take(sent))

    def _take(self, sent: Any) -> SnapshotRequest:
        resources = {f"{r.kind}/{r.name}": r.spec for r in snapshot.resources_of(sent)}
        refusal = self.refuses(set(resources))
        with self._changed:
            self.versions.append(sent.version)
            if not refusal:
                self.live, self.resources = sent.version, resources
            self._changed.notify_all()
        return SnapshotRequest(
            answers_version=sent.version, refusal=refusal, live_version=self.live
        )


@contextmanager
def following(site: Site, operators: Sequence[Operator], *followers: Replica) -> Iterator[None]:
    """Replicas follow these operators for the time of the block, in a thread of their own."""
    ports = [operator.port("snapshots") for operator in operators]
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    tasks = [
        asyncio.run_coroutine_threadsafe(replica.follow(site, ports), loop) for replica in followers
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = asyncio.run_coroutine_threadsafe(_ended(), loop)
        ended.result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _ended() -> None:
    """Wait for every other task of the loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def replicas(site: Site, operators: Sequence[Operator], *names: str) -> Iterator[list[Replica]]:
    """Obliging replicas of these names."""
    made = [Replica(name) for name in names or ("gw-0",)]
    with following(site, operators, *made):
        yield made
