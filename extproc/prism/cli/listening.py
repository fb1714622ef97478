"""Parameter types and set-up that several verbs share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from prism.telemetry.settings import Telemetry


class HostPort(click.ParamType[tuple[str, int]]):
    """``HOST:PORT`` or ``[V6HOST]:PORT``; port 0 picks a free one."""

    name = "host:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, colon, port = str(value).rpartition(":")
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            self.fail(f"{value!r} is not HOST:PORT, such as 127.0.0.1:8080", param, ctx)
        return host.strip("[]"), int(port)


def start_logging(level: str) -> None:
    """Log to standard error, one line an event."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    if level.upper() == "INFO":
        # A dozen lines of a first start, of the ledger's tables.
        logging.getLogger("alembic").setLevel(logging.WARNING)


def telemetry_settings() -> Telemetry:
    """What the ``OTEL_*`` variables ask for; fails with the name of one that can't be used."""
    import os

    from prism.telemetry.settings import BadSetting, read_settings

    try:
        return read_settings(os.environ)
    except BadSetting as bad:
        raise click.ClickException(str(bad)) from None


Command = TypeVar("Command", bound=Callable[..., Any])


def server_options(command: Command) -> Command:
    """The options that ``prism run`` hands on to ``prism serve``."""
    for option in reversed(_SERVER_OPTIONS):
        command = option(command)
    return command


_SERVER_OPTIONS = (
    click.option("--admin", type=HostPort(), help="Where the admin endpoints listen, if anywhere."),
    click.option(
        "--credentials",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder with one file per provider key; the environment is used for the others.",
    ),
    click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder for the last good configuration.  [default: ~/.local/state/prism]",
    ),
    click.option(
        "--model",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Classifier to use in place of the one that Prism ships.",
    ),
)

listen_option = click.option(
    "--listen",
    type=HostPort(),
    default="127.0.0.1:8080",
    show_default=True,
    help="Where clients come in; port 0 picks a free one (prism run).",
)
max_body_option = click.option(
    "--max-body",
    type=click.IntRange(1, 60),
    default=32,
    show_default=True,
    metavar="MIB",
    help="Largest request accepted; larger ones get 413.",
)
prism_timeout_option = click.option(
    "--prism-timeout",
    type=click.FloatRange(0.1, 60),
    default=2,
    show_default=True,
    metavar="SECONDS",
    help="How long Envoy waits for Prism, each time it asks.",
)
socket_option = click.option(
    "--socket",
    type=click.Path(path_type=Path),
    required=True,
    help="Unix socket on which Prism serves Envoy: ext_proc, ADS and access log. PATH.2 to PATH.8 "
    "are more of the same.",
)
envoy_admin_option = click.option(
    "--envoy-admin",
    type=click.Path(path_type=Path),
    required=True,
    help="Unix socket of Envoy's admin interface.",
)
log_level = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much to log to standard error.",
)
