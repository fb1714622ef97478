"""The ``prism-operator`` command."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from pathlib import Path
from typing import Any

import click

from prism import __version__

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_FOLDER = click.Path(file_okay=False, path_type=Path)


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
            self.fail(f"{value!r} is not HOST:PORT, such as 0.0.0.0:18000", param, ctx)
        return host.strip("[]"), int(port)


def own_namespace() -> str:
    """The namespace of this pod; ``default`` outside of a cluster."""
    try:
        return _SERVICE_ACCOUNT.read_text("utf-8").strip()
    except OSError:
        return "default"


def own_name() -> str:
    """The name of this pod, which is its host name."""
    return os.environ.get("POD_NAME") or socket.gethostname()


own_namespace_option = click.option(
    "--operator-namespace",
    metavar="NAMESPACE",
    default=own_namespace,
    show_default="the pod's",
    help="Where the operator's own objects are: lease and stored snapshot.",
)
log_level_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged, to standard error.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="prism-operator")
def main() -> None:
    """Steers Prism gateways by RoutingTables and ProjectPolicies in a Kubernetes cluster.

    The cluster is the one of KUBECONFIG, or else the one that the pod runs in.
    """


@main.command("run")
@click.option(
    "--namespace",
    "namespaces",
    metavar="NAMESPACE",
    multiple=True,
    help="Watch this namespace; may be given several times.",
)
@click.option("--all-namespaces", is_flag=True, help="Watch every namespace.")
@click.option(
    "--listen",
    type=HostPort(),
    default="0.0.0.0:18000",
    show_default=True,
    help="Where replicas of the gateway fetch snapshots, by gRPC over mutual TLS.",
)
@click.option(
    "--tls",
    type=_FOLDER,
    required=True,
    help="Folder with tls.crt, tls.key and ca.crt for that; followed when they change.",
)
@own_namespace_option
@click.option(
    "--snapshot-configmap",
    metavar="NAME",
    default="prism-snapshot",
    show_default=True,
    help="ConfigMap that the live snapshot is stored in.",
)
@click.option(
    "--lease",
    metavar="NAME",
    default="prism-operator",
    show_default=True,
    help="Lease that decides which of several operators acts.",
)
@click.option(
    "--identity",
    metavar="NAME",
    default=own_name,
    show_default="the pod's name",
    help="Name of this operator in the lease; no two may have the same.",
)
@click.option("--webhook-listen", type=HostPort(), help="Where the validating webhook listens.")
@click.option("--webhook-tls", type=_FOLDER, help="Folder with tls.crt, tls.key, ca.crt for it.")
@click.option(
    "--health",
    type=HostPort(),
    default="0.0.0.0:8081",
    show_default=True,
    help="Where /healthz, /readyz and /metrics are.",
)
@log_level_option
def run_command(
    namespaces: tuple[str, ...], all_namespaces: bool, log_level: str, **options: Any
) -> None:
    """Run the operator until it is stopped.

    Several may run; the one that holds the lease acts, and another takes over within seconds.
    """
    from prism_operator.api import NoCluster
    from prism_operator.run import CannotListen, Settings, run
    from prism_operator.tls import BadCertificates

    if bool(namespaces) == all_namespaces:
        raise click.UsageError("give either --namespace (once or more) or --all-namespaces")
    if (options["webhook_listen"] is None) != (options["webhook_tls"] is None):
        raise click.UsageError("--webhook-listen and --webhook-tls go together")
    start_logging(log_level)
    settings = Settings(
        namespaces=namespaces,
        own_namespace=options["operator_namespace"],
        listen=options["listen"],
        tls=options["tls"],
        health=options["health"],
        snapshot=options["snapshot_configmap"],
        lease=options["lease"],
        identity=options["identity"],
        webhook=options["webhook_listen"],
        webhook_tls=options["webhook_tls"],
    )
    try:
        asyncio.run(run(settings))
    except (NoCluster, BadCertificates, CannotListen) as error:
        raise click.ClickException(str(error)) from None


@main.command("certs")
@click.option(
    "--namespace",
    metavar="NAMESPACE",
    default=own_namespace,
    show_default="the pod's",
    help="Where the Secrets are.",
)
@click.option(
    "--operator-secret",
    metavar="NAME",
    default="prism-operator-tls",
    show_default=True,
    help="Secret for the operator's end of the stream.",
)
@click.option(
    "--extproc-secret",
    metavar="NAME",
    default="prism-extproc-tls",
    show_default=True,
    help="Secret for the gateway's end of the stream.",
)
@click.option(
    "--webhook-secret", metavar="NAME", default="", help="Secret for the webhook, if any."
)
@click.option(
    "--webhook-configuration",
    metavar="NAME",
    default="",
    help="ValidatingWebhookConfiguration that names the webhook's Service and is told whom to "
    "trust.",
)
@click.option(
    "--operator-name",
    "operator_names",
    metavar="DNS_NAME",
    multiple=True,
    help="A further name of the operator; replicas check prism-operator, which it always has.",
)
@click.option(
    "--webhook-name",
    "webhook_names",
    metavar="DNS_NAME",
    multiple=True,
    help="A name of the webhook, in addition to its Service's.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=90,
    show_default=True,
    help="How long new certificates are valid; they are renewed when a third of it is left.",
)
@click.option(
    "--spread-minutes",
    type=click.IntRange(0, 10_080),
    default=60,
    show_default=True,
    help="How long a renewed certificate waits until everyone trusts who signed it. The run "
    "after that takes it into use.",
)
@log_level_option
def certs_command(days: int, spread_minutes: int, log_level: str, **options: Any) -> None:
    """Make the certificates of operator, gateway and webhook, or renew what is due, and end.

    For where cert-manager does not. Run it after installing and then every day: doing it again
    changes nothing until something is due.
    """
    from datetime import timedelta

    from prism_operator.api import UNREACHABLE, NoCluster
    from prism_operator.certs import NoWebhookName, Wanted, keep
    from prism_operator.renewal import Terms

    start_logging(log_level)
    terms = Terms(timedelta(days=days), timedelta(minutes=spread_minutes))
    options["configuration"] = options.pop("webhook_configuration")
    try:
        asyncio.run(keep(Wanted(**options), terms))
    except (NoCluster, NoWebhookName, *UNREACHABLE) as error:
        raise click.ClickException(str(error).strip()) from None


def start_logging(level: str) -> None:
    """Log to standard error, one line an event. kopf tells of every step only to debug."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    if level != "debug":
        logging.getLogger("kopf").setLevel(logging.WARNING)
        # It warns that it gets no signals in its thread, which is as it should be.
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
