"""``prism serve``: the external processor alone, beside an Envoy that runs elsewhere."""

from __future__ import annotations

import os
import re
import socket as sockets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prism.cli.budget_options import budget_options, budget_settings
from prism.cli.console_options import console_options, console_settings
from prism.cli.ledger_options import (
    check_prompt_key,
    ledger_address,
    ledger_bounds,
    ledger_options,
)
from prism.cli.listening import (
    HostPort,
    envoy_admin_option,
    log_level,
    server_options,
    socket_option,
    start_logging,
    telemetry_settings,
)

if TYPE_CHECKING:
    from prism.serve.operator_stream import Operator
    from prism.serve.server import ServerSettings

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
# With gRPC's newer event engine each request wakes several threads more (decision 28). It is
# read when grpc is loaded, so it must be there before.
_GRPC_EXPERIMENTS = "-event_engine_listener,-event_engine_client"
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class ReplicaName(click.ParamType[str]):
    """A name as Kubernetes gives to pods."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _NAME.fullmatch(str(value)):
            self.fail(f"{value!r} is not a name: lower-case letters, digits, - and .", param, ctx)
        return str(value)


@click.command("serve")
@click.option(
    "--config", type=_FOLDER, help="Folder of RoutingTables and ProjectPolicies, watched."
)
@click.option(
    "--operator",
    type=HostPort(),
    multiple=True,
    help="Operator to take snapshots from, in place of a folder. Each address of the host is "
    "tried; may be given for several hosts.",
)
@click.option(
    "--operator-tls",
    type=_FOLDER,
    help="Folder with tls.crt, tls.key and ca.crt for the operator; read again when they change.",
)
@click.option(
    "--stored-snapshot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the snapshot that the operator stores, to start from while it is away.",
)
@click.option(
    "--replica",
    type=ReplicaName(),
    help="This replica's name towards the operator.  [default: the host's name]",
)
@socket_option
@envoy_admin_option
@server_options
@console_options
@ledger_options
@budget_options
@log_level
def command(
    config: Path | None,
    operator: tuple[tuple[str, int], ...],
    operator_tls: Path | None,
    stored_snapshot: Path | None,
    replica: str | None,
    socket: Path,
    envoy_admin: Path,
    admin: tuple[str, int] | None,
    credentials: Path | None,
    state: Path | None,
    model: Path | None,
    console: tuple[str, int] | None,
    console_token: Path | None,
    ledger: str | None,
    prompt_key: Path | None,
    ledger_retention: float,
    ledger_size: float,
    budget_store: str | None,
    budget_away: str,
    log_level: str,
) -> None:
    """Run only the external processor; Envoy runs elsewhere.

    The configuration comes from a folder (--config) or from the operator of a cluster
    (--operator with --operator-tls). While the operator is away, what is live stays live; a
    start without it takes the stored snapshot or the last good one, whichever is newer.

    Start Envoy with what "prism bootstrap" prints for the same --socket and --envoy-admin.
    """
    os.environ.setdefault("GRPC_EXPERIMENTS", _GRPC_EXPERIMENTS)
    from prism.serve.server import ServerSettings

    if (config is None) == (not operator):
        raise click.UsageError("give either --config or --operator")
    source: Path | Operator
    if config is not None:
        _only_with_operator(operator_tls, stored_snapshot, replica)
        source, last_good = config, last_good_path(config, state)
    else:
        source = _operator(operator, operator_tls, replica)
        last_good = _state(state) / f"operator-{source.replica}.snapshot"
    start_logging(log_level)
    telemetry = telemetry_settings()
    check_prompt_key(prompt_key)
    settings = ServerSettings(
        source=source,
        socket=socket,
        envoy_admin=envoy_admin,
        last_good=last_good,
        credentials=credentials,
        admin=admin,
        stored=stored_snapshot,
        ledger=ledger_address(ledger, state),
        prompt_key=prompt_key,
        ledger_bounds=ledger_bounds(ledger_retention, ledger_size),
        budgets=budget_settings(budget_store, budget_away),
        telemetry=telemetry,
        console=console_settings(console, console_token),
    )
    _serve(settings, model)


def _only_with_operator(tls: Path | None, stored: Path | None, replica: str | None) -> None:
    given = {"--operator-tls": tls, "--stored-snapshot": stored, "--replica": replica}
    for name, value in given.items():
        if value is not None:
            raise click.UsageError(f"{name} needs --operator")


def _operator(
    endpoints: Sequence[tuple[str, int]], tls: Path | None, replica: str | None
) -> Operator:
    from prism.serve.operator_stream import Operator

    if tls is None:
        raise click.UsageError("--operator needs --operator-tls")
    name = replica or sockets.gethostname().lower()
    if not _NAME.fullmatch(name):
        raise click.UsageError(f"the host's name {name!r} is no name for a replica: --replica")
    return Operator(endpoints, tls, name)


def _serve(settings: ServerSettings, model: Path | None) -> None:
    import asyncio
    import signal

    import uvloop

    from prism.classify import Classifier, ModelRefused
    from prism.serve.loop import Loop
    from prism.serve.server import Server

    try:
        classifier = Classifier(model)
    except (ModelRefused, OSError) as error:
        raise click.ClickException(f"{model or 'the shipped classifier'}: {error}") from None

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await Server(settings, classifier).run(stop)

    uvloop.run(main(), loop_factory=Loop)


def last_good_path(config: Path, state: Path | None) -> Path:
    """Where the last good configuration of a folder is kept; each folder has its own."""
    import hashlib

    folder = config.resolve()
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return _state(state) / f"{folder.name or 'root'}-{digest}.snapshot"


def _state(state: Path | None) -> Path:
    from prism.serve.folder import state_folder

    return state or state_folder()
