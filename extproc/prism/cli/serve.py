"""``prism serve``: the external processor alone, beside an Envoy that runs elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prism.cli.listening import log_level, server_options, start_logging

if TYPE_CHECKING:
    from prism.serve.server import ServerSettings

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("serve")
@click.option(
    "--config", type=_FOLDER, required=True, help="Folder of RoutingTables and ProjectPolicies."
)
@click.option(
    "--socket",
    type=click.Path(path_type=Path),
    required=True,
    help="Unix socket to serve Envoy on: ext_proc, ADS and access log.",
)
@click.option(
    "--envoy-admin",
    type=click.Path(path_type=Path),
    required=True,
    help="Unix socket of Envoy's admin interface.",
)
@server_options
@log_level
def command(
    config: Path,
    socket: Path,
    envoy_admin: Path,
    admin: tuple[str, int] | None,
    credentials: Path | None,
    state: Path | None,
    model: Path | None,
    log_level: str,
) -> None:
    """Run only the external processor; Envoy runs elsewhere.

    "prism run" starts this and an Envoy. Run it alone as a sidecar of an Envoy that was
    started with the bootstrap of "prism run".
    """
    from prism.serve.server import ServerSettings

    start_logging(log_level)
    settings = ServerSettings(
        config=config,
        socket=socket,
        envoy_admin=envoy_admin,
        last_good=last_good_path(config, state),
        credentials=credentials,
        admin=admin,
    )
    _serve(settings, model)


def _serve(settings: ServerSettings, model: Path | None) -> None:
    import asyncio
    import signal

    import uvloop

    from prism.classify import Classifier, ModelRefused
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

    uvloop.run(main())


def last_good_path(config: Path, state: Path | None) -> Path:
    """Where the last good configuration of a folder is kept; each folder has its own."""
    import hashlib

    from prism.serve.folder import state_folder

    folder = config.resolve()
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return (state or state_folder()) / f"{folder.name or 'root'}-{digest}.snapshot"
