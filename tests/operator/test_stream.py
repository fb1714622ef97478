"""The stream to the replicas: real gRPC, real certificates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.gateway.wire import wire_to

from prism.config.v1.config_service_pb2 import SnapshotRequest, SnapshotResponse
from prism.resources import version_of
from prism.wire import snapshot
from prism_operator import stream as service
from prism_operator.stream import SnapshotStream
from prism_operator.tls import BadCertificates, server_credentials

from . import certificates
from .cluster_state import policy, settled, table

PATH = f"/{service.SERVICE}/{service.METHOD}"


@dataclass
class Served:
    stream: SnapshotStream
    port: int
    folder: Path
    authority: certificates.Pair
    changes: asyncio.Event

    async def until(self, holds: Callable[[], bool], patience: float = 40) -> None:
        """Wait for something that replicas bring about."""
        async with asyncio.timeout(patience):
            while not holds():
                self.changes.clear()
                if not holds():
                    await self.changes.wait()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    authority = certificates.authority()
    folder = certificates.server(tmp_path / "server", authority)
    changes = asyncio.Event()
    stream = SnapshotStream(changes.set)
    server = grpc.aio.server(options=service.OPTIONS)
    server.add_generic_rpc_handlers([stream.handler()])
    port = server.add_secure_port("127.0.0.1:0", server_credentials(folder))
    await server.start()
    yield Served(stream, port, folder, authority, changes)
    stream.close()
    await server.stop(None)


@asynccontextmanager
async def called(served: Served, folder: Path | None, port: int = 0) -> AsyncIterator[Any]:
    """A stream of a replica with the certificates of a folder, or with none; ``port`` where it
    does not go straight to the operator."""
    ca = (folder or served.folder).joinpath("ca.crt").read_bytes()
    mine = [folder.joinpath(n).read_bytes() for n in ("tls.key", "tls.crt")] if folder else []
    options = (("grpc.ssl_target_name_override", "prism-operator"),)
    credentials = grpc.ssl_channel_credentials(ca, *mine)
    address = f"127.0.0.1:{port or served.port}"
    async with grpc.aio.secure_channel(address, credentials, options) as channel:
        method = channel.stream_stream(
            PATH,
            request_serializer=SnapshotRequest.SerializeToString,
            response_deserializer=SnapshotResponse.FromString,
        )
        yield method(timeout=60)


def publish(served: Served, *projects: str) -> str:
    """Publish a snapshot of one table and these projects; its version."""
    live = settled([table(), *map(policy, projects)]).live
    version = version_of(live.values())
    contents = {key.label: resource.generation for key, resource in live.items()}
    served.stream.publish(version, snapshot.encode(version, live.values()), contents)
    return version


async def first(call: Any, message: SnapshotRequest) -> SnapshotResponse:
    """The answer to a first message."""
    await call.write(message)
    answer: SnapshotResponse = await call.read()
    return answer


async def refused(served: Served, folder: Path | None) -> grpc.aio.AioRpcError:
    async with called(served, folder) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await first(call, SnapshotRequest(replica="gw-0"))
    return caught.value


async def test_a_replica_gets_the_snapshot_and_its_answer_counts(
    served: Served, tmp_path: Path
) -> None:
    served.stream.open()
    version = publish(served, "acme")
    async with called(served, certificates.client(tmp_path / "c", served.authority)) as call:
        await call.write(SnapshotRequest(replica="gw-0"))
        got = await call.read()
        assert {r.name for r in snapshot.resources_of(got.snapshot)} == {"default", "acme"}
        assert not served.stream.rollout.settled
        await call.write(SnapshotRequest(answers_version=version, live_version=version))
        await served.until(lambda: served.stream.rollout.settled)
        [replica] = served.stream.rollout.replicas
        assert (replica.name, replica.live, replica.refusal) == ("gw-0", version, "")
    await served.until(lambda: not served.stream.rollout.replicas)


async def test_only_the_newest_snapshot_is_sent(served: Served, tmp_path: Path) -> None:
    served.stream.open()
    first = publish(served, "a")
    async with called(served, certificates.client(tmp_path / "c", served.authority)) as call:
        await call.write(SnapshotRequest(replica="gw-0"))
        assert (await call.read()).snapshot.version == first
        publish(served, "a", "b")
        last = publish(served, "a", "b", "c")
        await call.write(SnapshotRequest(answers_version=first))
        assert (await call.read()).snapshot.version == last


async def test_a_replica_that_falls_silent_is_gone(served: Served, tmp_path: Path) -> None:
    """Its sign of life is looked for every 5 seconds and waited for 5."""
    served.stream.open()
    folder = certificates.client(tmp_path / "c", served.authority)
    async with wire_to(served.port) as wire, called(served, folder, wire.port) as call:
        await call.write(SnapshotRequest(replica="gw-0"))
        await served.until(lambda: bool(served.stream.rollout.replicas))
        wire.silence()
        await served.until(lambda: not served.stream.rollout.replicas)


async def test_a_refusal_is_kept_with_its_reason(served: Served, tmp_path: Path) -> None:
    served.stream.open()
    version = publish(served, "a")
    async with called(served, certificates.client(tmp_path / "c", served.authority)) as call:
        await call.write(SnapshotRequest(replica="gw-0", live_version="older"))
        await call.read()
        await call.write(SnapshotRequest(answers_version=version, refusal="no such cluster"))
        await served.until(lambda: served.stream.rollout.settled)
        [replica] = served.stream.rollout.replicas
        assert (replica.live, replica.refusal) == ("older", "no such cluster")


async def test_a_refused_snapshot_is_offered_again(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_RETRY_S", 0.05)
    served.stream.open()
    version = publish(served, "a")
    async with called(served, certificates.client(tmp_path / "c", served.authority)) as call:
        await call.write(SnapshotRequest(replica="gw-0"))
        await call.read()
        await call.write(SnapshotRequest(answers_version=version, refusal="not yet"))
        assert (await call.read()).snapshot.version == version


async def test_a_standby_sends_replicas_on_at_once(served: Served, tmp_path: Path) -> None:
    folder = certificates.client(tmp_path / "c", served.authority)
    error = await refused(served, folder)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "standby" in str(error.details())


async def test_replicas_are_sent_on_when_the_operator_leads_no_more(
    served: Served, tmp_path: Path
) -> None:
    served.stream.open()
    async with called(served, certificates.client(tmp_path / "c", served.authority)) as call:
        await call.write(SnapshotRequest(replica="gw-0"))
        await served.until(lambda: bool(served.stream.rollout.replicas))
        served.stream.close()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_another_client_of_our_authority_is_refused(served: Served, tmp_path: Path) -> None:
    served.stream.open()
    folder = certificates.client(tmp_path / "c", served.authority, "prism-operator")
    error = await refused(served, folder)
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "prism-extproc" in str(error.details())
    assert not served.stream.rollout.replicas


async def test_a_client_without_a_certificate_is_refused(served: Served) -> None:
    served.stream.open()
    assert (await refused(served, None)).code() is grpc.StatusCode.UNAVAILABLE
    assert not served.stream.rollout.replicas


async def test_a_client_of_another_authority_is_refused(served: Served, tmp_path: Path) -> None:
    served.stream.open()
    other = certificates.authority("ca")
    folder = certificates.client(tmp_path / "c", other, trusted=[served.authority])
    assert (await refused(served, folder)).code() is grpc.StatusCode.UNAVAILABLE
    assert not served.stream.rollout.replicas


async def test_a_first_message_without_a_name_is_refused(served: Served, tmp_path: Path) -> None:
    served.stream.open()
    async with called(served, certificates.client(tmp_path / "c", served.authority)) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await first(call, SnapshotRequest())
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_certificates_rotate_without_a_restart(served: Served, tmp_path: Path) -> None:
    served.stream.open()
    version = publish(served, "a")
    old = certificates.client(tmp_path / "old", served.authority)
    new = certificates.authority("new")
    certificates.server(served.folder, new)
    renewed = certificates.client(tmp_path / "new", new)
    async with called(served, renewed) as call:
        await call.write(SnapshotRequest(replica="gw-0"))
        assert (await call.read()).snapshot.version == version
    # The old authority is trusted by nobody any more.
    assert (await refused(served, old)).code() is grpc.StatusCode.UNAVAILABLE


async def test_half_a_rotation_changes_nothing(served: Served, tmp_path: Path) -> None:
    served.stream.open()
    version = publish(served, "a")
    served.folder.joinpath("tls.key").write_bytes(certificates.authority().key)
    async with called(served, certificates.client(tmp_path / "c", served.authority)) as call:
        await call.write(SnapshotRequest(replica="gw-0"))
        assert (await call.read()).snapshot.version == version


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key", "ca.crt"])
def test_a_folder_without_one_of_the_files_says_which(tmp_path: Path, missing: str) -> None:
    folder = certificates.server(tmp_path / "s", certificates.authority())
    folder.joinpath(missing).unlink()
    with pytest.raises(BadCertificates, match=missing):
        server_credentials(folder)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    folder = certificates.server(tmp_path / "s", certificates.authority())
    folder.joinpath("tls.key").write_bytes(certificates.authority().key)
    with pytest.raises(BadCertificates, match=r"tls\.key"):
        server_credentials(folder)
